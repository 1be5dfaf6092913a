"""The intake as it goes: one at a time in a process, whoever watches."""

import streamlit as st

from ueo_core.utils.background_jobs import Job
from ueo_core.workspace.upload import TakenIn
from ui.common import shell

JOB = "intake"  # one at a time: two would only slow each other down


def begin(title: str, work) -> None:
    """Start an intake; a second click while one runs changes nothing."""
    shell.jobs().start(JOB, title, work, again=True)
    st.session_state["data.mine"] = True
    st.session_state.pop("data.problem", None)


def running() -> bool:
    """Whether images are being taken in."""
    job = shell.jobs().get(JOB)
    return job is not None and job.running


def draw() -> bool:
    """The intake under way, or what became of the last one. → whether one is under way"""
    if running():
        with st.container(border=True):
            st.fragment(_progress, run_every=0.5, key="data.progress")()
        return True
    if job := shell.jobs().get(JOB):
        _ended(job)
    if problem := st.session_state.get("data.problem"):
        _problem(problem)
    return False


def _progress() -> None:
    job = shell.jobs().get(JOB)
    if job is None or not job.running:
        st.rerun()
    st.session_state["data.mine"] = True  # also after a refresh: whoever watches is taken along
    left = f", about {_clock(job.seconds_left)} left" if job.done else ""
    speed = f" · {job.rate:.0f} a second{left}" if job.done else ""
    st.text(job.title)
    st.progress(
        job.done / job.total if job.total else 0.0,
        f"{job.done:,} of {job.total:,} files{speed}" if job.total else "Listing the files",
    )
    st.button(
        "Stop, and keep what is done",
        icon=":material/stop:",
        on_click=job.cancel,
        disabled=job.cancelled,
    )


def _ended(job: Job) -> None:
    """Show the outcome to the session that waited for it, once."""
    if not st.session_state.pop("data.mine", False):
        return
    shell.jobs().forget(JOB)
    if job.error:
        st.session_state["data.problem"] = job.error
    elif isinstance(job.result, TakenIn):
        if job.result.dataset:
            shell.set_parameter("data", job.result.dataset)
        else:
            st.session_state["data.problem"] = job.result.report
    elif job.result:
        shell.set_parameter("data", job.result.id)


def _problem(problem) -> None:
    """Why there is no dataset, until the next try: a sentence, or the report of a useless source."""
    if isinstance(problem, str):
        shell.problem(problem)
        return
    files = problem.usable + len(problem.skipped) + problem.duplicates
    stopped = " before it was stopped" if problem.cancelled else ""
    st.error(
        f"{problem.usable} of {files} files could be used{stopped}; adaptation needs two different "
        "images, and a test set one."
    )
    if problem.skipped:
        st.dataframe(
            [{"File": s.name, "Reason": s.reason} for s in problem.skipped[:1000]],
            hide_index=True,
        )


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
