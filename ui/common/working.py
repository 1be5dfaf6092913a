"""A background job on a page: its progress with a time estimate, and a button that ends it."""

import streamlit as st

from ui.common import shell


def working(key: str, unit: str) -> bool:
    """Draw the job of that key while it runs. → whether it does

    unit: what it counts, "images". A failure is said once; the page is drawn anew at the end.
    """
    job = shell.jobs().get(key)
    if job is None:
        return False
    if job.running:
        with st.container(border=True):
            st.fragment(_progress, run_every=0.5, key=f"{key}.progress")(key, unit)
        return True
    shell.jobs().forget(key)
    if job.error:
        shell.problem(job.error)
    return False


def _progress(key: str, unit: str) -> None:
    job = shell.jobs().get(key)
    if job is None or not job.running:
        st.rerun()
    words = [job.title]
    if job.total:
        words.append(f"{job.done:,} of {job.total:,} {unit}")
    if job.seconds_left is not None:
        words.append(f"about {clock(job.seconds_left)} left")
    st.progress(job.done / job.total if job.total else 0.0, text=" · ".join(words))
    st.button(
        "Cancelling" if job.cancelled else "Cancel",
        icon=":material/close:",
        key=f"{key}.cancel",
        on_click=job.cancel,
        disabled=job.cancelled,
    )


def clock(seconds: float) -> str:
    """A time to wait, as people say it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
