"""A protocol's results: the table of methods by category shift, the bars, and downloads."""

from collections.abc import Sequence

import streamlit as st

from ueo_core.config.methods import METHODS, VARIANTS
from ueo_core.protocol.tables import LOWER_IS_BETTER, csv_text, markdown, summary
from ueo_core.workspace.study import Study, differences_from
from ui.common.text import escaped
from ui.compare import protocol_bars

METRICS = {
    "hm": "HM",
    "acc": "ACC",
    "auc": "AUC",
    "fpr95": "FPR95",
    "ece": "ECE",
    "pool_hm": "HM on the pool",
}
BARS = ("acc", "auc", "hm")


def show(study: Study, rows: Sequence[dict]) -> None:
    """The results so far."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.segmented_control(
            "Metric",
            list(METRICS),
            format_func=METRICS.get,
            default="hm",
            required=True,
            key="protocol.metric",
        )
        gain = any(r["method"] == "zero-shot" for r in rows) and st.toggle(
            "Show the gain over zero-shot",
            key="protocol.gain",
            help="The difference at the same category shift and seed, in points.",
        )
        st.space("stretch")
        _downloads(study, rows)
    entries = summary(differences_from(rows, "zero-shot") if gain else rows)
    st.html(_table(entries, metric, gain, _least_gains(rows)))
    there = dict.fromkeys(e["method"] for e in entries)
    own = [METHODS[m].title for m in there if m in METHODS and METHODS[m].own_score]
    own_score = f"; of {', '.join(own)} by the method's own score" if own else ""
    unit = "percentage points above zero-shot" if gain else "percent"
    st.caption(
        f"{METRICS[metric]} in {unit}, mean ± sample standard deviation over the seeds, last epoch. AUC by MCM "
        f"(unscaled cosines, T = 1){own_score}; HM is the harmonic mean of ACC and AUC. ★: best of a category "
        "shift, except the oracle, which uses labels. Worst gain: the least of any shift and seed, in HM "
        "over zero-shot at the same shift and seed."
    )
    with_bars = [m for m in BARS if any(e["mean"][m] is not None for e in entries)]
    st.plotly_chart(
        protocol_bars.bars(entries, with_bars, gain),
        key=f"protocol-bars-{gain}",
        alt="Accuracy, AUC and HM of every method in every category shift.",
    )
    for row in rows:
        if row.get("note"):
            st.caption(
                f":material/warning: {row['method']}, {row['shift']}, seed {row['seed']}: {row['note']}"
            )


def _least_gains(rows: Sequence[dict]) -> dict[str, float]:
    """The least gain in HM over zero-shot, of any shift and seed, by method."""
    found: dict[str, float] = {}
    for entry in summary(rows):
        if entry["worst"] is not None:
            found[entry["method"]] = min(entry["worst"], found.get(entry["method"], entry["worst"]))
    return found


def _table(entries: Sequence[dict], metric: str, gain: bool, least_gains: dict[str, float]) -> str:
    shifts = list(dict.fromkeys(e["shift"] for e in entries))
    methods = {e["method"]: e["title"] for e in sorted(entries, key=_order)}
    cells = {(e["method"], e["shift"]): e for e in entries}
    best = {shift: _best(entries, shift, metric) for shift in shifts}
    body = ""
    for method, title in methods.items():
        found = [cells.get((method, shift)) for shift in shifts]
        row = "".join(_cell(e, metric, gain, best) for e in found)
        values = [e["mean"][metric] for e in found if e]
        complete = len(values) == len(shifts) and None not in values
        mean = f"{sum(values) / len(values):{'+' if gain else ''}.1f}" if complete else "–"
        seeds = sorted({e["seeds"] for e in found if e})
        counts = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}–{seeds[-1]}"
        least = f"{least_gains[method]:+.1f}" if method in least_gains else "–"
        body += f"<tr><th>{escaped(title)}</th><td>{counts}</td>{row}<td>{mean}</td><td>{least}</td></tr>"
    head = "".join(f"<th>{escaped(shift)}</th>" for shift in shifts)
    return (
        f'<table class="ueo-table"><thead><tr><th></th><th>Seeds</th>{head}<th>Mean over shifts</th>'
        f"<th>Worst gain</th></tr></thead><tbody>{body}</tbody></table>"
    )


def _order(entry: dict) -> int:
    return list(VARIANTS).index(entry["method"])


def _best(entries: Sequence[dict], shift: str, metric: str) -> float | None:
    found = [
        e["mean"][metric]
        for e in entries
        if e["shift"] == shift
        and e["mean"][metric] is not None
        and not VARIANTS[e["method"]].oracle
    ]
    return (min if metric in LOWER_IS_BETTER else max)(found) if len(found) > 1 else None


def _cell(entry: dict | None, metric: str, gain: bool, best: dict) -> str:
    if entry is None or entry["mean"][metric] is None:
        return "<td>–</td>"
    mean, deviation = entry["mean"][metric], entry["deviation"][metric]
    text = f"{mean:{'+' if gain else ''}.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")
    wins = mean == best[entry["shift"]] and not VARIANTS[entry["method"]].oracle
    return f"<td><b>★ {text}</b></td>" if wins else f"<td>{text}</td>"


def _downloads(study: Study, rows: Sequence[dict]) -> None:
    st.download_button(
        "CSV",
        csv_text(rows),
        f"protocol-{study.id}.csv",
        "text/csv",
        icon=":material/download:",
        key="protocol.csv",
        help="One row per result.",
    )
    st.download_button(
        "Markdown",
        "\n".join(markdown(rows)) + "\n",
        f"protocol-{study.id}.md",
        "text/markdown",
        icon=":material/download:",
        key="protocol.md",
        help="Means and sample standard deviations over the seeds.",
    )
