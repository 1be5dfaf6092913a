"""Compare: the table over seeds, the tests on the same images, and what differs in the settings."""

from collections.abc import Sequence

import streamlit as st

from ueo_core.analysis import compare
from ueo_core.analysis.compare import ComparedRun, Row, differences, labels, table
from ueo_core.analysis.paired_tests import ACCURACY_TEST, INTERVAL, Paired, against, in_words
from ui.common.job_progress import DelayedProgress
from ui.common.text import escaped, markdown

HEADS = {  # figure → (title, unit, whether less is better; None: neither)
    "acc": ("ACC", "%", False),
    "auc": ("AUC", "%", False),
    "hm": ("HM", "%", False),
    "fpr95": ("FPR95", "%", True),
    "agreement": ("Answers as zero-shot", "%", None),
    "seconds": ("Time", "s", None),
}


def show(opened: Sequence[ComparedRun], part: str, score: str) -> None:
    """All three sections."""
    _means(opened)
    if any(c.labelled for c in opened):
        _tests(opened)
    else:
        st.info(
            "These images have no labels, so nobody knows which run is better. What can be seen is how far "
            "each moved away from zero-shot, and where they contradict each other.",
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
        "Runs that differ only in their seed are one line, mean ± sample standard deviation. "
        "Time is spent adapting, evaluations included. "
    )
    if "acc" in shown:
        note += "★ the best mean of a column, FPR95 the lowest; where images or class names differ, none."
    st.caption(note)


def _best(key: str, rows: Sequence[Row]) -> float | None:
    lower = HEADS[key][2]
    found = [row for row in rows if row.figures[key]]
    if lower is None or len(found) < 2 or len({row.bench for row in rows}) > 1:
        return None
    return (min if lower else max)(row.figures[key].value for row in found)


def _cell(row: Row, key: str, best: float | None) -> str:
    figure = row.figures[key]
    if figure is None:
        return "<td>–</td>"
    return f"<td><b>★ {figure}</b></td>" if figure.value == best else f"<td>{figure}</td>"


def _tests(opened: Sequence[ComparedRun]) -> None:
    st.subheader("On the same images")
    names, models = labels(opened), compare.models(opened)
    key = "compare.reference"
    if st.session_state.get(key) not in models:
        st.session_state[key] = next(iter(models))
    wanted = st.selectbox(
        "Tested against", list(models), format_func=lambda k: models[k].name, key=key, width=420
    )
    start, reference = models[wanted].compared_run, models[wanted].name
    progress = DelayedProgress("Drawing samples for the tests")
    tests = against(opened, models[wanted], progress=progress)
    progress.clear()
    apart = [names[c.run] for c in opened if c.bench != start.bench]
    if not tests:
        st.info(
            "There is no other run on the same images here: choose one above, or run the rivals."
        )
    else:
        found = {t.verdict for t in tests}
        box = st.info if "worse" not in found else st.warning if len(found) > 1 else st.error
        icon = ":material/trending_down:" if "worse" in found else ":material/balance:"
        box(markdown(in_words(tests, names, reference)), icon=icon)
        st.html(_test_table(tests, names))
        first = tests[0]
        correction = f" corrected for {len(tests)} tests at once (Holm)" if len(tests) > 1 else ""
        st.caption(
            f"Against {markdown(reference)}. ↑, ↓: of n = {first.n_known:,} images of the classes those that "
            f"became right, or wrong; p: {ACCURACY_TEST}, of ↑ against ↓{correction}. Intervals: 95 %, "
            f"{INTERVAL}, n = {first.n_known + first.n_unknown:,}, seed 0. They speak of these "
            "images, not of other seeds."
        )
    if apart:
        st.caption(
            f":material/block: Not tested, for other images, class names or labels: {markdown(', '.join(apart))}."
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
    """One line a run with the settings that differ, and the way to its own page."""
    st.subheader("What differs")
    apart = differences(opened)
    if len(opened) == 1:
        st.caption("One run differs from nothing: choose a second one, or run the rivals.")
    elif not apart:
        st.caption("Nothing: these runs have the same settings, images and class names.")
    rows = []
    for c in opened:
        row = {"run": c.title, "look": f"Inspect?run={c.run}"}
        for key in ("acc", "auc", "hm"):
            if (value := c.predictions["after"].metrics[key]) is not None:
                row[HEADS[key][0]] = round(value, 1)
        rows.append(row | {d.name: d.values[c.run] for d in apart})
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            "run": st.column_config.TextColumn(width=260),
            "look": st.column_config.LinkColumn("", display_text="Inspect", width=70),
        },
        key="compare-runs-table",
    )
    if len(opened) > 1 and apart:
        st.caption("Only what is not the same everywhere has a column.")
