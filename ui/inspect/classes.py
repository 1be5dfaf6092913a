"""Inspect: accuracy by class, and the confusion matrix."""

from functools import lru_cache

import streamlit as st

from ueo_core.analysis.per_class import (
    PAIRS,
    class_changes,
    confused_pairs,
    confusion_cell,
    confusion_rows,
)
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.evaluation.metrics import confusion
from ui.common import charts
from ui.common.shell import dark
from ui.common.text import markdown
from ui.inspect.gallery import image_grid

SHOWN = 40  # classes in the chart; the table has all
MATRIX = 60  # largest number of classes for a legible matrix


def show_classes(opened: Inspection, part: SetResult) -> None:
    """Accuracy of every class before and after; the largest loss comes first."""
    rows = _changes(opened, part.name)
    st.subheader("Accuracy by class")
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.echarts_chart(
            charts.class_chart(rows[:SHOWN]),
            key="inspect-classes",
            height=90 + 34 * min(len(rows), SHOWN),
            alt="Accuracy of every class before and after adaptation with Wilson intervals.",
        )
        more = (
            f" The {SHOWN} of {len(rows)} classes with the largest loss."
            if len(rows) > SHOWN
            else ""
        )
        st.caption(
            "Gray square: before; blue circle: after; lines: 95 % Wilson intervals; the number of images "
            f"is in parentheses. The largest loss is on top.{more}"
        )
    with right:
        st.dataframe(
            [_row(row) for row in rows],
            hide_index=True,
            height=38 + 35 * min(len(rows), SHOWN),
            row_height=35,
            column_config={
                k: st.column_config.Column(width=60 if len(k) < 4 else 85) for k in _row(rows[0])
            }
            | {"class": st.column_config.TextColumn(width=110)},
            key="inspect-class-table",
        )
        st.caption(
            "±: 95 % Wilson interval; ↑, ↓: images that became right or wrong; p: exact two-sided sign "
            "test of ↑ against ↓."
        )


@lru_cache(maxsize=16)
def _changes(opened: Inspection, part: str) -> list:
    part = opened.parts[part]
    return class_changes(
        part.prediction["before"], part.prediction["after"], part.truth, opened.classes
    )


def _row(row) -> dict:
    return {
        "class": row.name,
        "n": row.n,
        "before %": round(row.before, 1),
        "after %": round(row.after, 1),
        "change": round(row.change, 1),
        "↑": row.gained,
        "↓": row.lost,
        "p": float(f"{row.p_value:.2g}"),
        "± before": f"{row.before_low:.0f} – {row.before_high:.0f}",
        "± after": f"{row.after_low:.0f} – {row.after_high:.0f}",
    }


def show_confusion(opened: Inspection, part: SetResult) -> None:
    """The confusion matrices before and after; a click on a cell shows its images."""
    st.subheader("Confusion matrix")
    rows = confusion_rows(opened.classes, part.truth)
    if len(opened.classes) > MATRIX:
        _pairs(opened, part, dict(rows))
        return
    st.caption(
        "Rows: true class; columns: prediction; color: share of the row. Click a cell to see its images."
    )
    for column, side in zip(st.columns(2, gap="large"), ("before", "after"), strict=True):
        with column:
            st.markdown(f"**{side.capitalize()}**")
            picked = _matrix(opened, part, side, rows)
            if picked is not None:
                _cell(opened, part, side, *picked)


def _cell(opened, part, side: str, truth: int, prediction: int) -> None:
    """The images of one cell, below its matrix."""
    found = confusion_cell(part.prediction[side], part.truth, truth, prediction)
    what = dict(confusion_rows(opened.classes, part.truth))[truth]
    st.markdown(
        f"**{len(found)} images of “{markdown(what)}”, predicted “{markdown(opened.classes[prediction])}” "
        f"{side} adaptation**"
    )
    image_grid(opened, part, found, f"inspect.cell.{side}.{truth}.{prediction}")


def _matrix(opened, part, side: str, rows) -> tuple[int, int] | None:
    """Draw one matrix. → true class and prediction of the selected cell"""
    table = confusion(part.prediction[side], part.truth, len(opened.classes))
    cells = [
        (x, y, table[truth, x], 100 * table[truth, x] / table[truth].sum())
        for y, (truth, _) in enumerate(rows)
        for x in range(len(opened.classes))
        if table[truth, x]
    ]
    theme = "dark" if dark() else "light"
    event = st.echarts_chart(
        charts.confusion_chart(cells, [name for _, name in rows], opened.classes, theme),
        key=f"inspect.confusion.{opened.run}.{part.name}.{side}",
        height=150 + 24 * len(rows),
        on_select="rerun",
        alt=f"Confusion matrix {side} adaptation: true class by prediction.",
    )
    for chosen in event["selection"]["selected"]:
        for index in chosen["data_indices"]:
            if index < len(cells):
                return rows[cells[index][1]][0], cells[index][0]
    return None


def _pairs(opened, part, names: dict[int, str]) -> None:
    """The errors as a table, for more classes than a matrix can show."""
    st.caption(
        f"{len(opened.classes)} classes are too many for a matrix. The table lists the confusions, most "
        "frequent after adaptation first. Select a row, or a class and a prediction, to see the images."
    )
    place = f"inspect.pairs.{opened.run}.{part.name}"
    left, right = st.columns(2)
    truth = left.selectbox(
        "True class",
        list(names),
        format_func=names.get,
        index=None,
        placeholder="Any",
        key=f"{place}.truth",
    )
    prediction = right.selectbox(
        "Prediction",
        range(len(opened.classes)),
        format_func=opened.classes.__getitem__,
        index=None,
        placeholder="Any",
        key=f"{place}.answer",
    )
    if truth is not None and prediction is not None:
        _both(opened, part, truth, prediction)
        return
    pairs = confused_pairs(
        part.prediction["before"], part.prediction["after"], part.truth, truth, prediction
    )
    if len(pairs) == PAIRS:
        st.caption(f"The {PAIRS:,} most frequent are shown; select a class to see its own.")
    event = st.dataframe(
        [
            {
                "true class": names[row],
                "prediction": opened.classes[column],
                "before": b,
                "after": a,
            }
            for row, column, b, a in pairs
        ],
        hide_index=True,
        height=380,
        key=f"{place}.{truth}.{prediction}",
        on_select="rerun",
        selection_mode="single-row",
    )
    for index in event["selection"]["rows"]:
        if index < len(pairs):
            _both(opened, part, *pairs[index][:2])


def _both(opened, part, truth: int, prediction: int) -> None:
    """The images of one cell before and after adaptation."""
    for side in ("before", "after"):
        _cell(opened, part, side, truth, prediction)
