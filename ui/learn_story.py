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
        _say(words, link, {})
        st.fragment(_triangle, key=f"learn.stage.{link.scene}")()
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


def _triangle() -> None:
    """The triangle in a fragment of its own: a knob redraws this and nothing else."""
    link = state.load()
    if link.view != "story":
        return
    scene = SCENES[link.scene]
    choose = link.scene == "wrong"
    if choose:
        learn_triangle.presets(link)
    learn_triangle.stage(link, scene.look, with_knobs=False)
    with st.container(horizontal=True):
        if state.shown(link, "seed"):
            st.button(
                "Another batch",
                icon=":material/casino:",
                shortcut="B",
                key="learn.batch",
                on_click=_another_batch,
            )
        st.button("All knobs", icon=":material/tune:", key="learn.knobs", on_click=_open_triangle)


def _another_batch() -> None:
    link = state.load()
    state.change(knobs=link.knobs.with_seed(link.knobs.seed + 1), step=0)


def _open_triangle() -> None:
    link = state.load()
    state.change(view="triangle", knobs=link.knobs)


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
        width=290,
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
