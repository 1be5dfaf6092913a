"""The story: one scene at a time, forward and back by key."""

import re
import sys

import streamlit as st

from ueo_core.learn.link import Link
from ueo_core.learn.scenes import ORDER, SCENES
from ueo_core.utils.errors import UserError
from ui.common.text import escaped
from ui.learn import eight, live, pictures, state, triangle
from ui.learn.cards import STYLE


def show(link: Link) -> None:
    """The scene's words and its picture."""
    st.html(STYLE)
    scene = SCENES[link.scene]
    with st.container(key="learn-title"):
        st.markdown(f"## {ORDER.index(link.scene) + 1} · {scene.title}")
    if scene.picture == "live":
        _say(link, live.fields())
        live.show(link)
        return
    state.fragment(link, _scene, "scene")
    if scene.picture == "triangle" and state.shown(link, "all-knobs") and not link.present:
        st.button(
            "All settings",
            icon=":material/tune:",
            key="learn.knobs",
            on_click=lambda: state.change(view="triangle"),
        )


def _scene() -> None:
    """Words and picture in a fragment of their own: what is touched changes both and nothing else."""
    link = state.load()
    draw = {
        "eight": eight.draw,
        "hills": pictures.hills,
        "triangle": _triangle,
        "moved": pictures.moved,
    }[SCENES[link.scene].picture]
    words = st.container()
    try:
        draw(link, lambda fields: _say(link, fields, words))
    except UserError as error:
        st.error(str(error))


def _triangle(link: Link, say) -> None:
    say(_numbers(link))
    triangle.show(link, SCENES[link.scene].look, with_presets=link.scene == "wrong")


def _numbers(link: Link) -> dict:
    """How each method ends on this batch."""
    if "ueo_core.learn.sentence_numbers" not in sys.modules:
        with st.spinner("Loading PyTorch: a few seconds, once …"):
            import ueo_core.learn.sentence_numbers  # noqa: F401 - torch
    from ueo_core.learn.sentence_numbers import of_triangle

    return of_triangle(link.knobs)


def _say(link: Link, fields: dict, where=st) -> None:
    """The scene's sentences with their numbers, and the one thing to do."""
    scene = SCENES[link.scene]
    # Each in a span of its own, for the picture whose script says it anew while a hand moves it.
    text = " ".join(
        f'<span data-tie="{sentence.tie}">{escaped(sentence.text.format_map(fields))}</span>'
        for sentence in scene.sentences
    )
    text = re.sub(r" (?=%|kB|→)|(?<=→) ", "\u00a0", text)  # as `together` in marks.js has it
    where.html(f'<p class="learn-lead">{text}</p><p class="learn-do">☞ {escaped(scene.do)}</p>')
