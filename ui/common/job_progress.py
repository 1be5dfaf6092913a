"""A background job as a page shows it: title, "n of m unit", rate, time left and a Cancel button."""

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from ueo_core.utils.background_jobs import Job
from ueo_core.utils.durations import duration
from ui.common import shell
from ui.common.text import markdown

DELAY = 0.5  # seconds; quicker work shows no bar


def start_job(key: str, title: str, work: Callable[[Job], Any]) -> None:
    """Start a job, or join the one of that key that is running; this session waits for its result."""
    shell.jobs().start(key, title, work, again=True)
    st.session_state[f"{key}.waiting"] = True
    st.session_state.pop(f"{key}.error", None)


def show_job(
    key: str,
    unit: str = "",
    on_result: Callable[[Any], None] = lambda result: None,
    cancel: str = "Cancel",
) -> bool:
    """Draw the job of that key while it runs. → whether it is running

    unit: what it counts, "images". on_result: called once, in the session that waits for the job.
    An error is shown here until the job is started again.
    """
    job = shell.jobs().get(key)
    if job and job.running:
        st.session_state[f"{key}.waiting"] = True  # after a refresh, too
        with st.container(border=True):
            poll(key, show_progress, unit, cancel)
        return True
    if job and st.session_state.pop(f"{key}.waiting", False):
        shell.jobs().forget(key)
        if job.error:
            st.session_state[f"{key}.error"] = job.error
        elif job.result is None and job.cancelled:
            st.toast("Cancelled; nothing was kept.", icon=":material/close:")
        else:
            on_result(job.result)
    if error := st.session_state.get(f"{key}.error"):
        shell.problem(error)
    return False


def poll(key: str, draw: Callable[..., None], *arguments: Any) -> None:
    """Call `draw(job, *arguments)` twice a second while the job runs; rerun the page when it ends."""
    st.fragment(_poll, run_every=0.5, key=f"{key}.poll")(key, draw, *arguments)


def _poll(key: str, draw: Callable[..., None], *arguments: Any) -> None:
    job = shell.jobs().get(key)
    if job is None or not job.running:
        st.rerun()
    draw(job, *arguments)


def show_progress(job: Job, unit: str, cancel: str = "Cancel") -> None:
    """How far a job is, and a button that cancels it."""
    progress_bar(job, unit)
    st.button(
        "Cancelling" if job.cancelled else cancel,
        icon=":material/close:",
        key=f"{job.key}.cancel",
        on_click=job.cancel,
        disabled=job.cancelled,
    )


def progress_bar(job: Job, unit: str) -> None:
    """The job's title and how far it is; the time left once it has counted something."""
    words = [markdown(job.title)]
    if job.total:
        words.append(f"{job.done:,} of {job.total:,} {unit}".rstrip())
    if job.done:
        words += [f"{job.rate:,.1f} per second", f"about {duration(job.seconds_left)} left"]
    st.progress(min(1.0, job.done / job.total) if job.total else 0.0, " · ".join(words))


class DelayedProgress:
    """A progress callback for work within a page run; its bar appears only where that is slow."""

    def __init__(self, title: str):
        self.title, self.place, self.began = title, st.empty(), time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        spent = time.monotonic() - self.began
        if done and spent > DELAY:
            left = duration(spent / done * (total - done))
            self.place.progress(done / total, f"{self.title}: {done} of {total}, {left} left")

    def clear(self) -> None:
        """Remove the bar."""
        self.place.empty()
