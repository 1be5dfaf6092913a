"""The story: one scene at a time."""

import re
import sys
from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ueo_core.learn.link import Link
from ueo_core.learn.scenes import ORDER, SCENES
from ueo_core.utils.errors import UserError
from ui.common.text import escaped, markdown
from ui.learn import eight_drawings, live, pictures, state, triangle
from ui.learn.cards import STYLE


def show(link: Link) -> None:
    """The text and the picture of the scene."""
    st.html(STYLE)
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
    text = st.container()
    try:
        draw(link, lambda numbers: _write_text(link, numbers, text))
    except UserError as error:
        st.error(markdown(str(error)))


def _triangle(link: Link, write_text: Callable[[dict], None]) -> None:
    write_text(_numbers(link))
    triangle.show(link, SCENES[link.scene].look, with_presets=link.scene == "wrong")


def _numbers(link: Link) -> dict:
    """The result of each method on this batch."""
    if "ueo_core.learn.sentence_numbers" not in sys.modules:
        with st.spinner("Loading PyTorch: a few seconds, once …"):
            import ueo_core.learn.sentence_numbers  # noqa: F401 - torch
    from ueo_core.learn.sentence_numbers import of_triangle

    return of_triangle(link.settings)


def _write_text(link: Link, numbers: dict, where: DeltaGenerator) -> None:
    """The scene's sentences with their numbers, and its task."""
    scene = SCENES[link.scene]
    # One span per sentence: the script of a picture rewrites a sentence during a drag.
    text = " ".join(
        f'<span data-check="{sentence.check}">{escaped(sentence.text.format_map(numbers))}</span>'
        for sentence in scene.sentences
    )
    text = re.sub(r" (?=%|kB|→)|(?<=→) ", "\u00a0", text)  # as in `keepTogether` in marks.js
    where.html(f'<p class="learn-lead">{text}</p><p class="learn-do">☞ {escaped(scene.task)}</p>')
