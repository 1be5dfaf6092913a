"""Use: the threshold between known and unknown, and the predictions as images and as a table."""

import numpy as np
import streamlit as st

from ueo_core.analysis import histograms
from ueo_core.analysis.histograms import data_range
from ueo_core.evaluation.ood_scores import score_named
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.errors import UserError
from ueo_core.workspace.prediction_history import ClassifiedSet, classified_sets, predictions_of
from ui.common import thumbs
from ui.common.image_grid import SHARP, page_indices, size_slider, thumb_size
from ui.common.text import escaped
from ui.common.threshold_chart import threshold_chart
from ui.common.verdict import inspection

ROWS = 10_000  # shown in the table; the export has all
ORDERS = {"doubt": "lowest score first", "sure": "highest score first", "name": "by name"}


def threshold(adapter_file: AdapterFile, what: ClassifiedSet, predicted: Predictions) -> float:
    """Draw the scores and a slider over them. → the threshold"""
    st.subheader("What counts as unknown")
    score = score_named(predicted.score_name)
    without_labels = predicted.unsupervised_threshold(adapter_file.threshold)
    limits = data_range(np.append(predicted.score, without_labels))
    on_mcm = predicted.negatives is None
    key = f"use.threshold.{adapter_file.digest[:12]}.{what.id}" + ("" if on_mcm else ".negatives")
    left, right = st.columns([3, 2], gap="large")
    with left:
        chosen = threshold_chart(
            {"images": predicted.score},
            limits,
            st.session_state.get(key, without_labels),
            key,
            score.title,
            lambda value: _set(key, value),
            help=f"On the score {score.title} ({score.temperature(adapter_file.logit_scale)}).",
        )
    with right:
        st.markdown("An image whose score is below the threshold is called **unknown**.")
        with st.container(horizontal=True):
            st.button(
                "Unsupervised threshold",
                icon=":material/auto_awesome:",
                on_click=_set,
                args=(key, without_labels),
                help="Where the two Gaussians of a mixture fitted to the scores of "
                f"{'the pool' if on_mcm else 'these images'} cross; no labels are used (heuristic).",
            )
            if on_mcm and (at := _accepting_known(adapter_file)) is not None:
                st.button(
                    "Accept 95 % of the known",
                    icon=":material/percent:",
                    on_click=_set,
                    args=(key, at),
                    help="Measured on the labeled images of the run.",
                )
        unknown = int(predicted.unknown(chosen).sum())
        with st.container(horizontal=True):
            st.metric("Images", f"{len(predicted):,}")
            st.metric("Known", f"{len(predicted) - unknown:,}")
            st.metric("Unknown", f"{unknown:,}")
        if chosen == float(without_labels):
            st.caption(
                "This is the **unsupervised threshold (heuristic)**, made without labels. Check the images "
                "on both sides of it."
            )
    return chosen


def _set(key: str, value: float) -> None:
    st.session_state[key] = float(value)


def _accepting_known(adapter_file: AdapterFile) -> float | None:
    """The threshold that accepts 95 % of the run's known images; None where none has a label."""
    from ueo_core.analysis.threshold_effect import threshold_at_tpr

    if adapter_file.run is None:
        return None
    try:
        opened = inspection(adapter_file.run.name)
        part = opened.parts[opened.default]
        own = next((a for a in classified_sets(adapter_file) if a.id == part.name), None)
        if not part.n_id or own is None:
            return None
        return threshold_at_tpr(predictions_of(adapter_file, own).score, part.truth)
    except UserError:
        return None


def predictions(what: ClassifiedSet, predicted: Predictions, limit: float) -> None:
    """The images with their predictions, page by page."""
    st.subheader("Predictions")
    unknown = predicted.unknown(limit)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control(
            "As",
            ["images", "table"],
            default="images",
            required=True,
            key="use.view",
            format_func={
                "images": ":material/grid_view: Images",
                "table": ":material/table_rows: Table",
            }.get,
        )
        which = st.segmented_control(
            "Which",
            ["all", "known", "unknown"],
            default="all",
            required=True,
            key="use.which",
            format_func=str.capitalize,
        )
        name = st.selectbox(
            "Predicted class",
            range(-1, len(predicted.classes)),
            key="use.class",
            width=220,
            format_func=lambda i: "all classes" if i < 0 else predicted.classes[i],
        )
        order = st.selectbox(
            "Order", list(ORDERS), format_func=ORDERS.get, key="use.order", width=200
        )
        if view == "images":
            size_slider("use.size")
    keep = {"all": np.ones(len(predicted), bool), "known": ~unknown, "unknown": unknown}[which]
    if name >= 0:
        keep = keep & (predicted.prediction == name)
    found = np.flatnonzero(keep)
    if order != "name":
        found = found[
            np.argsort(predicted.score[found] * (1 if order == "doubt" else -1), kind="stable")
        ]
    st.caption(f"{len(found):,} of {len(predicted):,} images")
    if not len(found):
        st.info("No image matches at this threshold.", icon=":material/info:")
    elif view == "table":
        _table(predicted, unknown, found)
    else:
        shown = page_indices(len(found), f"use.page.{what.id}.{which}.{name}.{order}")
        cards = [_card(what, predicted, unknown, int(found[k])) for k in shown]
        st.html(thumbs.strip(cards, thumb_size()))


def _card(what: ClassifiedSet, predicted: Predictions, unknown, i: int) -> str:
    prediction = predicted.classes[predicted.prediction[i]]
    lines = thumbs.decision(prediction, float(predicted.confidence[i]), bool(unknown[i]))
    return thumbs.card(
        what.reference,
        i,
        [*lines, f'<span class="was">{escaped(predicted.names[i])}</span>'],
        large=thumb_size() > SHARP,
    )


def _table(predicted: Predictions, unknown, found) -> None:
    found = found[:ROWS]
    digits = histograms.digits(*data_range(predicted.score))
    score = f"score ({score_named(predicted.score_name).title})"
    st.dataframe(
        {
            "image": [predicted.names[i] for i in found],
            "prediction": [predicted.classes[predicted.prediction[i]] for i in found],
            "unknown": unknown[found],
            "confidence": 100 * predicted.confidence[found],
            score: predicted.score[found],
        },
        hide_index=True,
        height=460,
        column_config={
            "confidence": st.column_config.ProgressColumn(
                format="%.1f %%", min_value=0, max_value=100
            ),
            score: st.column_config.NumberColumn(format=f"%.{digits}f"),
        },
    )
    if len(predicted) > ROWS:
        st.caption(f"At most {ROWS:,} rows are shown; the export below has all.")
