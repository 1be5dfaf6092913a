"""The story: one scene at a time, forward and back by key."""

import streamlit as st

import ueo_core as core
from ueo_core.learn import SCENES, Link, neighbour
from ueo_core.learn.scenes import ORDER
from ui import learn_live, learn_pictures, learn_triangle
from ui import learn_state as state
from ui.learn_cards import STYLE
from ui.plain import escaped


def show(link: Link) -> None:
    """The steps, the scene's words and its picture."""
    st.html(STYLE)
    scene = SCENES[link.scene]
    number = ORDER.index(link.scene) + 1
    st.markdown(f"## {number} · {scene.title}")
    words = st.container(key="learn-words")
    if scene.picture == "triangle":
        _say(words, link, _numbers(link))
        st.fragment(_triangle, key=f"learn.stage.{link.scene}")()
        _below(link)
    elif scene.picture == "live":
        _say(words, link, learn_live.fields())
        learn_live.show(link)
    else:
        draw = {
            "eight": learn_pictures.eight,
            "hills": learn_pictures.hills,
            "moved": learn_pictures.moved,
        }[scene.picture]
        try:
            _say(words, link, draw(link))
        except core.UserError as error:
            st.error(str(error))


def _numbers(link: Link) -> dict:
    """How each method ends on this batch. The first time this loads torch, which takes seconds."""
    with st.spinner("Loading the maths: a few seconds, once …"):
        from ueo_core.learn.numbers import of_triangle
    return of_triangle(link.knobs)


def _triangle() -> None:
    """The triangle in a fragment of its own: a knob redraws this and nothing else."""
    link = state.load()
    scene = SCENES[link.scene]
    if link.scene == "wrong":
        learn_triangle.presets(link)
    learn_triangle.stage(link, scene.look, with_knobs=False)


def _below(link: Link) -> None:
    """What changes the sentences, too, or leaves the scene: outside the fragment."""
    with st.container(horizontal=True):
        if state.shown(link, "seed"):
            st.button(
                "Another batch",
                icon=":material/casino:",
                shortcut="B",
                key="learn.batch",
                on_click=_another_batch,
            )
        st.button(
            "All knobs",
            icon=":material/tune:",
            key="learn.knobs",
            on_click=lambda: state.change(view="triangle"),
        )


def _another_batch() -> None:
    link = state.load()
    state.change(knobs=link.knobs.with_seed(link.knobs.seed + 1), step=0)


def _say(where, link: Link, fields: dict) -> None:
    """The scene's sentences with their numbers, and the one thing to do."""
    scene = SCENES[link.scene]
    text = " ".join(sentence.text.format_map(fields) for sentence in scene.sentences)
    where.html(
        f'<p class="learn-lead">{escaped(text)}</p><p class="learn-do">☞ {escaped(scene.do)}</p>'
    )


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
        width=round(290 * float(link.size)),
        on_change=lambda: go(st.session_state[state.key("scene")]),
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
    """Callback: turn to a scene, with its own setting of the triangle."""
    if scene in SCENES:
        state.change(
            view="story",
            scene=scene,
            knobs=SCENES[scene].knobs,
            step=0,
            arrows="",
            dots="",
            star="",
            shade="",
        )
