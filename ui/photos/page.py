"""The Photos page: photos, class names, predictions and the adaptation on one screen."""

import hashlib
import json

import streamlit as st

from ueo_core.analysis.photo_wall import ZERO_SHOT, Frame, frame_of
from ueo_core.config.settings import Settings
from ueo_core.runs.notices import mark_seen
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import Dataset, list_datasets
from ueo_core.workspace.zero_shot import predict_zero_shot
from ui.common import shell, thumbs
from ui.common.job_progress import poll, show_progress
from ui.data import header, intake, sources
from ui.live import panels, view_options
from ui.live.page import pace
from ui.photos import model, names, run, wall

# Photos, unlike text, use the whole width of a large screen; on a phone the box of the names is low.
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { max-width: none; }
@media (max-width: 640px) {
  [class*="st-key-photos-names-"] :is(textarea, [data-testid="stTextAreaRootElement"]) {
    height: 5.5rem; min-height: 0;
  }
}
</style>"""
# Columns are stacked there: once the photos are grouped, they come before names and settings.
_PHOTOS_FIRST = """<style>
@media (max-width: 640px) {
  [data-testid="stColumn"]:has(.st-key-photos-pictures) { order: -1; }
}
</style>"""


def show() -> None:
    """Draw the page in whatever state it is."""
    st.html(thumbs.STYLE)
    if not list_datasets() or intake.running():
        shell.run_notices()
        st.title("Photos")
        st.markdown(
            "Add photos and name the classes: the photos are grouped by their predictions, and move between "
            "the groups while the model is adapted. They stay on this machine, in the studio's own folder."
        )
        sources.draw()
        return
    style = st.empty()
    left, right = st.columns([2, 5], gap="medium")
    with left:
        dataset = header.chosen()
        style.html(_STYLE + (_PHOTOS_FIRST if dataset.ready else ""))
        mine, newest = run.newest(dataset)
        try:
            names.draw(dataset, run.names_of(newest) if newest and newest != mine else None)
        except UserError as error:
            shell.problem(error)
            return
        settings = model.settings(mine or newest)
        shell.run_notices(shown=mine)
        run.start(dataset, settings, mine, suited=not model.unsuited(dataset, settings))
        verdict = st.container()
    with right:
        wall.pictures(dataset)
        _result(dataset, settings, mine, verdict)
    with left:
        sources.draw()
        model.choose(dataset, settings, mine or newest)


def _result(dataset: Dataset, settings: Settings, mine: str | None, verdict) -> None:
    """The wall: of a run, of the zero-shot model, or without predictions. verdict: its place"""
    if mine is None:
        frame = _zero_shot(dataset, settings) if dataset.ready else None
        if not dataset.ready:
            st.caption("Name at least two classes: the photos are then grouped by what CLIP sees.")
        wall.draw(dataset, [frame] if frame else [], dataset.classes)
        return
    every = pace(shell.manager().snapshot(mine))
    st.fragment(_tick, run_every=every, key="photos.tick")(dataset, mine, every)
    if every is None and shell.manager().snapshot(mine).state == "finished":
        mark_seen(shell.manager().folder(mine))
        with verdict:
            run.verdict(mine)
        with st.expander("Export and film", icon=":material/download:", key="photos.export"):
            moved = st.session_state.get(f"photos.threshold.{mine}")
            run.export_and_film(dataset, mine, moved, _frames(mine))


def _tick(dataset: Dataset, mine: str, every: float | None) -> None:
    manager = shell.manager()
    now = manager.snapshot(mine)
    if pace(now) != every:
        st.rerun()
    with st.container():
        run.progress(now)
    frames = _frames(mine) or _before(dataset, mine)
    key = f"photos.threshold.{mine}"
    moved = wall.draw(dataset, frames, dataset.classes)
    if moved != st.session_state.get(key) and now.state == "finished":
        st.session_state[key] = moved
        st.rerun()
    if st.toggle("Charts", key="photos.charts", help="The same as on the page Live."):
        facts = panels.facts(str(manager.folder(mine).path))
        panels.draw(now, facts, view_options.current(), "dark" if shell.dark() else "light")


def _frames(mine: str) -> tuple[Frame, ...]:
    now = shell.manager().snapshot(mine)
    return wall.frames_of(str(shell.manager().folder(mine).path), len(now.evaluations), now.state)


def _before(dataset: Dataset, mine: str) -> tuple[Frame, ...]:
    """What was predicted before the run was started, until it has predictions of its own."""
    job = shell.jobs().get(_key(dataset, shell.manager().folder(mine).settings))
    return (job.result,) if job and job.result else ()


def _key(dataset: Dataset, settings: Settings) -> str:
    """The zero-shot job of these names and this model; settings of the training change nothing."""
    model = settings.backbone, settings.pretrained, settings.prompt, settings.templates
    text = json.dumps(
        [dataset.pool["set"], dataset.classes, dataset.synonyms, model], sort_keys=True
    )
    return f"zero-shot-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _predict(job: Job, dataset: Dataset, settings: Settings) -> Frame:
    found = predict_zero_shot(job, dataset, settings)
    return frame_of(ZERO_SHOT, found.cosines, found.logit_scale)


def _zero_shot(dataset: Dataset, settings: Settings) -> Frame | None:
    """The zero-shot predictions of these names; None while they are being made."""
    if not model.on_this_machine(settings):
        st.info(
            "The weights of this model are not on this machine.", icon=":material/cloud_download:"
        )
        if not st.session_state.get("photos.download"):
            st.button("Download them and predict", key="photos.download.go", on_click=_download)
            return None
    key = _key(dataset, settings)
    job = shell.jobs().start(
        key, "Zero-shot predictions", lambda job: _predict(job, dataset, settings)
    )
    if job.running:
        poll(key, show_progress, "photos")
    elif job.error:
        shell.problem(job.error)
        st.button("Try again", on_click=shell.jobs().forget, args=(key,))
    elif job.result is None:
        st.button("Predict the photos", on_click=shell.jobs().forget, args=(key,))
    else:
        return job.result
    return None


def _download() -> None:
    st.session_state["photos.download"] = True
