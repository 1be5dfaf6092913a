"""The story: one scene at a time, forward and back by key."""

import re
import sys

import streamlit as st

import ueo_core as core
from ueo_core.learn import SCENES, Link, neighbour
from ueo_core.learn.scenes import ORDER
from ui import learn_eight, learn_live, learn_pictures, learn_triangle
from ui import learn_state as state
from ui.learn_cards import STYLE
from ui.plain import escaped


def show(link: Link) -> None:
    """The scene's words and its picture."""
    st.html(STYLE)
    scene = SCENES[link.scene]
    with st.container(key="learn-title"):
        st.markdown(f"## {ORDER.index(link.scene) + 1} · {scene.title}")
    if scene.picture == "live":
        _say(link, learn_live.fields())
        learn_live.show(link)
        return
    state.fragment(link, _scene, "scene")
    if scene.picture == "triangle" and state.shown(link, "all-knobs") and not link.present:
        st.button(
            "All knobs",
            icon=":material/tune:",
            key="learn.knobs",
            on_click=lambda: state.change(view="triangle"),
        )


def _scene() -> None:
    """Words and picture in a fragment of their own: what is touched changes both and nothing else."""
    link = state.load()
    draw = {
        "eight": learn_eight.draw,
        "hills": learn_pictures.hills,
        "triangle": _triangle,
        "moved": learn_pictures.moved,
    }[SCENES[link.scene].picture]
    words = st.container()
    try:
        draw(link, lambda fields: _say(link, fields, words))
    except core.UserError as error:
        st.error(str(error))


def _triangle(link: Link, say) -> None:
    say(_numbers(link))
    learn_triangle.show(link, SCENES[link.scene].look, with_presets=link.scene == "wrong")


def _numbers(link: Link) -> dict:
    """How each method ends on this batch."""
    if "ueo_core.learn.numbers" not in sys.modules:
        with st.spinner("Loading the maths: a few seconds, once …"):
            import ueo_core.learn.numbers  # noqa: F401 - torch
    from ueo_core.learn.numbers import of_triangle

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


def steps(link: Link) -> None:
    """Back, the list of scenes, next. Presenters' remotes send Page keys; see keys.js."""
    number = ORDER.index(link.scene)
    st.button(
        "Back",
        icon=":material/arrow_back:",
        shortcut="Left",
        key="learn.back",
        disabled=number == 0,
        on_click=go,
        args=(neighbour(link.scene, -1),),
    )
    st.selectbox(
        "Scene",
        ORDER,
        format_func=lambda k: f"{ORDER.index(k) + 1} of {len(ORDER)} · {SCENES[k].title}",
        key=state.key("scene"),
        label_visibility="collapsed",
        width=round(290 * link.scale),
    )
    st.button(
        "Next",
        icon=":material/arrow_forward:",
        type="primary",
        shortcut="Right",
        key="learn.next",
        disabled=number == len(ORDER) - 1,
        on_click=go,
        args=(neighbour(link.scene, 1),),
    )


def go(scene: str) -> None:
    """Turn to a scene, with its own setting of the triangle."""
    if scene in SCENES:
        state.change(
            view="story",
            scene=scene,
            knobs=SCENES[scene].knobs,
            step=0,
            **state.OWN_LOOK,
        )
