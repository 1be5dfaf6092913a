"""Inspect: the images as thumbnails, each with its prediction before and after."""

from dataclasses import dataclass

import streamlit as st

from ueo_core.analysis.histograms import data_range, score_digits
from ueo_core.analysis.image_selections import gallery_views
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.selection_csv import selection_csv
from ueo_core.evaluation.metrics import OOD
from ui.common import thumbs
from ui.common.image_grid import SHARP, selectable_grid, size_slider, thumb_size
from ui.common.text import escaped
from ui.inspect import state


def show_gallery(opened: Inspection, part: SetResult, score: str) -> None:
    """Filter the images, and show them page by page."""
    allowed = gallery_views(part)
    chosen = st.segmented_control(
        "Show",
        list(allowed),
        format_func=lambda k: allowed[k].title,
        default="unknown",
        required=True,
        key=f"inspect.view.{part.labeled}",
        wrap=True,
        label_visibility="collapsed",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        prediction = st.selectbox(
            "Prediction after adaptation",
            [None, *range(len(opened.classes))],
            format_func=lambda i: "All classes" if i is None else opened.classes[i],
            key="inspect.class",
            width=220,
        )
        size_slider("inspect.size")
        place = st.container(width="content")
    scores = part.scores(score)
    found = allowed[chosen].pick(part, scores, state.thresholds(opened, part, score))
    if prediction is not None:
        found = found[part.prediction["after"][found] == prediction]
    if len(found):
        with place:
            download(opened, part, found, score, "inspect.gallery.csv")
    st.caption(
        f"{len(found):,} of {len(part):,} images. {allowed[chosen].about} {_legend(part)} Click an "
        "image to enlarge it."
    )
    image_grid(opened, part, found, f"inspect.images.{part.name}.{chosen}.{prediction}", score)


def _legend(part: SetResult) -> str:
    """What frames and signs of the cards mean."""
    marks = " ✓ right, ✗ wrong." if part.labeled else ""
    return (
        "Dashed frame: another prediction than before. “unknown”: the score is below the threshold of "
        f"its side.{marks}"
    )


def download(opened, part, images, score: str, key: str) -> None:
    """A button that downloads the selected images' predictions as CSV."""
    names = thumbs.names(part.reference) or [f"image {i}" for i in range(len(part))]
    st.download_button(
        "Download CSV",
        icon=":material/download:",
        file_name=f"{opened.run}-{part.name}-selection.csv",
        mime="text/csv",
        key=key,
        help="Paths, predictions, confidences and scores of these images.",
        data=lambda: selection_csv(part, names, images, opened.classes, score),
    )


def image_grid(opened, part, images, key: str, score: str | None = None, on_select=None) -> None:
    """A grid of images of the set; a click opens one, unless `on_select` does something else.

    score: decides, with its threshold, which images are unknown; None: the predictions alone.
    """
    decided = Decisions.of(opened, part, score) if score else None
    selectable_grid(
        images,
        lambda i: _card(opened, part, i, decided),
        key,
        on_select or _open,
        state.selected_image(opened, part),
    )


def _open(image: int) -> None:
    st.session_state["inspect.open"] = image


@dataclass(frozen=True)
class Decisions:
    """The scores of a set with the thresholds as they are now."""

    scores: dict  # side → (N,)
    limits: dict[str, float]  # by side
    digits: int

    @classmethod
    def of(cls, opened: Inspection, part: SetResult, score: str) -> "Decisions":
        scores = part.scores(score)
        digits = score_digits(*data_range(scores["after"]))
        return cls(scores, state.thresholds(opened, part, score), digits)

    def unknown(self, side: str, i: int) -> bool:
        return bool(self.scores[side][i] < self.limits[side])


def _card(opened: Inspection, part: SetResult, i: int, decided: Decisions | None) -> str:
    before, after = (opened.classes[part.prediction[s][i]] for s in ("before", "after"))
    confidence = {s: float(part.confidence[s][i]) for s in ("before", "after")}
    unknown = {s: decided is not None and decided.unknown(s, i) for s in confidence}
    truth = int(part.truth[i])
    kind = _kind(part, i, unknown["after"], decided is not None)
    lines = thumbs.decision(after, confidence["after"], unknown["after"], kind)
    was = f"{escaped(before)} {100 * confidence['before']:.0f}&nbsp;%"
    was = f"unknown ({was})" if unknown["before"] else was
    lines.append(f'<span class="was">before: {was}</span>')
    if truth == OOD:
        lines.append("<i>true class: none (unknown)</i>")
    elif truth >= 0 and kind == "bad":
        lines.append(f"<i>true class: {escaped(opened.classes[truth])}</i>")
    if decided is not None:
        lines.append(
            f'<span class="was">score {decided.scores["after"][i]:.{decided.digits}f}</span>'
        )
    return thumbs.card(part.reference, i, lines, before != after, thumb_size() > SHARP)


def _kind(part: SetResult, i: int, unknown: bool, decides: bool) -> str:
    """Whether what is decided is right; neither without a label."""
    truth = int(part.truth[i])
    if truth == OOD:  # without a threshold, no class is right for an unknown image
        return ("good" if unknown else "bad") if decides else ""
    if truth < 0:
        return ""
    return "good" if part.prediction["after"][i] == truth and not unknown else "bad"
