"""The Inspect page: what adaptation changed, before beside after."""

from functools import lru_cache

import streamlit as st

from ueo_core.analysis.hand_estimates import judge_by_hand
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.config.methods import METHODS
from ueo_core.evaluation.metrics import evaluate
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ui.common import thumbs
from ui.common.text import escaped, markdown
from ui.common.verdict import inspection, judged, show_guard, show_verdict
from ui.inspect import (
    checkpoint,
    embedding_map,
    hand_labeling,
    image_card,
    state,
    threshold,
    trust_check,
)
from ui.inspect.classes import show_classes, show_confusion
from ui.inspect.gallery import show_gallery

SETS = {"holdout": "Test set", "pool": "Pool (adapted on)"}
STYLE = """<style>
.ueo-table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.ueo-table th, .ueo-table td { padding: 0.4rem 0.7rem; text-align: right;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.ueo-table th:first-child { text-align: left; font-weight: 500; }
.ueo-table thead th { font-weight: 650; }
.ueo-table td { white-space: nowrap; }
@media (max-width: 1200px) { .ueo-table { font-size: 0.88rem; } .ueo-table th, .ueo-table td { padding: 0.35rem 0.4rem; } }
.ueo-table .good { color: #009E73; font-weight: 650; }
.ueo-table .bad { color: #D55E00; font-weight: 650; }
</style>"""


def show(run: str) -> None:
    """Draw the page for a finished run. UserError if it is not finished."""
    final = inspection(run)
    st.html(thumbs.STYLE + STYLE)
    st.title(f"Inspect: {markdown(final.title)}")
    step, part_name, score = _choices(final)
    if not checkpoint.scored(run, step):
        return
    opened = inspection(run, step)
    part = opened.parts[part_name]
    _about(opened, part)
    by_hand = None if part.labeled else hand_labeling.estimates(opened, part, score)
    verdict = judged(opened, part.name, score)
    if by_hand:
        verdict = judge_by_hand(by_hand)
    show_verdict(verdict)
    if step == opened.final:
        show_guard(opened)
    if part.labeled:
        _figures(opened, part, score, verdict)
    elif by_hand:
        hand_labeling.table(by_hand, opened, score)
    if step == opened.final and not part.labeled:
        trust_check.headline(opened, part)
    _tabs(opened, part, score, verdict)
    if (image := st.session_state.pop("inspect.open", None)) is not None:
        image_card.dialog(opened, part, image)


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
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        chosen, names = final.default, list(final.parts)
        if len(names) > 1:
            chosen = st.segmented_control(
                "Images",
                names,
                format_func=SETS.get,
                default=final.default,
                required=True,
                key=f"inspect.{final.run}.set",
            )
        scores = SCORES
        score = st.selectbox(
            "Known/unknown score",
            list(scores),
            index=list(scores).index(DEFAULT_SCORE),
            key="inspect.score",
            width=340,
            format_func=lambda k: f"{scores[k].title} ({scores[k].temperature(final.logit_scale)})",
        )
        step = checkpoint.slider(final.run)
    return step, chosen, score


def _about(opened: Inspection, part: SetResult) -> None:
    about = f"{len(part):,} images"
    if part.labeled:
        about += f", {part.n_id:,} known (of {len(opened.classes)} classes), {part.n_ood:,} unknown"
    about += f" · {METHODS[opened.method].title}, {opened.final} steps"
    if opened.final < opened.steps:
        about += f" · stopped at step {opened.final} of {opened.steps}"
    if opened.step != opened.final:
        about += f" · **shown: the model after step {opened.step}, not the final one**"
    st.caption(about)


@lru_cache(maxsize=32)
def _metrics(opened: Inspection, part: str, score: str) -> dict[str, dict]:
    """All metrics of an image set, by side."""
    part = opened.parts[part]
    return {
        side: evaluate(cosines, part.truth, opened.classes, opened.logit_scale, score)
        for side, cosines in part.cosines.items()
    }


def _figures(opened: Inspection, part: SetResult, score: str, verdict) -> None:
    """The table of metrics, before beside after."""
    found = _metrics(opened, part.name, score)
    temperature = SCORES[score].temperature(opened.logit_scale)
    names = {
        "acc": "ACC, mean accuracy over the classes",
        "auc": f"AUC of known against unknown by {SCORES[score].title} ({temperature})",
        "hm": "HM, harmonic mean of ACC and AUC",
        "fpr95": "FPR95, unknown accepted at 95 % known accepted (lower is better)",
        "ece": "ECE, calibration error of the predictions (lower is better)",
    }
    rows = []
    for key, title in names.items():
        before, after = found["before"][key], found["after"][key]
        if after is None:
            continue
        lower_is_better = key in ("fpr95", "ece")
        compared = verdict.metrics.get(key)
        interval, kind = "", ""
        if compared:
            d = compared.difference
            interval = f"{d.low:+.1f} to {d.high:+.1f}"
            kind = {"better": "good", "worse": "bad", "same": ""}[compared.verdict]
        change = after - before
        arrow = "" if abs(change) < 0.05 else "▲ " if (change > 0) != lower_is_better else "▼ "
        rows.append(
            f"<tr><th>{escaped(title)}</th><td>{before:.1f} %</td><td>{after:.1f} %</td>"
            f'<td class="{kind}">{arrow}{change:+.1f}</td><td>{interval}</td></tr>'
        )
    st.html(
        '<table class="ueo-table"><thead><tr><th></th><th>Before</th><th>After</th><th>Difference</th>'
        f"<th>95 % interval</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
    st.caption(
        "▲ better, ▼ worse. Intervals: paired bootstrap of the images within each class, 1,000 samples; "
        "a difference whose interval contains 0 is not statistically significant."
    )
