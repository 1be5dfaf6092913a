"""Inspect: the images as thumbnails, each with its prediction before and after."""

import streamlit as st

from ueo_core.analysis.image_selections import gallery_views
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.selection_csv import selection_csv
from ueo_core.evaluation.metrics import OOD
from ui.common import thumbs
from ui.common.image_grid import selectable_grid
from ui.common.text import escaped
from ui.inspect import state


def show_gallery(opened: Inspection, part: SetResult, score: str) -> None:
    """Filter the images, and show them page by page."""
    allowed = gallery_views(part)
    left, right = st.columns([3, 1], gap="large", vertical_alignment="bottom")
    with left:
        chosen = st.segmented_control(
            "Show",
            list(allowed),
            format_func=lambda k: allowed[k].title,
            default="unknown",
            required=True,
            key=f"inspect.view.{part.labeled}",
            wrap=True,
        )
    with right:
        prediction = st.selectbox(
            "Prediction after adaptation",
            [None, *range(len(opened.classes))],
            format_func=lambda i: "All classes" if i is None else opened.classes[i],
            key="inspect.class",
        )
    scores = part.scores(score)
    found = allowed[chosen].pick(part, scores, state.thresholds(opened, part, score))
    if prediction is not None:
        found = found[part.prediction["after"][found] == prediction]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{len(found):,} of {len(part):,} images. {allowed[chosen].about} Click an image to enlarge it."
        )
        if len(found):
            download(opened, part, found, score, "inspect.gallery.csv")
    image_grid(opened, part, found, f"inspect.images.{part.name}.{chosen}.{prediction}", scores)


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


def image_grid(opened, part, images, key: str, scores: dict | None = None, on_select=None) -> None:
    """A grid of images of the set; a click opens one, unless `on_select` does something else."""
    selectable_grid(
        images,
        lambda i: _card(opened, part, i, scores),
        key,
        on_select or _open,
        state.selected_image(opened, part),
    )


def _open(image: int) -> None:
    st.session_state["inspect.open"] = image


def _card(opened: Inspection, part: SetResult, i: int, scores: dict | None) -> str:
    before, after = (opened.classes[part.prediction[s][i]] for s in ("before", "after"))
    confidence = {s: f"{100 * part.confidence[s][i]:.0f} %" for s in ("before", "after")}
    truth = int(part.truth[i])
    # No class is right for an unknown image: neither tick nor cross.
    kind = "" if truth < 0 else "good" if part.prediction["after"][i] == truth else "bad"
    lines = [f'<span class="tag {kind}">{escaped(after)}</span> {confidence["after"]}']
    lines.append(f'<span class="was">before: {escaped(before)} {confidence["before"]}</span>')
    if truth == OOD:
        lines.append("<i>true class: none (unknown)</i>")
    elif truth >= 0 and kind == "bad":
        lines.append(f"<i>true class: {escaped(opened.classes[truth])}</i>")
    if scores is not None:
        lines.append(f'<span class="was">score {scores["after"][i]:.5g}</span>')
    return thumbs.card(part.reference, i, lines, before != after)
