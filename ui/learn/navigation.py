"""The choice of a scene: Back, the list of scenes, Next."""

import streamlit as st

from ueo_core.learn.link import Link
from ueo_core.learn.scenes import ORDER, SCENES, neighbor
from ui.learn import state


def steps(link: Link) -> None:
    """Back, the list of scenes, Next. Presentation remotes send Page keys; see keys.js."""
    number = ORDER.index(link.scene)
    st.button(
        "Back",
        icon=":material/arrow_back:",
        shortcut="Left",
        key="learn.back",
        disabled=number == 0,
        on_click=go,
        args=(neighbor(link.scene, -1),),
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
        args=(neighbor(link.scene, 1),),
    )


def go(scene: str) -> None:
    """Show a scene, with its own settings of the triangle."""
    if scene in SCENES:
        state.change(
            view="story",
            scene=scene,
            settings=SCENES[scene].settings,
            step=0,
            predicted=0,
            played=0,
            **state.DEFAULT_LOOK,
        )
