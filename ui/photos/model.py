"""Which model predicts and is adapted, chosen without leaving the photos."""

from pathlib import Path

import streamlit as st

from ueo_core.config import presets
from ueo_core.config.presets import DEFAULT_PRESET
from ueo_core.config.settings import Settings
from ueo_core.models.catalog import DRAWINGS, is_cached
from ueo_core.models.hub_files import cached_models
from ueo_core.workspace.dataset import Dataset
from ui.adapt import page as adapt
from ui.common.text import markdown

# Name and weights, and epochs; the state of widgets is lost when the page is left.
_CHOSEN, _EPOCHS = "photos.model", "photos.epochs"


def settings() -> Settings:
    """The default settings of the model that was chosen last, with the epochs that were."""
    name, weights = st.session_state.get(_CHOSEN) or (next(iter(DRAWINGS)), None)
    epochs = st.session_state.get(_EPOCHS)
    return presets.preset(DEFAULT_PRESET, name, epochs=epochs).changed(pretrained=weights)


def on_this_machine(settings: Settings) -> bool:
    """Whether the weights need no download."""
    name, weights = settings.backbone, settings.pretrained
    if not weights:  # its own: of a teaching model, a folder, or a name of the Hub
        return name in DRAWINGS or Path(name).is_dir() or name in cached_models()
    return Path(weights).is_file() or is_cached(name, weights)


def unsuited(dataset: Dataset) -> bool:
    """Whether a Drawings model, which knows few words, is chosen for photos of one's own.

    The page then shows the way to a real CLIP, and that is its primary button.
    """
    return settings().backbone in DRAWINGS and dataset.ready and not dataset.is_sample


def choose(dataset: Dataset) -> None:
    """The model, to change in a drawer. Draw it last: it stops the page while a model does not fit."""
    chosen, poor = settings(), unsuited(dataset)
    with st.expander(
        f"Model: {markdown(Path(chosen.backbone).stem)}",
        icon=":material/memory:",
        expanded=poor,
        key=f"photos.model.{dataset.id}.{poor}",  # a known drawer would stay as it was
    ):
        found = adapt.backbone(dataset)
        if found != (chosen.backbone, chosen.pretrained):
            st.session_state[_CHOSEN] = found
            st.session_state.pop(_EPOCHS, None)
            st.rerun()
        epochs = st.number_input(
            "Epochs",
            1,
            500,
            chosen.epochs,
            help="Passes over the photos. Fewer take less time, in proportion, and adapt less.",
        )
        if epochs != chosen.epochs:
            st.session_state[_EPOCHS] = epochs
            st.rerun()
