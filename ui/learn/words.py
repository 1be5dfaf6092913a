"""The formula linked to the picture, the glossary, the paper, the exercises."""

from dataclasses import asdict

import streamlit as st

from ueo_core.learn.formula import EXERCISES, GLOSSARY, LOSS, PAPER, PARTS, SYMBOLS, written
from ueo_core.learn.link import Link, parse
from ueo_core.learn.scenes import SCENES
from ui.common.shell import dark
from ui.learn import state, triangle
from ui.learn.navigation import go
from ui.learn.script import picture

_SYMBOLS = picture(
    "symbols", "symbols.html", ("symbols.css",), ("mount.js", "marks.js", "symbols.js")
)


def formula(link: Link) -> None:
    """Choose a symbol, by its button or in the formula: the picture shows what it is."""
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
            "choosable": state.shown(link, "symbols"),
            "leads": state.shown(link, "to-scene"),
        },
        on_now_change=_said,
    )
    left, right = st.columns([1, 1.6], gap="large")
    with left.container(key="learn-formula"):
        st.latex(written(LOSS))
        st.latex(written(*PARTS))
    with right:
        triangle.show(link, SYMBOLS[link.symbol].look)
    st.markdown("### Words")
    with st.container(key="learn-glossary"):
        for word, meaning in GLOSSARY.items():
            st.markdown(f"**{word}.** {meaning}")
    st.markdown("### The paper")
    st.markdown(PAPER)


def _marks(link: Link) -> str:
    """Style of the formula's boxes: none to be seen but the chosen symbol's. See `written`."""
    box = '.st-key-learn-formula{} .katex [style*="rgb(0, 0, {}"]'
    chosen = [
        box.format(f'[data-chosen="{number}"]', f"{number})")
        for number in range(1, len(SYMBOLS) + 1)
    ]
    # Before the page's script has come to say which one it is.
    first = list(SYMBOLS).index(link.symbol) + 1
    chosen.append(box.format(":not([data-chosen])", f"{first})"))
    hot = "#FF8A3D" if dark() else "#B44A00"
    pointer = "pointer" if state.shown(link, "symbols") else "auto"
    return (
        f"<style>{box.format('', '')} {{ color: inherit !important; "
        f"border-color: transparent !important; cursor: {pointer}; }}\n"
        f"{', '.join(chosen)} {{ color: {hot} !important; border-color: {hot} !important; }}</style>"
    )


def _said() -> None:
    """Another symbol brings its own look of the picture; its scene is one button away."""
    now = st.session_state["learn.symbols"].now or {}
    symbol = now.get("symbol")
    if symbol not in SYMBOLS:
        return
    if now.get("go"):
        go(SYMBOLS[symbol].scene)
    else:
        state.change(symbol=symbol, **state.OWN_LOOK)


def exercises(link: Link) -> None:
    """Questions with collapsed answers, each with a setting to try it on."""
    st.caption("Answer first, then try it in the triangle, then open the answer.")
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
