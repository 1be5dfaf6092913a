"""Steering a run: the buttons of the state table, who may press them, and the queue."""

import streamlit as st

from ueo_core.runs.snapshot import Snapshot
from ueo_core.runs.viewers import ViewerRole
from ueo_core.utils.errors import UserError
from ui.common.shell import manager, viewer
from ui.common.text import markdown

BUTTONS = {  # action → label, icon, key on the keyboard, what it does
    "pause": (
        "Pause",
        ":material/pause:",
        "P",
        "Halts after the step under way, with a checkpoint.",
    ),
    "step": ("Step", ":material/skip_next:", "S", "Takes so many steps and pauses again."),
    "resume": ("Resume", ":material/play_arrow:", "G", "Goes on from the last checkpoint."),
    "stop": ("Stop and keep", ":material/stop:", None, "Ends here and scores the result so far."),
    "extend": (
        "Train on",
        ":material/add:",
        None,
        "Further epochs, under a cosine of their own from the run's peak rate to 0.",
    ),
    "cancel": (
        "Cancel",
        ":material/close:",
        None,
        "Takes it out of the queue; it can be queued again later.",
    ),
}
AMOUNTS = {  # action → label of its number, key, first value, largest
    "step": ("steps at a time", "live.steps", 1, 1000),
    "extend": ("more epochs", "live.epochs", 5, 10_000),
}


def controls(now: Snapshot, steers: bool) -> None:
    """Every button in its fixed place; the state table says which of them can be pressed."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="live-controls"):
        for action, (label, icon, key, about) in BUTTONS.items():
            can = steers and action in now.actions
            st.button(
                label,
                icon=icon,
                key=f"live.{action}",
                help=about,
                shortcut=key,
                disabled=not can,
                type="primary" if action == "resume" and now.state == "paused" else "secondary",
                on_click=_act,
                args=(now.run, action),
            )
            # The number of epochs is there when it means something; no tick brings it or takes it.
            if action == "step" or (action == "extend" and action in now.actions):
                title, name, first, most = AMOUNTS[action]
                st.number_input(title, 1, most, first, key=name, width=130, disabled=not can)


def _act(run: str, action: str) -> None:
    amount = int(st.session_state[AMOUNTS[action][1]]) if action in AMOUNTS else 1
    _said(lambda: manager().act(run, action, amount=amount, viewer=viewer()))


def _said(click) -> None:
    """Do what was clicked; what is refused is said in passing."""
    try:
        click()
    except UserError as error:  # the run moved on between the drawing and the click
        st.toast(markdown(str(error)), icon=":material/info:")


def viewers(role: ViewerRole) -> None:
    """Who has the controls; nothing while one is alone."""
    if not role.others:
        return
    others = f"{role.others} other{'s' * (role.others != 1)} watch{'es' * (role.others == 1)}"
    with st.container(horizontal=True, vertical_alignment="center", key="live-desk"):
        if role.steers:
            st.caption(f":material/sports_esports: You have the controls; {others}.")
            st.button(
                "Hand over",
                icon=":material/back_hand:",
                key="live.hand_over",
                type="tertiary",
                help="Lets go of the controls: whoever takes them next has them.",
                on_click=lambda: manager().viewers.hand_over(viewer()),
            )
        elif role.free:
            st.caption(f":material/sports_esports: Nobody has the controls; {others}.")
            st.button(
                "Take the controls",
                icon=":material/sports_esports:",
                key="live.take",
                on_click=lambda: _said(lambda: manager().viewers.take(viewer())),
            )
        else:
            st.caption(
                ":material/visibility: You are watching: another browser has the controls and can hand "
                "them over."
            )


def queue(steers: bool) -> None:
    """The waiting runs in their order, each with its way forward, back and out."""
    waiting = manager().queue()
    if not waiting:
        return
    st.markdown("**Waiting runs**, first in first out")
    for place, run in enumerate(waiting):
        with st.container(horizontal=True, vertical_alignment="center", key=f"live-queue-{place}"):
            st.page_link(
                "pages/3_Live.py",
                label=markdown(f"{place + 1}. {manager().snapshot(run).title}"),
                query_params={"run": run},
                width=330,
            )
            for label, icon, places, can in (
                ("Earlier", ":material/arrow_upward:", -1, place > 0),
                ("Later", ":material/arrow_downward:", 1, place < len(waiting) - 1),
            ):
                st.button(
                    label,
                    icon=icon,
                    key=f"live.{label}.{run}",
                    disabled=not (steers and can),
                    on_click=_move,
                    args=(run, places),
                )
            st.button(
                "Take out",
                icon=":material/close:",
                key=f"live.out.{run}",
                disabled=not (steers and "cancel" in manager().snapshot(run).actions),
                on_click=_act,
                args=(run, "cancel"),
            )


def _move(run: str, places: int) -> None:
    _said(lambda: manager().reorder(run, places, viewer=viewer()))
