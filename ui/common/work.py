"""A background job as a page shows it: how far it is, how long it takes, and a way to stop it."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from ui.common import shell
from ui.common.text import duration


def show_job(key: str, mine: str, done: Callable[[Any], None], failed: str) -> bool:
    """Draw the job of that key while it runs. → whether it does

    mine: the session's flag that it waits for this job; when the job has ended, `done` is told
    its result once, or its error is put into the session under `failed`.
    """
    job = shell.jobs().get(key)
    if job is None:
        return False
    if job.running:
        st.session_state[mine] = True  # also after a refresh: whoever watches is taken along
        with st.container(border=True):
            st.fragment(_progress, run_every=0.5, key=f"{key}.progress")(key)
        return True
    if st.session_state.pop(mine, False):
        shell.jobs().forget(key)
        if job.error:
            st.session_state[failed] = job.error
        elif job.cancelled:
            st.toast("Stopped; nothing was kept.", icon=":material/stop:")
        else:
            done(job.result)
    return False


def _progress(key: str) -> None:
    job = shell.jobs().get(key)
    if job is None or not job.running:
        st.rerun()
    left = job.seconds_left
    words = f"{job.done:,} of {job.total:,}" if job.total else "This takes a moment"
    if job.done and left is not None:
        words += f" · {job.rate:.0f} a second, about {duration(left)} left"
    st.text(job.title)
    st.progress(min(1.0, job.done / job.total) if job.total else 0.0, words)
    st.button("Stop", icon=":material/stop:", on_click=job.cancel, disabled=job.cancelled)
