"""The Inspect page: what adaptation changed, before beside after."""

import streamlit as st

from ueo_core.analysis.hand_estimates import judge_by_hand
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ui.common import thumbs
from ui.common.heading import run_heading
from ui.common.verdict import inspection, judged
from ui.inspect import (
    checkpoint,
    embedding_map,
    hand_labeling,
    image_card,
    state,
    summary,
    threshold,
    trust_check,
)
from ui.inspect.classes import show_classes, show_confusion
from ui.inspect.gallery import show_gallery

SETS = {"holdout": "Test set", "pool": "Pool"}
STYLE = """<style>
.ueo-table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.ueo-table th, .ueo-table td { padding: 0.4rem 0.7rem; text-align: right;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.ueo-table th:first-child { text-align: left; font-weight: 500; }
.ueo-table thead th { font-weight: 650; }
.ueo-table td { white-space: nowrap; }
@media (max-width: 1200px) { .ueo-table { font-size: 0.88rem; } .ueo-table th, .ueo-table td { padding: 0.35rem 0.4rem; } }
@media (max-width: 700px) { .ueo-table { display: block; overflow-x: auto; } }
.ueo-table .good { color: #009E73; font-weight: 650; }
.ueo-table .bad { color: #D55E00; font-weight: 650; }
</style>"""


def show(run: str) -> None:
    """Draw the page for a finished run. UserError if it is not finished."""
    final = inspection(run)
    st.html(thumbs.STYLE + STYLE)
    with st.container(gap="xsmall"):
        heading = st.empty()
        step, part_name, score = _choices(final)
        with heading:
            run_heading(final.title, "Inspect", _about(final, final.parts[part_name], step))
        if not checkpoint.scored(run, step):
            return
        opened = inspection(run, step)
        part = opened.parts[part_name]
        by_hand = None if part.labeled else hand_labeling.estimates(opened, part, score)
        verdict = judge_by_hand(by_hand) if by_hand else judged(opened, part.name, score)
        summary.show(opened, part, score, verdict, by_hand)
        if step == opened.final and not part.labeled:
            trust_check.headline(opened, part)
        _tabs(opened, part, score, verdict)
    if (image := st.session_state.pop("inspect.open", None)) is not None:
        image_card.dialog(opened, part, image, score)


def _tabs(opened: Inspection, part: SetResult, score: str, verdict) -> None:
    """The sections; only the open one is computed and drawn."""
    sections = {
        "Known or unknown": lambda: threshold.show(opened, part, score, verdict),
        "Classes": lambda: _classes(opened, part),
        state.MAP: lambda: embedding_map.show(opened, part, score),
        "Images": lambda: show_gallery(opened, part, score),
        trust_check.TAB: lambda: trust_check.show(opened, part),
        "Label a few": lambda: hand_labeling.show(opened, part, score),
    }
    if not part.n_id:
        del sections["Classes"]
    if part.labeled:
        del sections[trust_check.TAB], sections["Label a few"]
    if (wanted := st.session_state.pop("inspect.go", None)) in sections:
        st.session_state[state.TAB] = wanted
    for name, tab in zip(
        sections, st.tabs(list(sections), on_change="rerun", key=state.TAB), strict=True
    ):
        if tab.open:
            with tab:
                sections[name]()


def _classes(opened: Inspection, part: SetResult) -> None:
    show_classes(opened, part)
    show_confusion(opened, part)


def _choices(final: Inspection) -> tuple[int, str, str]:
    """→ the step whose model is "after", the image set, the score"""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        chosen, names = final.default, list(final.parts)
        if len(names) > 1:
            chosen = st.segmented_control(
                "Images",
                names,
                format_func=SETS.get,
                default=final.default,
                required=True,
                width="content",
                label_visibility="collapsed",
                key=f"inspect.{final.run}.set",
            )
        scores = SCORES
        score = st.selectbox(
            "Known/unknown score",
            list(scores),
            index=list(scores).index(DEFAULT_SCORE),
            key="inspect.score",
            width=250,
            label_visibility="collapsed",
            format_func=lambda k: f"{scores[k].title} ({scores[k].temperature(final.logit_scale)})",
        )
        step = checkpoint.slider(final.run)
    return step, chosen, score


def _about(final: Inspection, part: SetResult, step: int) -> str:
    """The number of images and steps, as Markdown."""
    about = f"{len(part):,} images"
    if part.labeled:
        about += f", {part.n_id:,} known (of {len(final.classes)} classes), {part.n_ood:,} unknown"
    about += f" · {final.final} steps"
    if final.final < final.steps:
        about += f" (stopped early, of {final.steps})"
    if step != final.final:
        about += f" · **shown: the model after step {step}, not the final one**"
    return about
