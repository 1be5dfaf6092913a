"""Compare: the images for which the predictions of two models differ."""

from collections.abc import Sequence

import streamlit as st

from ueo_core.analysis import compare
from ueo_core.analysis.compare import ComparedRun, Model
from ueo_core.analysis.disagreements import differing, pair_views
from ueo_core.evaluation.metrics import OOD
from ui.common import thumbs
from ui.common.image_grid import page_indices
from ui.common.text import escaped


def show(opened: Sequence[ComparedRun]) -> None:
    """Choose two models and a selection of images, and show the images."""
    st.subheader("Images with different predictions")
    models = compare.models(opened)
    left, right = st.columns(2, gap="large")
    with left:
        a = _choose("A", list(models), models)
    run_a, predictions_a = models[a].compared_run, models[a].predictions
    # Only models on the same images with the same class names can be compared.
    others = [k for k, m in models.items() if k != a and m.compared_run.images == run_a.images]
    with right:
        b = _choose("B", others, models)
    predictions_b = models[b].predictions
    allowed = pair_views(run_a.labeled)
    view = st.segmented_control(
        "Show",
        list(allowed),
        format_func=lambda k: allowed[k].title,
        default="differ",
        required=True,
        key=f"compare.view.{run_a.labeled}",
        wrap=True,
    )
    found = differing(view, predictions_a, predictions_b, run_a.truth)
    total = len(found)
    found, filtered = _filtered(found, run_a, predictions_a, predictions_b)
    n = len(run_a.truth)
    count = f"{len(found):,} of these {total:,}" if filtered else f"{total:,} of {n:,}"
    st.caption(f"{count} images. {allowed[view].about} The most confident predictions come first.")
    _grid(found, run_a, predictions_a, predictions_b, f"{a}.{b}.{view}")


def _choose(letter: str, options: list[str], models: dict[str, Model]) -> str:
    key = f"compare.{letter}"
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[0]
    return st.selectbox(letter, options, format_func=lambda k: models[k].name, key=key)


def _filtered(found, run: ComparedRun, predictions_a, predictions_b):
    """Filter by predictions and true class. → indices, whether a filter is set"""
    classes = range(len(run.classes))
    columns = st.columns(3 if run.labeled else 2, gap="medium")
    title = lambda i: "All classes" if i is None else run.classes[i]  # noqa: E731
    wanted = []
    for column, letter, predictions in (
        (columns[0], "A", predictions_a),
        (columns[1], "B", predictions_b),
    ):
        name = column.selectbox(
            f"Prediction of {letter}",
            [None, *classes],
            format_func=title,
            key=f"compare.answer.{letter}",
        )
        wanted.append((name, predictions.prediction))
    if run.labeled:
        truth = columns[2].selectbox(
            "True class",
            [None, *classes, OOD],
            key="compare.truth",
            format_func=lambda i: "none (unknown)" if i == OOD else title(i),
        )
        wanted.append((truth, run.truth))
    for value, values in wanted:
        if value is not None:
            found = found[values[found] == value]
    return found, any(value is not None for value, _ in wanted)


def _grid(found, run: ComparedRun, predictions_a, predictions_b, key: str) -> None:
    if not len(found):
        st.caption("No image matches.")
        return
    shown = page_indices(len(found), key=f"compare.page.{key}")
    cards = [_card(int(found[i]), run, predictions_a, predictions_b) for i in shown]
    st.html(thumbs.strip(cards))


def _card(i: int, run: ComparedRun, predictions_a, predictions_b) -> str:
    truth, lines = int(run.truth[i]), []
    for letter, of in (("A", predictions_a), ("B", predictions_b)):
        prediction = int(of.prediction[i])
        # No class is right for an unknown image: neither tick nor cross.
        kind = "" if truth < 0 else "good" if prediction == truth else "bad"
        unknown = " · unknown" if of.score[i] < of.threshold else ""
        lines.append(
            f'{letter}: <span class="tag {kind}">{escaped(run.classes[prediction])}</span> '
            f'<span class="was">{100 * of.confidence[i]:.0f} %{unknown}</span>'
        )
    if truth == OOD:
        lines.append("<i>true class: none (unknown)</i>")
    elif truth >= 0:
        lines.append(f"<i>true class: {escaped(run.classes[truth])}</i>")
    return thumbs.card(run.reference, i, lines)
