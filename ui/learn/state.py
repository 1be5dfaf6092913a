"""The Learn page's state between the URL, the session and the widgets.

A browser that is told of a new state goes on speaking from the old one until it has heard: with the
old address, with the old values of widgets, for a picture that is no more. None of this may turn
back what was turned meanwhile, or the words of one scene stand above the picture of another. So
addresses are read by runs of the whole page, widgets by runs of the fragment that holds them all.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import streamlit as st

from ueo_core.learn.link import Link, parameters, parse
from ueo_core.learn.scenes import SWITCHES

KEPT = ("run", "data")  # query parameters of other pages that this one passes on
WIDGETS = ("view", "scene", "size")
_WRITTEN = "learn.written"  # the parameters as this page last wrote them
_LINK = "learn.link"
_SENT = "learn.sent"
OWN_LOOK = {"arrows": "", "dots": ""} | dict.fromkeys(
    SWITCHES, ""
)  # the scene's own, nothing chosen


def key(name: str) -> str:
    """The widget key of a part of the state."""
    return f"learn.{name}"


def adopt() -> None:
    """Let a URL that this page did not write (a link, back, forward) overrule the state.

    For runs of the whole page, as those three are; whatever is touched on it runs a fragment.
    """
    now = {k: v for k, v in st.query_params.items() if k not in KEPT}
    if _LINK not in st.session_state or now != st.session_state.get(_WRITTEN):
        put(parse(now))


def load() -> Link:
    """The state now."""
    return st.session_state[_LINK]


def put(link: Link) -> None:
    """Make this the state: for the next drawing, and for every widget that shows a part of it."""
    st.session_state[_LINK] = st.session_state[_SENT] = link
    _widgets(link)
    write(link)


def _widgets(link: Link) -> None:
    for name in WIDGETS:
        st.session_state[key(name)] = getattr(link, name)


def picked() -> dict[str, str]:
    """What the viewer has chosen in a widget, by the name of the part of the state. Before any is drawn.

    A callback of theirs would not do: it is called whoever sends a message, and a picture's comes
    with what the list of scenes showed before the browser heard that Python has turned one.
    """
    link, found = load(), {}
    for name in WIDGETS:
        value = st.session_state.get(key(name))
        if value is None:  # clicked off, or forgotten while another page was shown
            st.session_state[key(name)] = getattr(link, name)
        elif value != getattr(link, name):
            found[name] = value
    return found


def fragment(link: Link, draw: Callable[[], None], name: str) -> None:
    """Draw a part of the page in a fragment of its own. link: what the page around is drawn for.

    A picture touched and the page turned in one breath arrive as one message, which runs the
    touched fragment alone: then the page has to follow.
    """

    def part() -> None:
        now = load()
        if (now.view, now.scene) != (link.view, link.scene):
            again()
        draw()

    st.fragment(part, key=f"learn.{name}")()


def again() -> NoReturn:
    """Draw the whole page anew, from the state and not from the address that the browser had."""
    write(load())
    _widgets(load())
    st.rerun()


def change(**values) -> None:
    """Replace parts of the state; for callbacks, which run before anything is drawn."""
    put(replace(st.session_state[_LINK], **values))


def note(settled: bool, **values) -> None:
    """Keep what the viewer did within the triangle: not to be sent back to it. settled: for the URL, too."""
    link = st.session_state[_LINK] = replace(st.session_state[_LINK], **values)
    if settled:
        write(link)


def sent() -> Link:
    """The state that the triangle was last told to show; the viewer may have gone on since."""
    return st.session_state[_SENT]


def write(link: Link) -> None:
    """Put the state into the URL, and leave what belongs to other pages."""
    wanted = parameters(link)
    st.session_state[_WRITTEN] = wanted
    kept = {k: st.query_params[k] for k in KEPT if k in st.query_params}
    if dict(st.query_params.items()) != wanted | kept:
        st.query_params.from_dict(wanted | kept)


def take(name: str, value: str) -> None:
    """Make what was picked part of the state, checked as a link would be."""
    put(parse(parameters(replace(load(), **{name: value}))))


def shown(link: Link, control: str) -> bool:
    """Whether the link leaves a control visible."""
    return control not in link.hide
