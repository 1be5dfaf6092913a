"""Predict first: the question of a scene, and after playing the prediction beside what happened."""

import streamlit as st

from ueo_core.learn.link import Link
from ueo_core.learn.questions import QUESTIONS
from ui.common.text import escaped
from ui.learn import state


def show(link: Link, outcome: str | None) -> None:
    """The question with its options, or, once the result is shown, the prediction.

    outcome: of `ueo_core.learn.happened`; None while there is no result
    """
    question = QUESTIONS.get(link.scene)
    if question is None or not state.is_shown(link, "predict"):
        return
    if outcome is not None:
        _compare(link, question.index_of(outcome))
        return
    with st.container(key="learn-question", horizontal=True, vertical_alignment="center"):
        st.html(
            f'<span class="learn-ask">Predict: {escaped(question.text)}</span>', width="content"
        )
        for number, option in enumerate(question.options, 1):
            st.button(
                option.text,
                shortcut=str(number),
                type="primary" if link.predicted == number else "secondary",
                key=f"learn.predict.{link.scene}.{number}",
                on_click=_choose,
                args=(number,),
            )
        if question.show:
            st.button(
                question.show,
                icon=":material/visibility:",
                shortcut="Space",
                key=f"learn.show.{link.scene}",
                on_click=lambda: state.change(played=1),
            )


def _compare(link: Link, index: int | None) -> None:
    """What was predicted, and which of the options happened; nothing without a prediction."""
    if not link.predicted:
        return
    options = QUESTIONS[link.scene].options
    chosen = options[link.predicted - 1].text
    happened = options[index].text if index is not None else "none of these"
    st.html(
        f'<p class="learn-outcome">Predicted: {escaped(chosen)}. '
        f"What happened: <b>{escaped(happened)}</b>.</p>"
    )


def _choose(number: int) -> None:
    state.change(predicted=number)
