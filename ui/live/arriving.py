"""Live before there is a run: the images of the sample as they are drawn."""

import streamlit as st

from ueo_core.utils.background_jobs import Job
from ui.common import shell, thumbs
from ui.common.job_progress import poll, show_progress


def draw(key: str) -> None:
    """Show the job until it has made a run, and then that run. Nothing for a job that is not there."""
    job = shell.jobs().get(key)
    if job is None:
        return
    if job.running:
        st.title("The sample is being drawn")
        st.html(thumbs.STYLE)
        poll(key, _progress)
        st.stop()
    if job.cancelled:
        st.switch_page("app.py")
    if job.error:
        shell.problem(job.error)
        st.page_link("app.py", label="Back to Start", icon=":material/home:")
        st.stop()
    if job.result:
        shell.go_to_run(job.result)


def _progress(job: Job) -> None:
    show_progress(job, "images")
    st.caption(
        "Neon signs in the rain: unlabeled images, four in nine of them of no known class. Next, a small "
        "CLIP predicts them and is adapted to them."
    )
    cards = [f'<div class="ueo-thumb"><img alt="" src="{url}"></div>' for url in job.shown or ()]
    st.html(thumbs.strip(cards, 112))
