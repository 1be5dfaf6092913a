"""The Inspect page: what adaptation changed, before always beside after."""

import streamlit as st

import ueo_core as core
from ui import inspect_threshold, thumbs
from ui.inspect_classes import show_classes, show_confusion
from ui.inspect_gallery import show_gallery
from ui.plain import escaped, markdown
from ui.verdict import inspection, judged, show_verdict

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
    """Draw everything about a finished run; UserError when it is not finished."""
    opened = inspection(run)
    st.html(thumbs.STYLE + STYLE)
    st.title(f"Inspect: {markdown(opened.title)}")
    part, score = _choices(opened)
    verdict = judged(opened, part.name, score)
    show_verdict(verdict)
    if part.labelled:
        _figures(opened, part, score, verdict)
    thresholds = inspect_threshold.show(opened, part, score, verdict)
    if part.n_id:
        show_classes(opened, part)
        show_confusion(opened, part)
    show_gallery(opened, part, score, thresholds)


def _choices(opened: core.Inspection) -> tuple[core.Part, str]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = list(opened.parts)
        chosen = opened.default
        if len(names) > 1:
            chosen = st.segmented_control(
                "Images", names, format_func=SETS.get, default=opened.default, required=True,
                key=f"inspect.{opened.run}.set",
            )  # fmt: skip
        scores = core.SCORES
        score = st.selectbox(
            "Score of how known an image is",
            list(scores),
            index=list(scores).index(core.DEFAULT_SCORE),
            format_func=lambda k: (
                f"{scores[k].title} ({scores[k].temperature(opened.logit_scale)})"
            ),
            key="inspect.score",
            width=380,
        )
        part = opened.parts[chosen]
        about = f"{len(part):,} images"
        if part.labelled:
            about += f", {part.n_id:,} of the {len(opened.classes)} classes, {part.n_ood:,} of none"
        early = (
            f" · stopped at step {opened.step} of {opened.steps}"
            if opened.step < opened.steps
            else ""
        )
        st.caption(f"{about} · {core.METHODS[opened.method].title}, {opened.step} steps{early}")
    return part, score


def _figures(opened: core.Inspection, part: core.Part, score: str, verdict) -> None:
    """The headline metrics, before beside after."""
    found = {
        side: core.evaluate(cosines, part.truth, opened.classes, opened.logit_scale, score)
        for side, cosines in part.cosines.items()
    }
    temperature = core.SCORES[score].temperature(opened.logit_scale)
    names = {
        "acc": "ACC, mean accuracy of the classes",
        "auc": f"AUC, known against unknown by {core.SCORES[score].title} ({temperature})",
        "hm": "HM, harmonic mean of the two",
        "fpr95": "FPR95, unknown accepted where 95 % of the known are (lower is better)",
        "ece": "ECE, calibration error of the answers (lower is better)",
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
        "▲ is better, ▼ is worse. Intervals: paired bootstrap of the images within each class, 1,000 "
        "samples; a difference whose interval holds 0 may be chance."
    )
