"""The Learn page's state between the URL, the session and the widgets."""

from dataclasses import replace

import streamlit as st

from ueo_core.learn import SWITCHES, Link, parameters, parse

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


def load() -> Link:
    """The state now. A URL that this page did not write (a link, back, forward) overrules it."""
    now = {k: v for k, v in st.query_params.items() if k not in KEPT}
    if _LINK not in st.session_state or now != st.session_state.get(_WRITTEN):
        put(parse(now))
    return st.session_state[_LINK]


def put(link: Link) -> None:
    """Make this the state: for the next drawing, and for every widget that shows a part of it."""
    st.session_state[_LINK] = st.session_state[_SENT] = link
    _widgets(link)
    write(link)


def _widgets(link: Link) -> None:
    for name in WIDGETS:
        st.session_state[key(name)] = getattr(link, name)


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


def take(name: str) -> None:
    """Callback of a widget: its value becomes part of the state, checked as a link would be."""
    link = st.session_state[_LINK]
    value = st.session_state[key(name)]
    if value is None:  # a segmented control that was clicked off
        value = getattr(link, name)
    put(parse(parameters(replace(link, **{name: value}))))


def shown(link: Link, control: str) -> bool:
    """Whether the link leaves a control visible."""
    return control not in link.hide
