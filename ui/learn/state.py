"""The Learn page's state between the URL, the session and the widgets.

After a change of the state, the browser keeps sending messages with the old state until it has
received the new one: with the old address, with old values of widgets, for a picture that has been
replaced. These must not undo the change, or the text of one scene would appear above the picture
of another. Therefore only runs of the whole page read the address, and only runs of the fragment
that contains all widgets read their values.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import streamlit as st

from ueo_core.learn.link import Link, parameters, parse
from ueo_core.learn.scenes import SWITCHES

OTHER_PARAMETERS = ("run", "data")  # query parameters of other pages; they stay in the URL
WIDGETS = ("view", "scene", "size")
_WRITTEN = "learn.written"  # the parameters that this page wrote last
_LINK = "learn.link"
_SENT = "learn.sent"
# The scene's own look: the viewer has chosen nothing.
DEFAULT_LOOK = {"arrows": "", "dots": ""} | dict.fromkeys(SWITCHES, "")


def key(name: str) -> str:
    """The widget key of a part of the state."""
    return f"learn.{name}"


def read_url() -> None:
    """Let a URL that this page did not write (a link, Back, Forward) replace the state.

    For runs of the whole page only: these three cause one, while a control runs a fragment.
    """
    now = {k: v for k, v in st.query_params.items() if k not in OTHER_PARAMETERS}
    if _LINK not in st.session_state or now != st.session_state.get(_WRITTEN):
        replace_state(parse(now))


def load() -> Link:
    """The current state."""
    return st.session_state[_LINK]


def replace_state(link: Link) -> None:
    """Make this the state, for the next run and for every widget that shows a part of it."""
    st.session_state[_LINK] = st.session_state[_SENT] = link
    _set_widgets(link)
    write_url(link)


def _set_widgets(link: Link) -> None:
    for name in WIDGETS:
        st.session_state[key(name)] = getattr(link, name)


def changed_widgets() -> dict[str, str]:
    """What the viewer has chosen in widgets: name of the part of the state → value.

    To be called before the widgets are drawn. Callbacks of the widgets cannot replace it: they run
    for every message, and the message of a picture may contain the old value of the list of scenes.
    """
    link, found = load(), {}
    for name in WIDGETS:
        value = st.session_state.get(key(name))
        if value is None:  # deselected, or removed while another page was shown
            st.session_state[key(name)] = getattr(link, name)
        elif value != getattr(link, name):
            found[name] = value
    return found


def fragment(link: Link, draw: Callable[[], None], tick: Callable[[Link], float | None]) -> None:
    """Draw a part of the page in its own fragment. link: the state for which the page is drawn

    tick: seconds after which this view is drawn again, None for never

    If a picture and the scene change at the same time, one message reports both and runs only
    the fragment of the picture: then the whole page must be drawn again. It also must if `tick`
    has changed: a fragment cannot change its own timer.
    """
    every = tick(link)

    def part() -> None:
        now = load()
        if (now.view, now.scene) != (link.view, link.scene) or tick(now) != every:
            rerun_page()
        draw()

    st.fragment(part, run_every=every, key="learn.part")()


def rerun_page() -> NoReturn:
    """Run the whole page again, from the state and not from the address of the browser."""
    write_url(load())
    _set_widgets(load())
    st.rerun()


def change(**values) -> None:
    """Replace parts of the state; for callbacks, which run before the page is drawn."""
    replace_state(replace(st.session_state[_LINK], **values))


def remember(settled: bool, **values) -> None:
    """Keep what the viewer changed in a picture, without sending it back to the picture.

    settled: whether to write it into the URL as well
    """
    link = st.session_state[_LINK] = replace(st.session_state[_LINK], **values)
    if settled:
        write_url(link)


def last_sent() -> Link:
    """The state that was last sent to the pictures; the viewer may have changed it since."""
    return st.session_state[_SENT]


def write_url(link: Link) -> None:
    """Write the state into the URL, and keep the parameters of other pages."""
    wanted = parameters(link)
    st.session_state[_WRITTEN] = wanted
    others = {k: st.query_params[k] for k in OTHER_PARAMETERS if k in st.query_params}
    if dict(st.query_params.items()) != wanted | others:
        st.query_params.from_dict(wanted | others)


def set_checked(name: str, value: str) -> None:
    """Set a part of the state to what the viewer has chosen, checked like a link."""
    replace_state(parse(parameters(replace(load(), **{name: value}))))


def is_shown(link: Link, control: str) -> bool:
    """Whether a control is visible: a link can hide it."""
    return control not in link.hide
