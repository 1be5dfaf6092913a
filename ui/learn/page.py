"""The Learn page: the story, the triangle, one image, the formula, exercises."""

from dataclasses import replace
from urllib.parse import urlencode

import streamlit as st

from ueo_core.learn.link import CONTROLS, SIZES, VIEWS, Link, parameters
from ueo_core.learn.scenes import SCENES, Look
from ui.common.shell import ROOT
from ui.learn import formula, image, live, navigation, state, story, teacher, triangle

_KEYS = st.components.v2.component(
    "ueo_learn_keys",
    js=(ROOT / "assets" / "learn" / "keys.js").read_text(encoding="utf-8"),
)
TITLES = {
    "triangle": "Three classes, sixty images, ten trained parameters",
    "image": "One image, from cosines to weight",
    "formula": "The formula, symbol by symbol",
    "exercises": "Exercises",
}  # the scenes of the story have their own titles
BASE = 17  # pixels, the theme's base size
KEYS = """**Keys.** ← → or the page keys of a remote: change the scene · Space: play or pause · . and , : one step forward or
back; move the threshold or the temperature · 0: back to step 0 · B: new batch, new drawings · V: reveal · 1–3: predict · 1–8: mark a drawing
as unknown · A S E G P: the live run · K L: another drawing · F: present or exit"""


def page() -> None:
    """Draw the page for the state in the URL.

    All of it is a fragment: a change of the scene does not redraw the sidebar, which saves a third
    of the time. What is below the menu is a fragment in it, always the same one and always in the
    same place: Streamlit keeps old elements on the screen if a fragment that no longer exists is
    run again at the moment at which the fragment around it ends.
    """
    state.read_url()
    st.fragment(_page, key="learn.page")()


def _page() -> None:
    for name, value in state.changed_widgets().items():
        if name == "scene":
            navigation.go(value)  # with the scene's own settings
        else:
            state.set_checked(name, value)
    link = state.load()
    st.html(_style(link))
    _KEYS(key="learn.keys", height=1)
    _menu(link)
    state.fragment(link, _view, live.tick)


def _view() -> None:
    """What is below the menu."""
    link = state.load()
    if link.view in TITLES and not link.present:
        st.markdown(f"## {TITLES[link.view]}")
    {
        "story": story.show,
        "triangle": _triangle,
        "image": image.show,
        "formula": formula.formula,
        "exercises": formula.exercises,
    }[link.view](link)


def _style(link: Link) -> str:
    """The styles of the page, with the type size: everything measured in rem grows with it."""
    size = f"{BASE * float(link.size):g}px"
    if link.present:  # so large that a scene still fits on one screen
        size = f"calc({float(link.size):g} * max({BASE}px, min(1.22vw, 2.15vh)))"
    bare = link.present or not state.is_shown(link, "nav")
    extra = _PRESENT if link.present else _PHONE
    if link.view == "story" and not link.present:
        extra += _STEPS
    look = SCENES[link.scene].look
    if link.present and link.view == "story" and look and len(look.methods) == 1:
        extra += _BESIDE
    return f"""<style>
html {{ font-size: {size} !important; }}
[data-testid="stMainBlockContainer"] {{ padding-top: 3.6rem; padding-bottom: 1rem; }}
@media (min-width: 900px) {{ /* the toolbar contains only a menu: the page starts beside it */
  [data-testid="stHeader"], [data-testid="stHeader"] * {{ background: transparent; pointer-events: none; }}
  [data-testid="stHeader"] button, [data-testid="stHeader"] button * {{ pointer-events: auto; }}
  [data-testid="stMainBlockContainer"] {{ padding-top: 1.1rem; }}
}}
[data-testid="stMainBlockContainer"] h2 {{ padding: 0.2rem 0; }}
.st-key-learn-glossary {{ columns: 24rem auto; column-gap: 2.5rem; display: block; }}
.st-key-learn-formula {{ container-type: inline-size; }}
.st-key-learn-formula .katex {{ font-size: min(1.21em, 6.2cqi); }} /* no line is cut off */
.st-key-learn-glossary > * {{ break-inside: avoid; margin-bottom: 0.6rem; }}
{_BARE if bare else ""}{extra}</style>"""


_BARE = """[data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"],
[data-testid="stExpandSidebarButton"] { display: none; }
"""
# A single triangle takes the whole height; triangle.css leaves the right column free for the text.
_BESIDE = """@media (min-width: 900px) {
  .st-key-learn-story { position: relative; }
  .st-key-learn-text { position: absolute; right: 0; top: 0; width: 36%; z-index: 1; }
}
@media (min-width: 900px) and (max-height: 800px) {
  .st-key-learn-text p.learn-lead, .st-key-learn-text p.learn-do { font-size: 1rem; }
}
"""
_STEPS = """@media (min-width: 900px) and (max-width: 1250px) { /* first row: views and Present; second row: scenes */
  .st-key-learn-view { order: -2; min-width: calc(100% - 9rem); }
  .st-key-learn-present { order: -1; }
}
@media (max-width: 640px) { /* Back and Next side by side below the list of scenes */
  .st-key-learn-view { order: -2; }
  .st-key-learn-scene { order: -1; }
}
"""
# Nobody presents with a phone, and its browser shares the address itself: two rows less.
_PHONE = """@media (max-width: 640px) { .st-key-learn-present, .st-key-learn-share { display: none; } }
"""
_PRESENT = """[data-testid="stHeader"] { display: none; }
[data-testid="stMainBlockContainer"] { max-width: none; padding: 0.6rem 2rem 0.5rem; }
[data-testid="stVerticalBlock"] { gap: 0.55rem; }
[data-testid="stMarkdownContainer"]:has(h2) { margin-bottom: 0; }
.st-key-learn-title { display: none; } /* the list of scenes shows the title: this saves a row */
.st-key-learn-live-grid :is([data-testid="stEChartsChart"], [data-testid="stEChartsChart"] > :first-child) { height: max(300px, 100vh - 26rem) !important; }
.st-key-learn-question { gap: 0.4rem; }
.st-key-learn-question button p { font-size: 1.1rem; }
.learn-ask, .learn-outcome { font-size: 1.15rem; }
.learn-squares { max-width: none; grid-template-columns: repeat(auto-fit, minmax(min(14rem, 100%), 1fr)); }
.learn-squares .all { max-height: 52vh; max-width: 52vh; }
.learn-squares figcaption { max-width: none; font-size: 1.1rem; }
.st-key-learn-scene { min-width: min(31rem, 100%); }
.st-key-learn-scene input { font-size: 1.3rem; font-weight: 650; }
@media (max-height: 800px) {
  p.learn-lead { font-size: 1.1rem; line-height: 1.4; }
  p.learn-do { font-size: 1.05rem; margin: 0.1rem 0; }
  .learn-ask, .learn-outcome { font-size: 1.05rem; }
  .st-key-learn-question button { padding: 0.1rem 0.5rem; min-height: 2.1rem; }
  .st-key-learn-question button p { font-size: 1rem; }
}
"""


def _menu(link: Link) -> None:
    """The views, the scenes, Present and Share, in one row if there is space."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if state.is_shown(link, "menu") and not link.present:
            st.segmented_control(
                "View",
                list(VIEWS),
                format_func=VIEWS.get,
                key=state.key("view"),
                label_visibility="collapsed",
            )
        if link.view == "story" and state.is_shown(link, "scenes"):
            navigation.steps(link)
        if link.view in TITLES and link.present:  # in this row, to leave more height to the picture
            st.markdown(f"## {TITLES[link.view]}")
        st.space("stretch")
        if state.is_shown(link, "teacher") and link.view == "story" and not link.present:
            with st.container(key="learn-teacher", width="content"):
                if st.button(
                    "For the teacher",
                    type="tertiary",
                    help="Minutes, questions, what to expect and common wrong answers for each scene.",
                ):
                    teacher.show()
        if state.is_shown(link, "present"):
            st.button(
                "Exit" if link.present else "Present",
                icon=":material/close_fullscreen:" if link.present else ":material/slideshow:",
                shortcut="F",
                key="learn.present",
                help="Large type and one scene per screen, without the sidebar; the link keeps this.",
                on_click=lambda: state.change(present=1 - link.present),
            )
        if state.is_shown(link, "share-link") and not link.present:
            with st.popover(
                "Share", icon=":material/link:", help="Link, type size and keys", key="learn.share"
            ):
                _share(link)


def _share(link: Link) -> None:
    """Type size, and a link to this view in which some controls can be hidden."""
    st.segmented_control(
        "Type size",
        list(SIZES),
        format_func=SIZES.get,
        key=state.key("size"),
    )
    hidden = st.multiselect(
        "Hide in the link", list(CONTROLS), format_func=CONTROLS.get, key="learn.share.hide"
    )
    wanted = replace(link, hide=tuple(c for c in CONTROLS if c in {*hidden, *link.hide}))
    st.caption("The link contains the whole state: everyone who opens it sees this view.")
    address = st.context.url.split("?")[0] if st.context.url else ""
    query = urlencode(parameters(wanted), safe=",")
    st.code(f"{address}?{query}" if query else address, language=None, wrap_lines=True)
    st.caption(KEYS)


def _triangle(link: Link) -> None:
    triangle.show(link, Look(star=True), with_settings=True, with_presets=True)
