"""Inspect: one image with the predictions of both models."""

import base64
from functools import lru_cache

import streamlit as st

from ueo_core.analysis import histograms
from ueo_core.analysis.image_selections import best_predictions, truth_sentence
from ueo_core.analysis.preview import picture_jpeg
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.utils.errors import UserError
from ui.common import thumbs
from ui.common.text import escaped, markdown
from ui.inspect import state

BEST = 5  # predictions shown
_STYLE = """<style>
.ueo-big img { max-width: 100%; max-height: 22rem; min-width: min(100%, 16rem); border-radius: 0.5rem; display: block; }
.ueo-big .gone { opacity: 0.6; }
.ueo-bars { display: grid; grid-template-columns: minmax(5rem, max-content) 1fr 3.4rem; gap: 0.25rem 0.6rem;
  align-items: center; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.ueo-bars i { display: block; height: 0.7rem; border-radius: 0.2rem; min-width: 2px; }
.ueo-bars .right::before { content: "✓ "; color: #009E73; font-weight: 700; }
</style>"""


@lru_cache(maxsize=64)
def _jpeg(store: str, set_id: str, index: int) -> bytes:
    return picture_jpeg({"store": store, "set": set_id}, index)


def picture(reference: dict, index: int) -> None:
    """The image, or a sentence if it has been deleted."""
    try:
        data = base64.b64encode(_jpeg(reference["store"], reference["set"], index)).decode()
        body = f'<img alt="{escaped(thumbs.name(reference, index))}" src="data:image/jpeg;base64,{data}">'
    except UserError:
        body = '<div class="gone">This image has been deleted from the store.</div>'
    st.html(f'{_STYLE}<div class="ueo-big">{body}</div>')


def predictions(opened: Inspection, part: SetResult, index: int) -> None:
    """The top predictions before and after, as bars of the probability at the logit scale."""
    for side, color in (("before", "#8797A8"), ("after", "#0072B2")):
        best = best_predictions(part, side, index, BEST)
        rows = "".join(
            f'<span class="{"right" if c == part.truth[index] else ""}">{escaped(opened.classes[c])}</span>'
            f'<i style="width: {100 * p:.1f}%; background: {color}"></i><span>{100 * p:.0f} %</span>'
            for c, p in best
        )
        st.html(f'{_STYLE}<b>{side.capitalize()}</b><div class="ueo-bars">{rows}</div>')
    truth = int(part.truth[index])
    st.caption(
        f"{markdown(truth_sentence(truth, opened.classes))} Probabilities: softmax of the logits × {opened.logit_scale:.4g}."
    )


def show(opened: Inspection, part: SetResult, index: int, score: str) -> None:
    """Image and predictions side by side, and what is decided of the image."""
    st.markdown(f"**{markdown(thumbs.name(part.reference, index) or f'image {index}')}**")
    left, right = st.columns([1, 1], gap="medium")
    with left:
        picture(part.reference, index)
    with right:
        predictions(opened, part, index)
        _decided(opened, part, index, score)


def _decided(opened: Inspection, part: SetResult, index: int, score: str) -> None:
    values, limits = part.scores(score), state.thresholds(opened, part, score)
    value, limit = float(values["after"][index]), limits["after"]
    digits = histograms.digits(*histograms.data_range(values["after"]))
    name = opened.classes[part.prediction["after"][index]]
    decided = f"**{markdown(name)}**" if value >= limit else "**unknown**"
    sign = "at or above" if value >= limit else "below"
    st.caption(
        f"Decided: {decided}; its {SCORES[score].title} score {value:.{digits}f} is {sign} the threshold "
        f"{limit:.{digits}f}."
    )


@st.dialog("Image", width="medium")
def dialog(opened: Inspection, part: SetResult, index: int, score: str) -> None:
    """The image in a dialog, with a button that shows it on the map."""
    show(opened, part, index, score)
    if st.button("Show on the map", icon=":material/scatter_plot:", key="inspect.to-map"):
        state.select_image(opened, part, index)
        st.session_state["inspect.go"] = state.MAP  # the tabs are drawn already
        st.rerun()
