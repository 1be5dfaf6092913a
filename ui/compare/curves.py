"""Compare: the curves of all runs in the same charts."""

from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from ueo_core.analysis import compare, compare_curves
from ueo_core.analysis.compare import ComparedRun, groups
from ueo_core.analysis.compare_curves import CURVES
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import read_snapshot
from ui.common import charts
from ui.common.shell import manager
from ui.common.text import escaped

# Okabe and Ito's colors; a dash and a symbol tell the lines apart without color.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8797A8")
DASHES = ("solid", [8, 4], [2, 3], [12, 3, 2, 3], [5, 2])
SYMBOLS = ("circle", "triangle", "rect", "diamond", "roundRect")
SHOWN_FIRST = ("Loss", "ACC", "AUC", "HM", "Same prediction")  # the default selection

STYLE = """<style>
.ueo-legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1.4rem; font-size: 0.9rem; }
.ueo-legend span { display: inline-flex; align-items: center; gap: 0.45rem; }
.ueo-legend i { width: 40px; height: 3px; }
</style>"""


def show(opened: Sequence[ComparedRun]) -> None:
    """A chart per metric, a line per run; the seeds of a group share a style."""
    st.subheader("Curves")
    found = {
        c.run: _curves(str(manager().folder(c.run).path), c.step, len(c.classes)) for c in opened
    }
    available = [k for k in CURVES if any(k in curves for curves in found.values())]
    if not available:
        st.caption("These runs have no recorded events, so there are no curves.")
        return
    default = [k for k in SHOWN_FIRST if k in available][:4]
    chosen = st.pills(
        "Show",
        available,
        selection_mode="multi",
        default=default,
        key=f"compare.curves.{'ACC' in available}",
    )
    styles = _styles(opened)
    names = compare.names(opened)
    st.html(f'{STYLE}<div class="ueo-legend">{_legend(opened, names, styles)}</div>')
    for pair in (chosen[i : i + 2] for i in range(0, len(chosen), 2)):
        for column, name in zip(st.columns(2, gap="medium"), pair, strict=False):
            with column:
                _chart(name, found, styles, compare.labels(opened))
    probed = any("ACC" in c or "Same prediction" in c for c in found.values())
    st.caption(
        "Horizontal axis: training step. Loss and entropies are those of each batch"
        + (
            "; the others are measured after every epoch on a fixed sample of up to 256 images."
            if probed
            else "."
        )
    )


def _chart(name: str, found: dict, styles: dict, labels: dict[str, str]) -> None:
    unit, about = CURVES[name]
    lines = [
        charts.line(
            labels[run],
            curves[name],
            color,
            dash=dash,
            symbol=symbol,
            width=2,
            showSymbol=len(curves[name]) < 30,
        )
        for run, curves in found.items()
        if name in curves
        for color, dash, symbol in [styles[run]]
    ]
    st.markdown(f"**{name}**: {about}")
    st.echarts_chart(
        charts.frame(
            xAxis=charts.axis("step", min=0, minInterval=1),
            yAxis=charts.axis(unit, vertical=True, scale=True),
            series=lines,
            legend={"show": False},
            grid={"left": 8, "right": 16, "top": 30, "bottom": 26, "containLabel": True},
            tooltip={"trigger": "axis", "confine": True, "valueFormatter": "%.2f"},
        ),
        key=f"compare-curve-{name}",
        height=260,
        alt=f"{name} of all runs by step.",
    )


def _styles(opened: Sequence[ComparedRun]) -> dict[str, tuple]:
    """Color, dash and symbol of every run; the same for the seeds of one group."""
    return {
        c.run: (COLORS[i % len(COLORS)], DASHES[i % len(DASHES)], SYMBOLS[i % len(SYMBOLS)])
        for i, group in enumerate(groups(opened))
        for c in group
    }


def _legend(opened: Sequence[ComparedRun], names: dict[str, str], styles: dict) -> str:
    found = []
    for group in groups(opened):
        color, dash, _ = styles[group[0].run]
        seeds = f" ({len(group)} runs)" if len(group) > 1 else ""
        found.append(
            f'<span><i style="background: {_pattern(color, dash)}"></i>'
            f"{escaped(names[group[0].run])}{seeds}</span>"
        )
    return "".join(found)


def _pattern(color: str, dash: str | list[int]) -> str:
    """A chart's dash as a CSS background, for the legend."""
    if dash == "solid":
        return color
    stops, at = [], 0
    for i, width in enumerate(dash):
        paint = "transparent" if i % 2 else color
        stops.append(f"{paint} {at}px {at + width}px")
        at += width
    return f"repeating-linear-gradient(90deg, {', '.join(stops)})"


@lru_cache(maxsize=32)  # step: after training longer, the curves are new
def _curves(path: str, step: int, classes: int) -> dict:
    return compare_curves.curves(read_snapshot(RunFolder(path)), classes)
