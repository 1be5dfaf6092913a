"""My own model: an open_clip config and a checkpoint, or a model of the Hugging Face Hub; checked at once."""

from pathlib import Path

import streamlit as st

from ueo_core.models.hub_files import HUB_NAME, cached_models
from ueo_core.utils.errors import UserError
from ui.common import shell
from ui.common.job_progress import poll

CONFIG, CHECKPOINT = "adapt.own.config", "adapt.own.checkpoint"
_PICKED = "adapt.own.cached"
KEPT = "ueo.own-model"  # both paths; the state of widgets is lost when the page is left


def config() -> str:
    """The path of the config as it was last given; empty if there is none."""
    return st.session_state.get(KEPT, ("", ""))[0]


def is_own(name: str) -> bool:
    """Whether a backbone is a config, a folder, or a model of the Hub: none that open_clip lists."""
    return name.startswith(HUB_NAME) or Path(name).exists()


def put(path: str, weights: str | None) -> None:
    """Put a model into the two fields, before they are drawn."""
    st.session_state[CONFIG], st.session_state[CHECKPOINT] = path, weights or ""


def choose() -> tuple[str, str | None]:
    """The two fields, and what the check finds. → config, folder or name, and checkpoint.

    The page stops until they fit. A folder and a name of the Hub have weights of their own: None.
    """
    kept = st.session_state.get(KEPT, ("", ""))
    for key, value in zip((CONFIG, CHECKPOINT), kept, strict=True):
        st.session_state.setdefault(key, value)
    if cached := _cached():
        st.pills(
            "On this machine, from the Hugging Face Hub",
            cached,
            format_func=lambda name: name.removeprefix(HUB_NAME),
            key=_PICKED,
            on_change=_take_cached,
        )
    # Side by side where there is room: on Photos the column is narrow.
    fields = st.grid(2, min_column_width=230)
    path = fields.text_input(
        "Config or folder of the model",
        key=CONFIG,
        placeholder="/path/to/model.json",
        help="An open_clip model config (.json), the folder of a model as the Hugging Face Hub has it (open_clip's "
        "layout, or Transformers' CLIP and SigLIP), or its name: hf-hub:owner/name.",
    )
    weights = fields.text_input(
        "Checkpoint",
        key=CHECKPOINT,
        placeholder="/path/to/model.safetensors",
        help="Its weights: safetensors, or a file that torch loads with weights_only. A folder has its own.",
    )
    path, weights = path.strip(), weights.strip()
    path = path if path.startswith(HUB_NAME) else str(Path(path).expanduser()) if path else ""
    weights = str(Path(weights).expanduser()) if weights else ""
    _check_files(path, weights)
    if not path or not (weights or _whole(path)):
        st.caption(
            "Give a config and a checkpoint, or a folder; they are checked at once and stay where they are."
        )
        st.stop()
    _check(path, weights)
    st.session_state[KEPT] = path, weights
    return path, weights or None


@st.cache_data(ttl=60, show_spinner=False)
def _cached() -> list[str]:
    return cached_models()


def _take_cached() -> None:
    if picked := st.session_state[_PICKED]:
        st.session_state[CONFIG], st.session_state[CHECKPOINT] = picked, ""


def _check_files(path: str, weights: str) -> None:
    """Stop the page at a file that is not there, also while the other field is empty."""
    given = "" if _whole(path) else path
    for file, what in ((given, "Config"), (weights, "Checkpoint")):
        if file and not Path(file).is_file():
            shell.problem(UserError(f"{what} “{file}”: there is no such file; check the path."))
            st.stop()


def _check(path: str, weights: str) -> None:
    """Load the model once for every version of its files; the page stops while it does not fit."""
    stamps = "-".join(str(_changed(file)) for file in (path, weights))
    key = f"own-model-{path}-{weights}-{stamps}"
    job = shell.jobs().start(key, "Checking the model", lambda job: _load(path, weights))
    if job.running:
        poll(key, lambda job: st.caption(":material/timer: Loading the model to check it …"))
        st.stop()
    if job.error:
        shell.problem(job.error)
        st.stop()
    st.caption(f":material/check_circle: {job.result}")


def _whole(path: str) -> bool:
    """Whether a model has weights of its own: a folder, or a name of the Hub."""
    return path.startswith(HUB_NAME) or Path(path).is_dir()


def _load(path: str, weights: str) -> str:
    """Load the model. → what it is, in a sentence; UserError when the files do not fit"""
    from ueo_core.models.backbones import load

    backbone = load(path, weights or None, "cpu")
    parameters = sum(p.numel() for p in backbone.model.parameters())
    return f"The weights fit the model: {parameters / 1e6:,.1f} million parameters."


def _changed(file: str) -> int:
    """When a file or folder was changed last; 0 for a name of the Hub."""
    return Path(file).stat().st_mtime_ns if file and Path(file).exists() else 0
