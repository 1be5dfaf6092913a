"""The time of a run, the command-line equivalent, and the button that starts it."""

import hashlib
import json
import uuid

import streamlit as st

from ueo_core.config.settings import Settings
from ueo_core.runs.notices import notices
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.durations import duration
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset, open_dataset
from ueo_core.workspace.equivalent_command import command_line
from ueo_core.workspace.start_run import default_title, start_run
from ui.common import label_match, shell
from ui.common.job_progress import poll
from ui.common.network import public

# The settings that the time of a step depends on. Epochs multiply it; rates and seeds do not matter.
_STEP_SETTINGS = (
    "backbone",
    "pretrained",
    "batch_size",
    "prompt",
    "trained",
    "device",
    "chunk",
    "precision",
    "mode",
)


def draw(dataset: Dataset, settings: Settings) -> None:
    """Draw the start button, the time estimate and the command-line equivalent."""
    if run := st.session_state.pop("adapt.started", None):
        st.session_state["adapt.request"] = uuid.uuid4().hex
        shell.go_to_run(run)
    st.divider()
    similar = dataset.similar_labels()
    confirmed = label_match.ask(dataset, similar, f"adapt.labels.{dataset.id}") if similar else []
    _button(dataset, settings, similar, confirmed)
    if problem := st.session_state.pop("adapt.problem", None):
        shell.problem(problem)
    _estimate(dataset, settings)
    with st.expander("Command-line equivalent", icon=":material/terminal:", key="adapt.command"):
        st.code(public(command_line(dataset, settings)), language="bash", wrap_lines=True)
        if not dataset.is_sample and "path" not in dataset.origin:
            st.caption(
                "Replace FOLDER with the location of these images on your disk; the studio has only copies."
            )


def _button(dataset: Dataset, settings: Settings, similar: dict, confirmed: list[str]) -> None:
    """similar, confirmed: label names that almost match a class, and those that are to be it."""
    ahead = sum(n.under_way for n in notices(shell.manager()))
    request = st.session_state.setdefault("adapt.request", uuid.uuid4().hex)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.text_input(
            "Name of the run (optional)",
            key="adapt.title",
            max_chars=120,
            width=420,
            placeholder=default_title(dataset, settings),
        )
        st.button(
            f"Add to the queue ({ahead} ahead)" if ahead else "Start",
            type="primary",
            icon=":material/playlist_add:" if ahead else ":material/play_arrow:",
            key="adapt.start",
            on_click=_start,
            args=(dataset.id, settings, request, title.strip() or None, similar, confirmed),
        )


def _start(
    id: str,
    settings: Settings,
    request: str,
    title: str | None,
    similar: dict[str, str],
    confirmed: list[str],
) -> None:
    """A callback, so that a second click of the same button finds the run of the first."""
    try:
        dataset = open_dataset(id).with_answer(similar, confirmed)
        run = start_run(shell.manager(), dataset, settings, request, title)
    except UserError as error:
        st.session_state["adapt.problem"] = str(error)
    else:
        st.session_state["adapt.started"] = run


def _estimate(dataset: Dataset, settings: Settings) -> None:
    from ueo_core.workspace.time_estimate import estimate_time

    values = {name: getattr(settings, name) for name in _STEP_SETTINGS}
    text = json.dumps(
        [dataset.pool["set"], dataset.classes, dataset.synonyms, values], sort_keys=True
    )
    key = f"estimate-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    busy = shell.manager().active() is not None

    def begin() -> None:
        shell.jobs().start(
            key,
            "The estimate",
            lambda job: estimate_time(dataset, settings, job.check),
            again=True,
        )

    # A teaching model is measured in a second or two; any other takes longer to load, so only a
    # click measures it.
    if shell.jobs().get(key) is None and settings.backbone.startswith("drawings-") and not busy:
        begin()
    job = shell.jobs().get(key)
    if job is None:
        st.button(
            "Measure how long it will take",
            icon=":material/timer:",
            on_click=begin,
            help="Loads the model and takes a few training steps, which are discarded."
            + (" A run is in progress, so both will be slower." if busy else ""),
        )
    else:
        _measured(job, dataset, settings)


def _measured(job: Job, dataset: Dataset, settings: Settings) -> None:
    if job.running:
        poll(job.key, lambda job: st.caption(":material/timer: Measuring a few training steps …"))
    elif job.error:
        shell.problem(job.error)
    elif job.result:
        seconds = job.result.run_seconds(dataset, settings)
        st.markdown(
            f":material/timer: **About {duration(seconds)}** on {job.result.device.upper()}, plus loading the "
            f"model. Measured: {job.result.step_seconds:.2g} s per step, over "
            f"{job.result.measured_steps} steps."
        )
        if hint := job.result.rate_hint(dataset, settings):
            st.warning(hint, icon=":material/speed:")
