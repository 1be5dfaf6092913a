"""What is shown of a run, and how; the URL holds all of it, so a link reproduces the view."""

import re
from dataclasses import dataclass

import streamlit as st

from ueo_core.runs.snapshot import Snapshot

PRESENTED = ("hills", "signs", "loss")  # panels of the presentation, unless others are chosen
MOST = 3
NAMES = {
    "hills": "Score distributions",
    "signs": "Metrics by epoch",
    "loss": "Loss and terms",
    "weights": "Image weights",
    "change": "Change by layer",
    "batch": "Last batch",
}


@dataclass(frozen=True)
class View:
    """The view options, as read from the URL."""

    present: bool  # large type and few panels
    panels: tuple[str, ...]  # of the presentation
    first: int  # steps shown
    last: int | None  # None: to the end of the run


def current() -> View:
    """The view of the URL; invalid values are ignored."""
    names = st.query_params.get("panels", "").split(",")
    panels = tuple(dict.fromkeys(p for p in names if p in NAMES))[:MOST]
    span = re.fullmatch(r"(\d{1,9})-(\d{1,9})", st.query_params.get("steps", ""))
    first, last = (int(span[1]), int(span[2])) if span else (0, None)
    if last is not None and last <= first:
        first, last = 0, None
    return View(st.query_params.get("present") == "1", panels or PRESENTED, first, last)


def _set_parameter(name: str, value: str | None) -> None:
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value


def present_button(view: View) -> None:
    """Enter and leave the presentation view."""
    st.button(
        "Exit presentation" if view.present else "Present",
        icon=":material/close_fullscreen:" if view.present else ":material/slideshow:",
        key="live.present",
        shortcut="F",
        help="Large text and three panels. The URL keeps this view.",
        on_click=_present,
        args=(not view.present,),
    )


def _present(on: bool) -> None:
    _set_parameter("present", "1" if on else None)
    st.session_state["live.whole"] = True  # rerun the page, not only the fragment


def choices(view: View, now: Snapshot) -> None:
    """Choose the steps that the curves show and the panels of the presentation."""
    zoomed = view.last is not None
    label = f"Steps {view.first:,} to {view.last:,}" if zoomed else "View"
    with st.popover(label, icon=":material/zoom_in:", key="live.view"):
        if view.present:
            st.multiselect(
                "Panels",
                NAMES,
                view.panels,
                format_func=NAMES.get,
                max_selections=MOST,
                key="live.panels",
                on_change=_choose_panels,
            )
        if now.steps > 1:
            end = min(view.last or now.steps, now.steps)
            st.slider(
                "Steps shown",
                0,
                now.steps,
                (min(view.first, end - 1), end),
                key="live.span",
                on_change=_zoom,
                args=(now.steps,),
                help="Applies to the curves and the chart of layers. The URL keeps it, also while the run continues.",
            )
            st.button(
                "Show all steps",
                icon=":material/zoom_out_map:",
                key="live.unzoom",
                disabled=not zoomed,
                on_click=_set_parameter,
                args=("steps", None),
            )
        else:
            st.caption("There are no steps yet.")


def _choose_panels() -> None:
    chosen = st.session_state["live.panels"]
    _set_parameter("panels", ",".join(chosen) if chosen and tuple(chosen) != PRESENTED else None)


def _zoom(steps: int) -> None:
    first, last = st.session_state["live.span"]
    whole = (first, last) == (0, steps) or first == last
    _set_parameter("steps", None if whole else f"{first}-{last}")
