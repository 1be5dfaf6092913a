"""Inspect: known against unknown. Histograms with a movable threshold, its effect, the ROC curve."""

import numpy as np
import streamlit as st

from ueo_core.analysis import histograms
from ueo_core.analysis.histograms import data_range
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.threshold_effect import (
    effect_rows,
    roc_points,
    threshold_at_tpr,
    threshold_effect,
)
from ueo_core.evaluation.metrics import OOD
from ueo_core.evaluation.ood_scores import SCORES
from ui.common import charts
from ui.common.learn_link import titled
from ui.common.text import escaped
from ui.common.threshold_chart import threshold_chart
from ui.inspect import state

SIDES = ("before", "after")


def show(opened: Inspection, part: SetResult, score: str, verdict) -> None:
    """Draw the section: both histograms, both thresholds, and their effect."""
    scores, now = part.scores(score), state.thresholds(opened, part, score)
    title = "Known against unknown" if part.labeled else "Does it contain unknown images?"
    titled(f"### {title}", "scores")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Set automatically",
            icon=":material/auto_awesome:",
            on_click=_set,
            args=(opened, part, score, state.automatic_thresholds(opened, score)),
            help="Unsupervised threshold (heuristic): where the two components of a Gaussian mixture, "
            "fitted to the pool's scores, cross.",
        )
        if part.n_id:
            at95 = {s: threshold_at_tpr(v, part.truth) for s, v in scores.items()}
            st.button(
                "Accept 95 % of the known",
                icon=":material/percent:",
                on_click=_set,
                args=(opened, part, score, at95),
                help="The highest threshold that accepts 95 % of the known images. Needs labels.",
            )
        same = st.toggle(
            "Use the same axis", key="inspect.same", help="Otherwise each axis spans its own data."
        )
    limits = data_range(np.concatenate(list(scores.values()))) if same else None
    found = {}
    for column, side in zip(st.columns(2, gap="large"), SIDES, strict=True):
        with column:
            found[side] = _side(opened, part, side, score, now[side], limits)
    _effects(part, scores, found, verdict)


def _set(opened, part, score: str, values: dict[str, float]) -> None:
    for side, value in values.items():
        state.set_threshold(opened, part, score, side, value)


def _side(opened, part, side, score, now: float, limits) -> float:
    values = part.scores(score)[side]
    groups = {"images": values}
    if part.labeled:
        groups = {"known": values[part.truth >= 0], "unknown": values[part.truth == OOD]}
        groups = {k: v for k, v in groups.items() if len(v)}
    low, high = limits or data_range(values)
    digits = histograms.digits(low, high)
    st.markdown(f"**{sides(opened)[side]}**")
    threshold = threshold_chart(
        groups,
        (low, high),
        now,
        f"inspect.{opened.run}.{part.name}.{score}.{side}",
        _title(score, opened.logit_scale),
        lambda value: state.set_threshold(opened, part, score, side, value),
        charts.AFTER if side == "after" else charts.BEFORE,
    )
    st.caption(
        f"Drag the line or the slider. Range shown: {low:.{digits}f} to {high:.{digits}f}, "
        f"{'the same on both sides' if limits else 'the data of this side'}."
    )
    return threshold


def sides(opened: Inspection) -> dict[str, str]:
    """The title of each side."""
    final = opened.step == opened.final
    return {
        "before": "Before (zero-shot)",
        "after": "After (adapted)" if final else f"After step {opened.step} of {opened.final}",
    }


def _title(score: str, scale: float) -> str:
    chosen = SCORES[score]
    return f"{chosen.title} ({chosen.temperature(scale)})"


def _effects(part, scores, thresholds, verdict) -> None:
    effects = {
        side: threshold_effect(scores[side], t, part.prediction[side], part.truth)
        for side, t in thresholds.items()
    }
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.markdown("**Effect of the thresholds**")
        st.html(_table(effects, len(part)))
        if not part.labeled:
            st.caption(
                "No labels, so the unknown images cannot be counted. The automatic threshold is a heuristic: "
                "the point where two normal distributions, fitted to the pool's scores, cross."
            )
    curves = {s: roc_points(v, part.truth) for s, v in scores.items()}
    if all(c is not None for c in curves.values()):
        with right:
            auc = verdict.metrics["auc"]
            of = {"before": auc.before, "after": auc.after}
            st.markdown("**ROC curve: images accepted as the threshold falls**")
            st.echarts_chart(
                charts.roc_chart(curves, {s: (e.fpr, e.tpr) for s, e in effects.items()}),
                key="inspect-roc",
                height=360,
                alt="ROC curves before and after adaptation.",
            )
            st.caption(
                " · ".join(
                    f"{side} ({'dashed gray, ■' if side == 'before' else 'blue, ●'}): AUC {i.value:.1f}, "
                    f"95 % interval {i.low:.1f} to {i.high:.1f}"
                    for side, i in of.items()
                )
            )


def _table(effects: dict, n: int) -> str:
    body = "".join(
        f"<tr><th>{escaped(name)}</th>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for name, row in effect_rows(effects, n)
    )
    return (
        '<table class="ueo-table"><thead><tr><th></th><th>Before</th><th>After</th></tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
