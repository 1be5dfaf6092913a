"""The pictures of Learn that a script in the page draws: made of the files in assets/learn."""

import streamlit as st

from ui.common.shell import ROOT

_FOLDER = ROOT / "assets" / "learn"
SLIDING = ("mount.js", "marks.js", "plot.js", "slide.js")  # of a picture with one place that moves


def picture(name: str, html: str, css: tuple[str, ...], js: tuple[str, ...]):
    """A component `ueo_learn_<name>`; its scripts are joined in their order, and share one scope."""
    return st.components.v2.component(
        f"ueo_learn_{name}", html=_read(html), css=_joined(css), js=_joined(js)
    )


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join(_read(name) for name in names)
