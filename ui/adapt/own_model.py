"""My own model: an open_clip config and a checkpoint on this machine, checked at once."""

from pathlib import Path

import streamlit as st

from ueo_core.utils.errors import UserError
from ui.common import shell
from ui.common.job_progress import poll

CONFIG, CHECKPOINT = "adapt.own.config", "adapt.own.checkpoint"
KEPT = "ueo.own-model"  # both paths; the state of widgets is lost when the page is left


def config() -> str:
    """The path of the config as it was last given; empty if there is none."""
    return st.session_state.get(KEPT, ("", ""))[0]


def choose() -> tuple[str, str]:
    """The two fields, and what the check finds. → config and checkpoint; the page stops until it fits."""
    kept = st.session_state.get(KEPT, ("", ""))
    for key, value in zip((CONFIG, CHECKPOINT), kept, strict=True):
        st.session_state.setdefault(key, value)
    left, right = st.columns(2)
    path = left.text_input(
        "Config of the model",
        key=CONFIG,
        placeholder="/path/to/model.json",
        help="An open_clip model config (.json): embed_dim, vision_cfg, text_cfg.",
    )
    weights = right.text_input(
        "Checkpoint",
        key=CHECKPOINT,
        placeholder="/path/to/model.safetensors",
        help="Its weights: safetensors, or a file that torch loads with weights_only.",
    )
    given = str(Path(path.strip()).expanduser()), str(Path(weights.strip()).expanduser())
    if not (path.strip() and weights.strip()):
        st.caption("Give both files; they are checked at once and stay where they are.")
        st.stop()
    _check(*given)
    st.session_state[KEPT] = given
    return given


def _check(path: str, weights: str) -> None:
    """Load the model once for every version of its files; the page stops while it does not fit."""
    for file, what in ((path, "Config"), (weights, "Checkpoint")):
        if not Path(file).is_file():
            shell.problem(UserError(f"{what} “{file}”: there is no such file; check the path."))
            st.stop()
    stamps = "-".join(str(Path(file).stat().st_mtime_ns) for file in (path, weights))
    key = f"own-model-{path}-{weights}-{stamps}"
    job = shell.jobs().start(key, "Checking the model", lambda job: _load(path, weights))
    if job.running:
        poll(key, lambda job: st.caption(":material/timer: Loading the model to check it …"))
        st.stop()
    if job.error:
        shell.problem(job.error)
        st.stop()
    st.caption(f":material/check_circle: {job.result}")


def _load(path: str, weights: str) -> str:
    """Load the model. → what it is, in a sentence; UserError when the files do not fit"""
    from ueo_core.models.backbones import load

    backbone = load(path, weights, "cpu")
    parameters = sum(p.numel() for p in backbone.model.parameters())
    return f"The checkpoint fits the config: {parameters / 1e6:,.1f} million parameters."
