"""The Use page: an adapted model, images that it has answered for, and what to take away."""

import streamlit as st

import ueo_core as core
from ui import shell, thumbs, use_answers, use_exports, use_images, use_models

STYLE = """<style>
.ueo-thumb .unknown { color: #D55E00; font-weight: 650; }
.ueo-thumb .unknown::before { content: "? "; }
</style>"""


def show() -> None:
    """Draw the page in whatever state it is."""
    st.html(thumbs.STYLE + STYLE)
    st.title("Use")
    offer = use_models.chosen()
    if offer is None:
        return
    use_models.about(offer)
    try:
        what = use_images.chosen(offer)
        if what is None:
            use_exports.model(offer)
            return
        said = core.answers_of(offer, what)
    except core.UserError as error:
        shell.problem(error)
        use_exports.model(offer)
        return
    threshold = use_answers.threshold(offer, what, said)
    use_answers.answers(what, said, threshold)
    use_exports.images(offer, what, said, threshold)
    use_exports.model(offer)
