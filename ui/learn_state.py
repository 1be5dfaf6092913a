"""The Learn page's state between the URL, the session and the widgets."""

from dataclasses import fields, replace

import streamlit as st

from ueo_core.learn import Knobs, Link, parameters, parse

KEPT = ("run", "data")  # query parameters of other pages that this one passes on
WIDGETS = ("view", "scene", "size", "hide", "draw", "line", "picked", "temperature", "symbol")
_WRITTEN = "learn.written"  # the parameters as this page last wrote them
_LINK = "learn.link"
_SENT = "learn.sent"


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
    for name in WIDGETS:
        st.session_state[key(name)] = getattr(link, name)
    for field in fields(Knobs):
        st.session_state[key(f"knob.{field.name}")] = getattr(link.knobs, field.name)
    write(link)


def change(**values) -> None:
    """Replace parts of the state; for callbacks, which run before anything is drawn."""
    put(replace(st.session_state[_LINK], **values))


def note(**values) -> None:
    """Keep what the viewer did within the triangle: for the URL, not to be sent back to it."""
    sent = st.session_state[_SENT]
    put(replace(st.session_state[_LINK], **values))
    st.session_state[_SENT] = sent


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
    if name == "hide":
        value = tuple(value)
    if value is None:  # a segmented control that was clicked off
        value = getattr(link, name)
    put(parse(parameters(replace(link, **{name: value}))))


def take_knob(name: str) -> None:
    """Callback of a knob's widget."""
    link = st.session_state[_LINK]
    knobs = replace(link.knobs, **{name: st.session_state[key(f"knob.{name}")]}).within()
    put(replace(link, knobs=knobs))


def shown(link: Link, control: str) -> bool:
    """Whether the link leaves a control visible."""
    return control not in link.hide
