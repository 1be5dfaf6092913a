"""The Use page: an adapted model, its predictions, and exports."""

import streamlit as st

from ueo_core.utils.errors import UserError
from ueo_core.workspace.prediction_history import predictions_of
from ui.common import shell, thumbs
from ui.use import exports, images, models, negative_words, predictions


def show() -> None:
    """Draw the page in whatever state it is."""
    st.html(thumbs.STYLE)
    st.title("Use")
    adapter_file = models.chosen()
    if adapter_file is None:
        return
    models.about(adapter_file)
    try:
        what = images.chosen(adapter_file)
        if what is None:
            exports.export(adapter_file)
            return
        predicted = predictions_of(adapter_file, what)
    except UserError as error:
        shell.problem(error)
        exports.export(adapter_file)
        return
    predicted = negative_words.applied(adapter_file, what, predicted)
    threshold = predictions.threshold(adapter_file, what, predicted)
    predictions.predictions(what, predicted, threshold)
    exports.export(adapter_file, what, predicted, threshold)
