"""The intake as it goes: one at a time in a process, whoever watches."""

import streamlit as st

from ueo_core.workspace.upload import IntakeResult
from ui.common import shell
from ui.common.job_progress import show_job, start_job

JOB = "intake"  # one at a time: two would only slow each other down


def begin(title: str, work) -> None:
    """Start an intake; a second click while one runs changes nothing."""
    start_job(JOB, title, work)
    st.session_state.pop("data.rejected", None)


def running() -> bool:
    """Whether images are being read in."""
    job = shell.jobs().get(JOB)
    return job is not None and job.running


def draw() -> bool:
    """The intake under way, or the outcome of the last one. → whether one is under way"""
    if show_job(JOB, "files", _ended, cancel="Stop and keep the images read so far"):
        return True
    if report := st.session_state.get("data.rejected"):
        _rejected(report)
    return False


def _ended(result) -> None:
    """Show the new dataset, or keep the report of a source without one until the next try."""
    if isinstance(result, IntakeResult):
        if result.dataset:
            shell.set_parameter("data", result.dataset)
        else:
            st.session_state["data.rejected"] = result.report
    elif result:
        shell.set_parameter("data", result.id)


def _rejected(report) -> None:
    """Why a source gave no dataset: the counts, and the reason for every file."""
    files = report.usable + len(report.skipped) + report.duplicates
    stopped = " before it was stopped" if report.cancelled else ""
    st.error(
        f"{report.usable} of {files} files could be used{stopped}; adaptation needs two different "
        "images, and a test set one."
    )
    if report.skipped:
        st.dataframe(
            [{"File": s.name, "Reason": s.reason} for s in report.skipped[:1000]],
            hide_index=True,
        )
