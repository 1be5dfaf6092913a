"""Inspect: the gallery. Pages of thumbnails, each with its answer before and after."""

import math

import streamlit as st

import ueo_core as core
from ui import thumbs
from ui.plain import escaped

A_PAGE = 24


def show_gallery(opened: core.Inspection, part: core.Part, score: str, thresholds: dict) -> None:
    """Choose which images to look at, and look at them page by page."""
    st.subheader("The images")
    allowed = core.gallery_views(part)
    left, right = st.columns([3, 1], gap="large", vertical_alignment="bottom")
    with left:
        chosen = st.segmented_control(
            "Show", list(allowed), format_func=lambda k: allowed[k].title, default="unknown",
            required=True, key=f"inspect.view.{part.labelled}", wrap=True,
        )  # fmt: skip
    with right:
        answer = st.selectbox(
            "Answer after adaptation", [None, *range(len(opened.classes))],
            format_func=lambda i: "every class" if i is None else opened.classes[i],
            key="inspect.class",
        )  # fmt: skip
    found = allowed[chosen].pick(part, part.scores(score), thresholds)
    if answer is not None:
        found = found[part.answer["after"][found] == answer]
    st.caption(f"{len(found):,} of {len(part):,} images. {allowed[chosen].about}")
    wall(opened, part, found, f"inspect.wall.{part.name}.{chosen}.{answer}", part.scores(score))


def wall(opened, part, found, key: str, scores: dict | None = None) -> None:
    """One page of thumbnails of the images `found`, and the pager."""
    if not len(found):
        st.caption("No image is like that.")
        return
    pages = math.ceil(len(found) / A_PAGE)
    page = st.pagination(pages, key=f"{key}.page") if pages > 1 else 1
    start = A_PAGE * (min(page, pages) - 1)
    cards = [_card(opened, part, int(i), scores) for i in found[start : start + A_PAGE]]
    st.html(thumbs.strip(cards))


def _card(opened: core.Inspection, part: core.Part, i: int, scores: dict | None) -> str:
    before, after = (opened.classes[part.answer[s][i]] for s in ("before", "after"))
    sure = {s: f"{100 * part.confidence[s][i]:.0f} %" for s in ("before", "after")}
    truth = int(part.truth[i])
    # An unknown image has no right answer among the classes: neither tick nor cross.
    kind = "" if truth < 0 else "good" if part.answer["after"][i] == truth else "bad"
    lines = [f'<span class="tag {kind}">{escaped(after)}</span> {sure["after"]}']
    lines.append(f'<span class="was">before: {escaped(before)} {sure["before"]}</span>')
    if truth == core.OOD:
        lines.append("<i>is none of the classes</i>")
    elif truth >= 0 and kind == "bad":
        lines.append(f"<i>is {escaped(opened.classes[truth])}</i>")
    if scores is not None:
        lines.append(f'<span class="was">score {scores["after"][i]:.5g}</span>')
    return thumbs.card(part.reference, i, lines, before != after)
