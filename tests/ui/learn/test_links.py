"""Each control of Learn: visible by default, hidden by a link, and the link of the page hides it too."""

import json
import re
from functools import cache

import pytest
from streamlit.testing.v1 import AppTest

from tests.helpers.pages import ROOT, at
from ueo_core.learn.link import CONTROLS, Link, parameters, parse
from ui.common import shell
from ui.learn.page import KEYS

SETTINGS = {"kind", "share", "sure", "trade", "temperature", "absent", "seed"}
LIVE = ("Start", "Step", "Six steps", "Resume", "Pause", "Stop and keep")
HIDDEN = {  # control → a place that has it, and what a link hides with it
    "nav": ("scene=guess", {"nav"}),
    "menu": ("scene=guess", {"View"}),
    "scenes": ("scene=guess", {"Back", "Next", "Scene"}),
    "predict": (
        "scene=guess",
        {"no class", "a class, mostly below 50 %", "a class, mostly above 50 %", "Show them"},
    ),
    "teacher": ("scene=guess", {"For the teacher"}),
    "present": ("scene=guess", {"Present"}),
    "share-link": ("scene=guess", {"popover", "Type size"}),
    "presets": ("view=triangle", {"presets"}),
    "knobs": ("view=triangle", SETTINGS),
    "seed": ("view=triangle", {"seed", "batch"}),
    **{name: ("view=triangle", {name}) for name in sorted(SETTINGS - {"seed"})},
    **{name: ("view=triangle", {name}) for name in ("drag", "play", "look")},
    "all-knobs": ("scene=term-one", {"All settings"}),
    "ticks": ("scene=strangers", {"guessing"}),
    "reveal": ("scene=strangers", {"Reveal"}),
    "line": ("scene=hills&played=1", {"movable"}),
    "live": ("scene=live", {*LIVE}),
    "to-live": ("scene=moved&played=1", {"Go to the live run"}),
    "pick": ("view=image", {"Previous", "Next"}),
    "drop": ("view=image", {"Upload an image, or choose a drawing"}),
    "zoom": ("view=image", {"movable"}),
    "symbols": ("view=formula", {"choosable"}),
    "to-scene": ("view=formula", {"leads"}),
    "try": ("view=exercises", {"Try it"}),
    "answers": ("view=exercises", {"Answer"}),
}
WIDGETS = ("button", "selectbox", "button_group", "file_uploader", "expander")


@pytest.fixture(scope="module")
def learn(tmp_path_factory):
    """Opens the page by query parameters; `shown` and `shortcuts` of a place are computed once."""

    def opened(**query: str) -> AppTest:
        return at(AppTest.from_file(str(ROOT / "app.py"), default_timeout=60), "7_Learn", **query)

    opened.plain = cache(lambda place: opened(**query_of(place)))
    opened.shown = lambda place: controls(opened.plain(place))
    opened.shortcuts = lambda place: [
        b.proto.shortcut for b in opened.plain(place).button if b.proto.shortcut
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UEO_STUDIO_HOME", str(tmp_path_factory.mktemp("home")))
        yield opened
    shell.shutdown()


def query_of(place: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in place.split("&"))


def controls(app: AppTest) -> set[str]:
    """The names of all controls on the page."""
    found = {e.label for kind in WIDGETS for e in app.get(kind)}
    found |= {"popover"} if app.get("popover") else set()
    bare = any('[data-testid="stSidebar"]' in h.proto.body for h in app.get("html"))
    found |= set() if bare else {"nav"}
    for element in app.get("bidi_component"):
        data = json.loads(element.proto.json or "{}")
        found |= {h["name"] for h in data.get("controls", ())}
        found |= {"presets"} if data.get("presets") else set()
        found |= {name for name, shown in data.get("show", {}).items() if shown}
        found |= {k for k in ("guessing", "movable", "choosable", "leads") if data.get(k)}
    return found


def test_every_control_is_in_the_table():
    assert HIDDEN.keys() == CONTROLS.keys()


@pytest.mark.parametrize("control", CONTROLS)
def test_a_link_hides_this_control_and_no_other(learn, control):
    place, hidden = HIDDEN[control]
    app = learn(**query_of(place), hide=control)
    assert learn.shown(place) - controls(app) == hidden
    assert controls(app) < learn.shown(place)
    assert app.query_params["hide"] == control  # the page keeps it in its link
    assert parameters(parse({"hide": control})) == {"hide": control}
    assert parse({"hide": control}) == Link(hide=(control,))


def test_the_listed_keys_are_those_of_the_page(learn):
    places = {place for place, _ in HIDDEN.values()}
    asked = {b for place in places for b in learn.shortcuts(place)}
    letters = set(re.findall(r"\b[A-Z]\b", KEYS))
    places_of_digits = {"1", "2", "3"}  # of the predictions
    assert asked == {"left", "right", "space"} | places_of_digits | {
        letter.lower() for letter in letters
    }
    scripts = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "assets/learn").glob("*.js"))
    for key in (
        '" ": ()',
        '".": ()',
        '",": ()',
        "0: ()",
        "b: ()",
        '"12345678"',
        "PageDown",
        "PageUp",
    ):
        assert key in scripts
