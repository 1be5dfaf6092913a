"""The controls of a run: the buttons of the state table, which viewer has them, and the queue."""

import streamlit as st

from ueo_core.runs.snapshot import Snapshot
from ueo_core.runs.viewers import ViewerRole
from ueo_core.utils.durations import duration
from ueo_core.utils.errors import UserError
from ui.common.shell import manager, viewer
from ui.common.text import markdown

BUTTONS = {  # action → label, icon, keyboard shortcut, help
    "pause": (
        "Pause",
        ":material/pause:",
        "P",
        "Pauses after the current step and writes a checkpoint.",
    ),
    "step": ("Step", ":material/skip_next:", "S", "Runs this many steps, then pauses again."),
    "resume": ("Resume", ":material/play_arrow:", "G", "Continues from the last checkpoint."),
    "stop": (
        "Stop and keep",
        ":material/stop:",
        None,
        "Ends the run here and scores the result so far.",
    ),
    "extend": (
        "Train longer",
        ":material/add:",
        None,
        "Adds epochs with a cosine schedule of their own, from the run's peak learning rate to 0.",
    ),
    "skip": (
        "Skip the safety check",
        ":material/skip_next:",
        None,
        "Ends the check now; the run finishes without a recommendation.",
    ),
    "cancel": (
        "Cancel",
        ":material/close:",
        None,
        "Removes the run from the queue; it can be queued again later.",
    ),
}
AMOUNTS = {  # action → label of its number, key, first value, largest
    "step": ("Steps", "live.steps", 1, 1000),
    "extend": ("More epochs", "live.epochs", 5, 10_000),
}


def controls(now: Snapshot, in_control: bool) -> None:
    """The buttons of the actions that are possible now, always in the same order."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="live-controls"):
        for action, (label, icon, key, about) in BUTTONS.items():
            if action not in now.actions:
                continue
            st.button(
                label,
                icon=icon,
                key=f"live.{action}",
                help=about,
                shortcut=key,
                disabled=not in_control,
                type="primary" if action == "resume" and now.state == "paused" else "secondary",
                on_click=act,
                args=(now.run, action),
            )
            if action in AMOUNTS:
                title, name, first, most = AMOUNTS[action]
                st.number_input(title, 1, most, first, key=name, width=130, disabled=not in_control)


def act(run: str, action: str) -> None:
    """Do what a button of a run says; where the run has changed since, that is told."""
    amount = int(st.session_state[AMOUNTS[action][1]]) if action in AMOUNTS else 1
    _try(lambda: manager().act(run, action, amount=amount, viewer=viewer()))


def _try(click) -> None:
    """Do what was clicked; show an error as a toast."""
    try:
        click()
    except UserError as error:  # the run has changed since the page was drawn
        st.toast(markdown(str(error)), icon=":material/info:")


def viewers(role: ViewerRole) -> None:
    """Which viewer has the controls; nothing for a single viewer."""
    if not role.others:
        return
    others = f"{role.others} other viewer{'s' * (role.others != 1)}"
    with st.container(horizontal=True, vertical_alignment="center", key="live-viewers"):
        if role.steers:
            st.caption(f":material/sports_esports: You have the controls; {others}.")
            st.button(
                "Release the controls",
                icon=":material/back_hand:",
                key="live.hand_over",
                type="tertiary",
                help="Any viewer can then take them.",
                on_click=lambda: manager().viewers.hand_over(viewer()),
            )
        elif role.free:
            st.caption(f":material/sports_esports: No viewer has the controls; {others}.")
            st.button(
                "Take the controls",
                icon=":material/sports_esports:",
                key="live.take",
                on_click=lambda: _try(lambda: manager().viewers.take(viewer())),
            )
        else:
            st.caption(
                ":material/visibility: View only: another browser has the controls and can release them."
            )


def queue(in_control: bool) -> None:
    """The queued runs in order, each with buttons to move and remove it."""
    queued = manager().queue()
    if not queued:
        return
    st.markdown("**Queued runs**, in the order in which they start")
    if (held := manager().held()) is not None:
        with st.container(horizontal=True, vertical_alignment="center", key="live-held"):
            st.caption(
                f"They wait while “{markdown(manager().snapshot(held).title)}” is paused, so that its next "
                f"step starts at once; at most {duration(manager().hold_seconds)} after its last step.",
                width="content",
            )
            st.button(
                "Start the queued runs now",
                icon=":material/play_arrow:",
                key="live.release",
                disabled=not in_control,
                on_click=lambda: _try(lambda: manager().release(held, viewer=viewer())),
            )
    for place, run in enumerate(queued):
        with st.container(horizontal=True, vertical_alignment="center", key=f"live-queue-{place}"):
            st.page_link(
                "pages/3_Live.py",
                label=markdown(f"{place + 1}. {manager().snapshot(run).title}"),
                query_params={"run": run},
                width=330,
            )
            for label, icon, places, possible in (
                ("Move up", ":material/arrow_upward:", -1, place > 0),
                ("Move down", ":material/arrow_downward:", 1, place < len(queued) - 1),
            ):
                st.button(
                    label,
                    icon=icon,
                    key=f"live.move.{places}.{run}",
                    disabled=not (in_control and possible),
                    on_click=_move,
                    args=(run, places),
                )
            st.button(
                "Remove",
                icon=":material/close:",
                key=f"live.remove.{run}",
                disabled=not (in_control and "cancel" in manager().snapshot(run).actions),
                on_click=act,
                args=(run, "cancel"),
            )


def _move(run: str, places: int) -> None:
    _try(lambda: manager().reorder(run, places, viewer=viewer()))
