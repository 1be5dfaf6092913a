"""The pictures of Learn that are drawn by scripts in the page, from the files in assets/learn."""

import streamlit as st

from ui.common.shell import ROOT

_FOLDER = ROOT / "assets" / "learn"
SLIDER = ("mount.js", "marks.js", "plot.js", "slide.js")  # of a picture with a slider


def component(name: str, html: str, css: tuple[str, ...], js: tuple[str, ...]):
    """The component `ueo_learn_<name>`; its scripts are joined in this order and share one scope."""
    return st.components.v2.component(
        f"ueo_learn_{name}", html=_read(html), css=_joined(css), js=_joined(js)
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join(_read(name) for name in names)
