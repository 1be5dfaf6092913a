"""The adaptation beside the photos: its start, its progress, and what came of it."""

import uuid
from collections.abc import Sequence

import streamlit as st

from ueo_core.analysis.live_metrics import phase_sentence, share_done
from ueo_core.analysis.photo_wall import Frame, chosen_photos
from ueo_core.analysis.run_picker import entry
from ueo_core.config.settings import Settings
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.runs.snapshot import Snapshot
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.durations import duration
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset, open_dataset
from ueo_core.workspace.prediction_history import classified_sets, predictions_of
from ueo_core.workspace.start_run import start_run
from ui.common import label_match, shell
from ui.common.job_progress import show_job, start_job
from ui.common.text import markdown
from ui.common.verdict import BOXES, inspection, judged, show_guard
from ui.live.controls import BUTTONS, act
from ui.use import exports

_LISTED = 30  # newest runs that are looked at
_PROBLEM, _REQUEST, _FILM = "photos.problem", "photos.request", "photos.film"


def newest(dataset: Dataset) -> tuple[str | None, str | None]:
    """The newest run of these photos and class names, and the newest of these photos; None without one."""
    manager, of_photos = shell.manager(), None
    for run in manager.ids()[:_LISTED]:
        folder = manager.folder(run)
        try:
            if folder.config["pool"]["set"] != dataset.pool["set"]:
                continue
            names, _ = names_of(run), folder.settings
        except UserError:  # damaged
            continue
        of_photos = of_photos or run
        if names == (dataset.classes, dataset.synonyms):
            return run, of_photos
    return None, of_photos


def names_of(run: str) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """The class names of a run, and their further names."""
    config = shell.manager().folder(run).config
    return tuple(config["classes"]), config["synonyms"]


def start(dataset: Dataset, settings: Settings, run: str | None, suited: bool) -> None:
    """The button that adapts; what it says where a run of these photos exists already.

    suited: whether the model is meant for these photos; the primary button is another one if not.
    """
    under_way = run is not None and entry(shell.manager(), run).under_way
    similar = dataset.similar_labels()
    confirmed = label_match.ask(dataset, similar, f"photos.labels.{dataset.id}") if similar else []
    request = st.session_state.setdefault(_REQUEST, uuid.uuid4().hex)
    st.button(
        "Adapt again" if run else "Adapt",
        type="primary" if suited and not run else "secondary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=under_way or not dataset.ready,
        on_click=_start,
        args=(dataset.id, settings, request, similar, confirmed),
        help=None if dataset.ready else "Name at least two classes first.",
    )
    if problem := st.session_state.pop(_PROBLEM, None):
        shell.problem(problem)


def _start(
    id: str, settings: Settings, request: str, similar: dict[str, str], confirmed: list[str]
) -> None:
    from ueo_core.workspace.zero_shot import forget_model

    try:
        dataset = open_dataset(id).with_answer(similar, confirmed)
        start_run(shell.manager(), dataset, settings, request)
    except UserError as error:
        st.session_state[_PROBLEM] = str(error)
    else:
        forget_model()  # the run loads its own
        st.session_state[_REQUEST] = uuid.uuid4().hex


def progress(now: Snapshot) -> None:
    """One line on a run that has not ended, and its buttons."""
    if now.state == "failed":
        st.error(markdown(now.reason), icon=":material/error:")
        return
    if now.state == "finished":
        return
    words = [phase_sentence(now)] if now.state != "paused" else ["Paused"]
    if now.step:
        words.append(f"step {now.step:,} of {now.steps:,}")
    if (left := now.seconds_left) is not None:
        words.append(f"about {duration(left)} left")
    with st.container(horizontal=True, vertical_alignment="center", key="photos-progress"):
        st.progress(share_done(now), " · ".join(words))
        for action in ("pause", "resume", "stop", "cancel"):
            if action in now.actions:
                label, icon = BUTTONS[action][:2]
                st.button(
                    label, icon=icon, key=f"photos.{action}", on_click=act, args=(now.run, action)
                )


def verdict(run: str) -> None:
    """What a finished run achieved, and what is recommended without labels."""
    try:
        opened = inspection(run)
    except UserError as error:
        st.warning(markdown(str(error)), icon=":material/warning:")
        return
    found = judged(opened, opened.default, DEFAULT_SCORE)
    box, icon = BOXES[found.kind]
    box(f"**{markdown(found.headline)}**", icon=icon)
    if opened.guard and opened.guard["share"] != 1:
        show_guard(opened, "“Export and film” exports it.")
    st.page_link(
        "pages/4_Inspect.py",
        label="Inspect what changed",
        icon=":material/search:",
        query_params={"run": run},
    )


def export_and_film(
    dataset: Dataset, run: str, threshold: float | None, frames: Sequence[Frame]
) -> None:
    """Sorted folders, tables, the model and the film of a finished run, at the wall's threshold."""
    try:
        adapter_file = adapter_of_run(shell.manager().folder(run).path, guarded=True)
        what = next((a for a in classified_sets(adapter_file) if a.id == "pool"), None)
        predicted = predictions_of(adapter_file, what) if what else None
        at = adapter_file.threshold if threshold is None else threshold
        exports.export(adapter_file, what, predicted, at)
    except UserError as error:
        shell.problem(error)
    _film(dataset, run, frames)


def _film(dataset: Dataset, run: str, frames: Sequence[Frame]) -> None:
    """The wall as an animated picture for slides."""
    st.subheader("Film")
    st.markdown(
        "Every photo on its way from zero-shot to the end, as an **animated picture (GIF)** for slides."
    )
    if show_job(_FILM, "pictures", lambda made: st.session_state.update({_FILM: (run, made)})):
        return
    st.button(
        "Make the film",
        icon=":material/movie:",
        key="photos.film.make",
        on_click=start_job,
        args=(_FILM, "Drawing the film", lambda job: _draw_film(job, dataset, frames)),
    )
    made_of, made = st.session_state.get(_FILM, (None, b""))
    if made_of == run:
        st.image(made, width=640)
        st.download_button(
            f"Download the film ({len(made) / 1e6:,.1f} MB)",
            data=made,
            file_name="film.gif",
            mime="image/gif",
            icon=":material/download:",
            key="photos.film.get",
            on_click="ignore",
        )


def _draw_film(job: Job, dataset: Dataset, frames: Sequence[Frame]) -> bytes:
    from ueo_core.export.film import film

    images, shown = dataset.images(), chosen_photos(dataset.pool["n"])
    points = [(f.title, f.prediction[shown], f.unknown[shown]) for f in frames]
    return film(points, [images.thumbnail(int(i)) for i in shown], dataset.classes, job.advance)
