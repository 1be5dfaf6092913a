"""The formula linked to the picture, the glossary, the paper, the exercises."""

import streamlit as st

from ueo_core.learn import SCENES, Link
from ueo_core.learn.formula import EXERCISES, GLOSSARY, LOSS, PAPER, PARTS, SYMBOLS, written
from ueo_core.learn.link import parse
from ui import learn_state as state
from ui import learn_triangle
from ui.learn_story import go


def formula(link: Link) -> None:
    """Choose a symbol: the picture shows what it is."""
    st.markdown("## The formula, symbol by symbol")
    st.fragment(_symbols, key="learn.symbols")()
    st.markdown("### Words")
    with st.container(key="learn-glossary"):
        for word, meaning in GLOSSARY.items():
            st.markdown(f"**{word}.** {meaning}")
    st.markdown("### The paper")
    st.markdown(PAPER)


def _symbols() -> None:
    link = state.load()
    if link.view != "formula":
        st.rerun()  # a button in here led elsewhere
    if state.shown(link, "symbols"):
        st.pills(
            "Which symbol?",
            list(SYMBOLS),
            format_func=lambda k: f"${SYMBOLS[k].tex}$ {SYMBOLS[k].name}",
            key=state.key("symbol"),
            on_change=_take_symbol,
            width="stretch",
        )
    symbol = SYMBOLS[link.symbol]
    st.latex(written((LOSS,), link.symbol))
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        st.markdown(f"### ${symbol.tex}$: {symbol.name}")
        st.markdown(f"{symbol.means}\n\n**In the picture.** {symbol.picture}")
        if state.shown(link, "to-scene"):
            st.button(
                f"Scene: {SCENES[symbol.scene].title}",
                icon=":material/arrow_forward:",
                key="learn.symbol.scene",
                on_click=go,
                args=(symbol.scene,),
            )
        st.latex(written(PARTS, link.symbol))
    with right:
        learn_triangle.show(link, symbol.look)


def _take_symbol() -> None:
    """Another symbol brings its own look of the picture."""
    state.take("symbol")
    state.change(**state.OWN_LOOK)


def exercises(link: Link) -> None:
    """Questions with the answers folded away, each with a setting to try it on."""
    st.markdown("## Exercises")
    st.caption("Answer first, then try it in the triangle, then unfold.")
    for number, exercise in enumerate(EXERCISES, 1):
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{number}.** {exercise.question}")
                if state.shown(link, "try"):
                    st.button(
                        "Try it",
                        icon=":material/change_history:",
                        key=f"learn.try.{number}",
                        on_click=_try,
                        args=(exercise.link,),
                    )
            if state.shown(link, "answers"):
                with st.expander("Answer"):
                    st.markdown(exercise.answer)


def _try(parameters: dict[str, str]) -> None:
    link, wanted = state.load(), parse(parameters)
    state.change(
        view=wanted.view,
        knobs=wanted.knobs,
        step=wanted.step,
        symbol=wanted.symbol,
        scene=link.scene,
        **state.OWN_LOOK,
    )
