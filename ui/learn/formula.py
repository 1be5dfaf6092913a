"""The formula with its picture, the glossary, the paper, the exercises."""

from dataclasses import asdict

import streamlit as st

from ueo_core.learn.formula import EXERCISES, GLOSSARY, LOSS, PAPER, PARTS, SYMBOLS, latex
from ueo_core.learn.link import Link, parse
from ueo_core.learn.scenes import SCENES
from ui.common.shell import dark
from ui.learn import state, triangle
from ui.learn.component import component
from ui.learn.navigation import go

_SYMBOLS = component(
    "symbols", "symbols.html", ("symbols.css",), ("mount.js", "marks.js", "symbols.js")
)


def formula(link: Link) -> None:
    """Select a symbol, by its button or in the formula: the picture shows it."""
    st.html(_marks(link))
    looks = [{k: v for k, v in asdict(s.look).items() if k != "methods"} for s in SYMBOLS.values()]
    _SYMBOLS(
        key="learn.symbols",
        data={
            "symbols": [
                {
                    "key": key,
                    "plain": s.plain,
                    "name": s.name,
                    "means": s.means,
                    "picture": s.picture,
                    "scene": SCENES[s.scene].title,
                    "look": look,
                }
                for (key, s), look in zip(SYMBOLS.items(), looks, strict=True)
            ],
            "chosen": list(SYMBOLS).index(link.symbol),
            "choosable": state.is_shown(link, "symbols"),
            "leads": state.is_shown(link, "to-scene"),
        },
        on_now_change=_symbol_selected,
    )
    left, right = st.columns([1, 1.6], gap="large")
    with left.container(key="learn-formula"):
        st.latex(latex(LOSS))
        st.latex(latex(*PARTS))
    with right:
        triangle.show(link, SYMBOLS[link.symbol].look)
    st.markdown("### Glossary")
    with st.container(key="learn-glossary"):
        for word, meaning in GLOSSARY.items():
            st.markdown(f"**{word}.** {meaning}")
    st.markdown("### The paper")
    st.markdown(PAPER)


def _marks(link: Link) -> str:
    """Style of the formula's boxes: only that of the selected symbol is visible. See `latex`."""
    box = '.st-key-learn-formula{} .katex [style*="rgb(0, 0, {}"]'
    chosen = [
        box.format(f'[data-chosen="{number}"]', f"{number})")
        for number in range(1, len(SYMBOLS) + 1)
    ]
    # Until the page's script has set `data-chosen`.
    first = list(SYMBOLS).index(link.symbol) + 1
    chosen.append(box.format(":not([data-chosen])", f"{first})"))
    hot = "#FF8A3D" if dark() else "#B44A00"
    pointer = "pointer" if state.is_shown(link, "symbols") else "auto"
    return (
        f"<style>{box.format('', '')} {{ color: inherit !important; "
        f"border-color: transparent !important; cursor: {pointer}; }}\n"
        f"{', '.join(chosen)} {{ color: {hot} !important; border-color: {hot} !important; }}</style>"
    )


def _symbol_selected() -> None:
    """Show another symbol, with its own look of the picture, or go to the scene of the symbol."""
    now = st.session_state["learn.symbols"].now or {}
    symbol = now.get("symbol")
    if symbol not in SYMBOLS:
        return
    if now.get("go"):
        go(SYMBOLS[symbol].scene)
    else:
        state.change(symbol=symbol, **state.DEFAULT_LOOK)


def exercises(link: Link) -> None:
    """Questions with hidden answers, each with a view in which to try it."""
    st.caption("Answer the question first, then try it, then open the answer.")
    for number, exercise in enumerate(EXERCISES, 1):
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{number}.** {exercise.question}")
                if state.is_shown(link, "try"):
                    st.button(
                        "Try it",
                        icon=":material/change_history:",
                        key=f"learn.try.{number}",
                        on_click=_try,
                        args=(exercise.link,),
                    )
            if state.is_shown(link, "answers"):
                with st.expander("Answer"):
                    st.markdown(exercise.answer)


def _try(parameters: dict[str, str]) -> None:
    link, wanted = state.load(), parse(parameters)
    state.change(
        view=wanted.view,
        settings=wanted.settings,
        step=wanted.step,
        symbol=wanted.symbol,
        scene=link.scene,
        **state.DEFAULT_LOOK,
    )
