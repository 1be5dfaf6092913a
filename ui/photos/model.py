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
from ui.common import shell
from ui.common.text import markdown

# The run beside which a model was chosen, its name and weights, and epochs or None; the state of widgets
# is lost when the page is left.
_CHOSEN = "photos.model"
_SHOWN = "photos.model.shown"  # the run whose model was put into the widgets


def settings(run: str | None) -> Settings:
    """The default settings of a model: that of a run, until another is chosen beside it.

    run: None where no run has these photos; then the model that was chosen last in this session.
    """
    chosen = st.session_state.get(_CHOSEN)
    if run is not None and (chosen is None or chosen[0] != run):
        own = shell.manager().folder(run).settings
        chosen = run, own.backbone, own.pretrained, own.epochs
    _, name, weights, epochs = chosen or (None, next(iter(DRAWINGS)), None, None)
    return presets.preset(DEFAULT_PRESET, name, epochs=epochs).changed(pretrained=weights)


def on_this_machine(settings: Settings) -> bool:
    """Whether the weights need no download."""
    name, weights = settings.backbone, settings.pretrained
    if not weights:  # its own: of a teaching model, a folder, or a name of the Hub
        return name in DRAWINGS or Path(name).is_dir() or name in cached_models()
    return Path(weights).is_file() or is_cached(name, weights)


def unsuited(dataset: Dataset, settings: Settings) -> bool:
    """Whether a Drawings model, which knows few words, is chosen for photos of one's own.

    The page then shows the way to a full-size CLIP, and that is its primary button.
    """
    return settings.backbone in DRAWINGS and dataset.ready and not dataset.is_sample


def choose(dataset: Dataset, chosen: Settings, run: str | None) -> None:
    """The model, to change in a drawer. Draw it last: it stops the page while a model does not fit.

    chosen, run: of `settings`.
    """
    poor, model = unsuited(dataset, chosen), (chosen.backbone, chosen.pretrained)
    with st.expander(
        f"Model: {markdown(Path(chosen.backbone).stem)}",
        icon=":material/memory:",
        expanded=poor,
        key=f"photos.model.{dataset.id}.{poor}",  # a known drawer would stay as it was
    ):
        if not adapt.has_backbone() or st.session_state.get(_SHOWN) != run:
            adapt.put_backbone(*model)
            st.session_state[_SHOWN] = run
        found = adapt.backbone(dataset)
        if found != model:
            st.session_state[_CHOSEN] = (run, *found, None)
            st.rerun()
        if run is not None:
            own = shell.manager().folder(run).settings
            if (own.backbone, own.pretrained) != model:
                st.caption(
                    f"The last run of these photos used {markdown(Path(own.backbone).stem)}; the next one "
                    "uses this model."
                )
        epochs = st.number_input(
            "Epochs",
            1,
            500,
            chosen.epochs,
            help="Passes over the photos. Fewer take less time, in proportion, and adapt less.",
        )
        if epochs != chosen.epochs:
            st.session_state[_CHOSEN] = (run, *model, epochs)
            st.rerun()
