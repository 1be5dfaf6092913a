"""The teaching model with the built-in problem, loaded once per process for all of Learn."""

from typing import TYPE_CHECKING

import streamlit as st

from ueo_core.drawings.sample import problem
from ueo_core.learn.scenes import BACKBONE
from ui.common.shell import ROOT

if TYPE_CHECKING:  # it loads torch
    from ueo_core.learn.demo import Demo


@st.cache_resource(show_spinner="Loading the teaching model: a few seconds, once …", max_entries=2)
def _demo(backbone: str, weights: float) -> "Demo":
    """weights: modification time of the weights file, so that new weights are loaded"""
    from ueo_core.learn.demo import open_demo

    return open_demo(backbone, problem())


def demo() -> "Demo":
    """The teaching model with the built-in problem. UserError without its weights."""
    path = ROOT / "assets" / f"{BACKBONE}.safetensors"
    return _demo(BACKBONE, path.stat().st_mtime if path.is_file() else 0.0)


def all_computed() -> "Demo":
    """The same, with the cosines of all drawings computed."""
    now = demo()
    if not now.all_computed:
        with st.spinner("Computing the predictions for all drawings: a few seconds, once …"):
            now.cosines  # noqa: B018 - computed at the first access
    return now
