"""The story: one scene at a time."""

import re
import sys
from collections.abc import Callable

import streamlit as st

from ueo_core.learn.link import Link
from ueo_core.learn.marks import highlighted
from ueo_core.learn.scenes import ORDER, SCENES
from ueo_core.utils.errors import UserError
from ui.common.shell import problem
from ui.common.text import escaped
from ui.learn import eight_drawings, live, pictures, question, state, triangle
from ui.learn.cards import STYLE


def show(link: Link) -> None:
    """The text and the picture of the scene."""
    st.html(STYLE)
    with st.container(key="learn-story"):
        _scene(link)


def _scene(link: Link) -> None:
    scene = SCENES[link.scene]
    with st.container(key="learn-title", horizontal=True, vertical_alignment="center"):
        st.markdown(f"## {ORDER.index(link.scene) + 1} · {scene.title}", width="content")
        if scene.picture == "triangle" and state.is_shown(link, "all-knobs") and not link.present:
            st.space("stretch")
            st.button(
                "All settings",
                icon=":material/tune:",
                key="learn.knobs",
                on_click=lambda: state.change(view="triangle"),
            )
    draw = {
        "eight": eight_drawings.draw,
        "scores": pictures.scores,
        "triangle": _triangle,
        "live": live.draw,
        "trained": pictures.trained,
    }[scene.picture]
    text = st.container(key="learn-text")

    def write_text(numbers: dict, outcome: str | None = None) -> None:
        """outcome: which of the predictions was right; None while there is no result"""
        with text:
            _write_text(link, numbers)
            question.show(link, outcome)

    try:
        draw(link, write_text)
    except UserError as error:
        problem(error)


def _triangle(link: Link, write_text: Callable[..., None]) -> None:
    write_text(*_numbers(link))
    triangle.show(link, SCENES[link.scene].look, with_presets=link.scene == "wrong")


def _numbers(link: Link) -> tuple[dict, str | None]:
    """The result of each method on this batch, and the outcome that the scene asks about."""
    if "ueo_core.learn.happened" not in sys.modules:
        with st.spinner("Loading PyTorch: a few seconds, once …"):
            import ueo_core.learn.happened  # noqa: F401 - torch
    from ueo_core.learn import happened
    from ueo_core.learn.sentence_numbers import of_triangle

    outcome = happened.of_triangle(link.scene, link.settings) if link.shows_result else None
    return of_triangle(link.settings), outcome


def _write_text(link: Link, numbers: dict) -> None:
    """The scene's sentences with their numbers, and its task."""
    scene = SCENES[link.scene]
    # One span per sentence: the script of a picture rewrites a sentence during a drag.
    text = " ".join(
        f'<span data-check="{sentence.check}">'
        f"{highlighted(sentence.text.format_map(numbers), scene.picture)}</span>"
        for sentence in scene.sentences
        if link.shows_result or not sentence.result
    )
    text = re.sub(r" (?=%|kB|→)|(?<=→) ", "\u00a0", text)  # as in `keepTogether` in marks.js
    st.html(f'<p class="learn-lead">{text}</p><p class="learn-do">☞ {escaped(scene.task)}</p>')
