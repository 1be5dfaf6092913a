"""Compare: means over seeds, tests on the same images, and the settings that differ."""

from collections.abc import Sequence

import streamlit as st

from ueo_core.analysis import compare
from ueo_core.analysis.compare import ComparedRun, Row, differences, labels, table
from ueo_core.analysis.method_evidence import evidence_sentences
from ueo_core.analysis.paired_tests import (
    ACCURACY_TEST,
    INTERVAL,
    Paired,
    against,
    summary_sentence,
)
from ui.common.job_progress import DelayedProgress
from ui.common.text import escaped, markdown

HEADS = {  # metric → (title, unit, whether lower is better; None: neither is)
    "acc": ("ACC", "%", False),
    "auc": ("AUC", "%", False),
    "hm": ("HM", "%", False),
    "fpr95": ("FPR95", "%", True),
    "agreement": ("Same prediction as zero-shot", "%", None),
    "seconds": ("Time", "s", None),
}


def show(opened: Sequence[ComparedRun]) -> None:
    """Draw the means, the tests and the differences in settings."""
    _means(opened)
    for sentence in evidence_sentences(opened):
        st.info(markdown(sentence), icon=":material/fact_check:")
    if any(c.labeled for c in opened):
        _tests(opened)
    else:
        st.info(
            "No labels, so the runs cannot be ranked by a metric. The table shows how many predictions of each are the "
            "same as zero-shot's; the images with different predictions are below.",
            icon=":material/help:",
        )
    _every_run(opened)


def _means(opened: Sequence[ComparedRun]) -> None:
    rows = table(opened)
    shown = [k for k in HEADS if any(row.figures[k] for row in rows)]
    best = {k: _best(k, rows) for k in shown}
    head = "".join(f"<th>{HEADS[k][0]}, {HEADS[k][1]}</th>" for k in shown)
    body = ""
    for row in rows:
        cells = "".join(_cell(row, k, best[k]) for k in shown)
        seeds = ", ".join(map(str, row.seeds)) or "–"
        body += f"<tr><th>{escaped(row.title)}</th><td>{seeds}</td>{cells}</tr>"
    st.html(
        f'<table class="ueo-table"><thead><tr><th></th><th>Seeds</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
    note = (
        "Runs that differ only in their seed share a row: mean ± sample standard deviation. "
        "Time: training, including evaluations. "
    )
    if "acc" in shown:
        note += (
            "★: best mean of the column (lowest for FPR95), if images and class names are the same."
        )
    st.caption(note)


def _best(key: str, rows: Sequence[Row]) -> float | None:
    lower = HEADS[key][2]
    found = [row for row in rows if row.figures[key]]
    if lower is None or len(found) < 2 or len({row.benchmark for row in rows}) > 1:
        return None
    return (min if lower else max)(row.figures[key].value for row in found)


def _cell(row: Row, key: str, best: float | None) -> str:
    figure = row.figures[key]
    if figure is None:
        return "<td>–</td>"
    return f"<td><b>★ {figure}</b></td>" if figure.value == best else f"<td>{figure}</td>"


def _tests(opened: Sequence[ComparedRun]) -> None:
    st.subheader("Tests on the same images")
    names, models = labels(opened), compare.models(opened)
    key = "compare.reference"
    if st.session_state.get(key) not in models:
        st.session_state[key] = next(iter(models))
    wanted = st.selectbox(
        "Compare with", list(models), format_func=lambda k: models[k].name, key=key, width=420
    )
    start, reference = models[wanted].compared_run, models[wanted].name
    progress = DelayedProgress("Running the tests")
    tests = against(opened, models[wanted], progress=progress)
    progress.clear()
    untested = [names[c.run] for c in opened if c.benchmark != start.benchmark]
    if not tests:
        st.info("No other run on the same images is selected. Select one above, or run baselines.")
    else:
        found = {t.verdict for t in tests}
        box = st.info if "worse" not in found else st.warning if len(found) > 1 else st.error
        icon = ":material/trending_down:" if "worse" in found else ":material/balance:"
        box(markdown(summary_sentence(tests, names, reference)), icon=icon)
        st.html(_test_table(tests, names))
        first = tests[0]
        correction = f" corrected for {len(tests)} tests at once (Holm)" if len(tests) > 1 else ""
        st.caption(
            f"Compared with {markdown(reference)}. ↑, ↓: how many of n = {first.n_known:,} known images became "
            f"right or wrong; p: {ACCURACY_TEST}, of ↑ against ↓{correction}. Intervals: 95 %, "
            f"{INTERVAL}, n = {first.n_known + first.n_unknown:,}, seed 0. They reflect the "
            "sampling of images, not of seeds."
        )
    if untested:
        st.caption(
            f":material/block: Not tested, because images, class names or labels differ: {markdown(', '.join(untested))}."
        )


def _test_table(tests: Sequence[Paired], names: dict[str, str]) -> str:
    metrics = [m for m in ("acc", "auc", "hm") if m in tests[0].metrics]
    head = "".join(f"<th>{m.upper()}, points</th>" for m in metrics)
    body = ""
    for test in tests:
        cells = f"<td>{test.gained}</td><td>{test.lost}</td><td>{_p(test.p_holm)}</td>"
        for m in metrics:
            c = test.metrics[m]
            d, kind = c.difference, {"better": "good", "worse": "bad"}.get(c.verdict, "")
            arrow = {"better": "▲ ", "worse": "▼ "}.get(c.verdict, "")
            cells += (
                f'<td><span class="{kind}">{arrow}{d.value:+.1f}</span> '
                f"<small>({d.low:+.1f} to {d.high:+.1f})</small></td>"
            )
        body += f"<tr><th>{escaped(names[test.run])}</th>{cells}</tr>"
    return (
        '<table class="ueo-table"><thead><tr><th></th><th>↑</th><th>↓</th><th>p</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _p(value: float) -> str:
    return "&lt; 0.0001" if value < 0.0001 else f"{value:.2g}"


def _every_run(opened: Sequence[ComparedRun]) -> None:
    """A row per run with the settings that differ, and a link to its Inspect page."""
    st.subheader("Differences in settings")
    different = differences(opened)
    if len(opened) == 1:
        st.caption("Select a second run to see differences, or run baselines.")
    elif not different:
        st.caption("None: these runs have the same settings, images and class names.")
    rows = []
    for c in opened:
        row = {"run": c.title, "inspect": f"Inspect?run={c.run}"}
        for key in ("acc", "auc", "hm"):
            if (value := c.predictions["after"].metrics[key]) is not None:
                row[HEADS[key][0]] = round(value, 1)
        rows.append(row | {d.name: d.values[c.run] for d in different})
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            "run": st.column_config.TextColumn(width=260),
            "inspect": st.column_config.LinkColumn("", display_text="Inspect", width=70),
        },
        key="compare-runs-table",
    )
    if len(opened) > 1 and different:
        st.caption("Settings that are the same for all runs are not listed.")
