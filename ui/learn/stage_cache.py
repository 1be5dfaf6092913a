"""The teaching model on the built-in problem, opened once a process for all of Learn."""

import streamlit as st

from ueo_core.drawings.sample import problem
from ui.common.shell import ROOT

BACKBONE = "drawings-resnet"


@st.cache_resource(show_spinner="Loading the teaching model: a few seconds, once …", max_entries=2)
def _stage(backbone: str, weights: float):
    """The teaching model on the built-in problem. weights: their time of change, so that new ones count."""
    from ueo_core.learn.stage import open_stage

    return open_stage(backbone, problem())


def stage():
    """The teaching model on the built-in problem, opened once a process. UserError without weights."""
    path = ROOT / "assets" / f"{BACKBONE}.safetensors"
    return _stage(BACKBONE, path.stat().st_mtime if path.is_file() else 0.0)


def seen_all():
    """The same, once it has looked at every drawing."""
    now = stage()
    if not now.seen_all:
        with st.spinner("Encoding every drawing: a few seconds, once …"):
            now.cosines  # noqa: B018 - computed when it is first asked for
    return now
