"""Inspect in one look: the verdict in a line, four numbers, and the details behind a button."""

from functools import lru_cache

import streamlit as st

from ueo_core.analysis import summary_tiles
from ueo_core.analysis.hand_estimates import Estimates
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.summary_tiles import Tile
from ueo_core.analysis.verdict import Verdict, resamples_of
from ueo_core.evaluation.ood_scores import SCORES
from ui.common.learn_link import why
from ui.common.text import escaped, markdown
from ui.common.verdict import BOXES, show_guard
from ui.inspect import state

STYLE = """<style>
.ueo-tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 0.6rem;
  font-variant-numeric: tabular-nums; }
.ueo-tiles > div { border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 0.5rem;
  padding: 0.3rem 0.6rem 0.4rem; line-height: 1.3; min-width: 0; }
.ueo-tiles span { display: block; font-size: 0.8rem; opacity: 0.75; }
.ueo-tiles b { font-size: 1.45rem; font-weight: 650; white-space: nowrap; }
.ueo-tiles b + small { margin-left: 0.4rem; opacity: 0.75; font-size: 0.8rem; white-space: nowrap; }
.ueo-tiles .note { font-size: 0.8rem; opacity: 0.9; }
.ueo-tiles .good { color: #009E73; font-weight: 650; opacity: 1; }
.ueo-tiles .bad { color: #D55E00; font-weight: 650; opacity: 1; }
@media (max-width: 700px) {
  .ueo-tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .ueo-tiles b + small { display: block; margin: 0; }
}
.st-key-inspect-verdict [data-testid="stAlert"] { min-width: 15rem; }
.st-key-inspect-verdict [data-testid="stAlertContainer"] { padding: 0.45rem 0.8rem; }
</style>"""
FURTHER = {  # metric → its definition; those that the tiles do not show
    "fpr95": "FPR95, unknown accepted at 95 % known accepted (lower is better)",
    "ece": "ECE, calibration error of the predictions (lower is better)",
}


def show(
    opened: Inspection, part: SetResult, score: str, verdict: Verdict, by_hand: Estimates | None
) -> None:
    """The line, the tiles, and a button that opens the details."""
    box, icon = BOXES[verdict.kind]
    with st.container(horizontal=True, vertical_alignment="center", key="inspect-verdict"):
        box(f"**{markdown(verdict.summary)}**", icon=icon, width="stretch")
        with st.popover("Details", icon=":material/info:", key="inspect.details"):
            _details(opened, part, score, verdict, by_hand)
    if opened.guard and opened.guard["share"] < 1 and opened.step == opened.final:
        show_guard(opened)
    _tiles(_of(opened, part, score, verdict, by_hand))


def _of(opened, part, score: str, verdict: Verdict, by_hand: Estimates | None) -> list[Tile]:
    if by_hand:
        return summary_tiles.estimated(by_hand)
    if part.labeled:
        return summary_tiles.measured(verdict, len(set(part.truth[part.truth >= 0].tolist())))
    limits = state.automatic_thresholds(opened, score)
    return summary_tiles.unlabeled(opened, part, score, limits)


def _tiles(tiles: list[Tile]) -> None:
    body = "".join(
        f'<div title="{escaped(t.about)}"><span>{escaped(t.title)}</span><b>{escaped(t.value)}</b>'
        + (f"<small>before {escaped(t.before)}</small>" if t.before else "")
        + f'<div class="note {t.kind}">{_arrow(t)}{escaped(t.note)}</div></div>'
        for t in tiles
    )
    st.html(f'{STYLE}<div class="ueo-tiles">{body}</div>')


def _arrow(tile: Tile) -> str:
    """A sign that repeats the color."""
    if not tile.before:
        return ""
    return {"good": "▲ ", "bad": "▼ "}.get(tile.kind, "")


def _details(opened, part, score: str, verdict: Verdict, by_hand: Estimates | None) -> None:
    if part.labeled:
        st.caption(
            "“Before” is always the zero-shot model. The result of a run is its final model: choosing the "
            "best checkpoint by these labels would overestimate it."
        )
    if verdict.notes:
        st.markdown("\n".join(f"- {markdown(s)}" for s in verdict.notes))
    if part.labeled:
        _further(opened, part, score)
        st.caption(
            f"ACC: mean accuracy over the classes; AUC: known against unknown by {SCORES[score].title} "
            f"({SCORES[score].temperature(opened.logit_scale)}); HM: their harmonic mean. ▲ better, "
            "▼ worse. In parentheses: 95 % interval of the difference, by a paired bootstrap of the images "
            f"within each class, {resamples_of(len(part)):,} samples; a difference whose interval contains 0 is not "
            "statistically significant."
        )
    elif by_hand:
        unclear = (
            f"; {by_hand.unclear} marked “Cannot tell” are left out" if by_hand.unclear else ""
        )
        known = f"From {by_hand.n} labels, {by_hand.n_known} of them known{unclear}."
        st.markdown("\n".join(f"- {markdown(s)}" for s in (known, *verdict.sentences)))
        st.caption(
            "95 % intervals: Clopper and Pearson for shares, Newcombe for the AUC; every label is "
            "weighted by its stratum of the score."
        )
    if opened.guard and opened.guard["share"] == 1 and opened.step == opened.final:
        show_guard(opened)
    if verdict.kind in ("worse", "mixed"):
        why("failure", "When does adaptation fail?")


@lru_cache(maxsize=32)
def _metrics(opened: Inspection, part: str, score: str) -> dict[str, dict]:
    """All metrics of an image set, by side."""
    return opened.parts[part].metrics(score, opened.classes)


def _further(opened: Inspection, part: SetResult, score: str) -> None:
    """The metrics that have no tile, before beside after."""
    found = _metrics(opened, part.name, score)
    body = "".join(
        f"<tr><th>{escaped(title)}</th><td>{found['before'][key]:.1f} %</td>"
        f"<td>{found['after'][key]:.1f} %</td></tr>"
        for key, title in FURTHER.items()
        if found["after"][key] is not None
    )
    if body:
        st.html(
            '<table class="ueo-table"><thead><tr><th></th><th>Before</th><th>After</th></tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )
