"""A run on the built-in sample in one click: the button, and the sample drawn before it is pressed."""

import time
import uuid

import streamlit as st

from ueo_core.config.presets import DEFAULT_PRESET, preset
from ueo_core.drawings.parallel import drawn_files
from ueo_core.drawings.sample import problem
from ueo_core.utils.background_jobs import Job
from ueo_core.workspace.dataset import Dataset, list_datasets, sample_dataset
from ueo_core.workspace.start_run import start_run
from ui.common import shell
from ui.common.arrivals import Arrivals

BACKBONE = "drawings-resnet"
_AHEAD = "sample-ahead"  # the job that draws the sample before it is asked for


def button() -> None:
    """The button, which leads to Live at once."""
    request = st.session_state.setdefault("ueo.watch", uuid.uuid4().hex)
    if st.button(
        "Watch it work now",
        type="primary",
        icon=":material/play_arrow:",
        on_click=_begin,
        args=(request,),
        key="watch",
    ):
        st.session_state["ueo.watch"] = uuid.uuid4().hex  # the next click makes another run
        st.switch_page("pages/3_Live.py", query_params={"watch": request})


def _begin(request: str) -> None:
    """Draw the sample and queue its run, once for any number of clicks."""
    manager = shell.manager()

    def work(job: Job) -> str:
        dataset = _drawn(job)
        return start_run(manager, dataset, preset(DEFAULT_PRESET, BACKBONE), request=request)

    shell.jobs().start(f"watch-{request}", "Drawing the sample", work)


def _drawn(job: Job) -> Dataset:
    """The sample; where it is being drawn ahead, what that job shows is shown by this one."""
    ahead = shell.jobs().get(_AHEAD)
    while ahead and ahead.running:
        job.advance(ahead.done, ahead.total)
        job.shown = ahead.shown
        time.sleep(0.1)
    shell.jobs().forget(_AHEAD)
    return sample_dataset(
        progress=job.advance, on_image=Arrivals(job), files=ahead.result if ahead else None
    )


def draw_ahead() -> None:
    """Draw the sample while a page is being read, where nothing was done here before.

    Its 30 MB wait in memory: a person who brings photos finds no dataset that was not asked for.
    """
    if shell.manager().ids() or list_datasets():
        return
    shell.jobs().start(_AHEAD, "Drawing the sample", _draw)


def _draw(job: Job) -> list[tuple[str, str, bytes]]:
    chosen, arrived, files = problem(), Arrivals(job), []
    for file in drawn_files(chosen):
        files.append(file)
        arrived(file[2])
        job.progress(len(files), len(chosen))
    return files
