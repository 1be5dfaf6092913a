"""The page's whole state as query parameters, and back. Hand-typed links never fail."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from ueo_core.learn.formula import SYMBOLS
from ueo_core.learn.knobs import KINDS, PRESETS, STEPS, Knobs
from ueo_core.learn.scenes import ARROWS, DOTS, SCENES

VIEWS = {
    "story": "Story",
    "triangle": "Triangle",
    "image": "One image",
    "formula": "Formula",
    "exercises": "Exercises",
}
PRESENTED = 1.35  # how much larger type is while presenting
SIZES = {"1": "Desk", "1.25": "Room", "1.5": "Hall"}  # type size, as a factor

# What a link may hide, in the order of the page.
CONTROLS = {
    "nav": "the studio's other pages",
    "menu": "the row of views",
    "scenes": "the steps through the story",
    "present": "the button for presenting",
    "share-link": "the link for sharing",
    "presets": "the presets",
    "knobs": "all sliders",
    "kind": "the kind of unknown images",
    "share": "the share of unknown images",
    "sure": "the confidence of known images",
    "trade": "λ",
    "temperature": "the weights' temperature",
    "absent": "the empty class",
    "seed": "the seed, and other batches",
    "drag": "moving dots by hand",
    "play": "the play bar",
    "look": "the choice of arrows and dots",
    "all-knobs": "the button to the triangle",
    "ticks": "the guesses",
    "reveal": "the reveal button",
    "line": "the threshold",
    "live": "the buttons of the live run",
    "to-live": "the button to the live run",
    "pick": "the choice of a drawing",
    "drop": "the image upload",
    "zoom": "the temperature of one image",
    "symbols": "the choice of a symbol",
    "to-scene": "the button to a symbol's scene",
    "try": "the buttons of the exercises",
    "answers": "the answers to the exercises",
}


@dataclass(frozen=True)
class Link:
    """Everything that decides what the page shows."""

    view: str = "story"  # a key of VIEWS
    scene: str = "guess"  # a key of SCENES
    size: str = "1"  # a key of SIZES
    present: int = 0  # 1: the projector's view, nothing but the page in large type
    hide: tuple[str, ...] = ()  # keys of CONTROLS
    knobs: Knobs = field(default_factory=Knobs)
    step: int = 0  # of the triangle, 0–STEPS
    arrows: str = ""  # a key of ARROWS; empty: the scene's own
    dots: str = ""  # a key of DOTS; empty: the scene's own
    star: str = ""  # "0" or "1": the mean prediction hidden or shown; empty: the scene's own
    shade: str = ""  # "0" or "1": uncertainty as shading; empty: the scene's own
    trails: str = ""  # "0" or "1": the paths so far; empty: the scene's own
    draw: int = 0  # seed of the eight drawings
    ticks: int = 0  # which of the eight are guessed to be unknown, one bit each
    reveal: int = 0  # 1: the unknown ones among the eight are shown
    line: int = 5  # known drawings below the threshold, percent
    picked: int = 0  # the drawing that is shown in detail, index into the test set
    temperature: float = 1.0  # of the anatomy's softmax, 1 … logit scale
    symbol: str = "p"  # of the formula, a key of SYMBOLS

    @property
    def scale(self) -> float:
        """Size of type against the app's own, for what is measured in pixels."""
        return float(self.size) * (PRESENTED if self.present else 1)


# Parameter names, short because people read links aloud; the knobs' own names behind them.
NUMBERS = {
    "present": (0, 1),
    "step": (0, STEPS),
    "draw": (0, 999),
    "ticks": (0, 255),
    "reveal": (0, 1),
    "line": (0, 100),
    "picked": (0, 9999),
    "temperature": (1.0, 100.0),
}
CHOICES = {
    "view": VIEWS,
    "size": SIZES,
    "arrows": ARROWS,
    "dots": DOTS,
    "star": ("0", "1"),
    "shade": ("0", "1"),
    "trails": ("0", "1"),
    "symbol": SYMBOLS,
}
NAMES = {"temperature": "zoom"}  # the knob of the triangle keeps `temperature`
KNOBS = [f.name for f in fields(Knobs)]


def parse(parameters: Mapping[str, str]) -> Link:
    """The state of a link. Unknown names are ignored, bad values fall back to the default."""
    link = Link()
    values: dict = {}
    scene = parameters.get("scene", link.scene)
    values["scene"] = scene if scene in SCENES else link.scene
    for name, allowed in CHOICES.items():
        if parameters.get(name) in allowed:
            values[name] = parameters[name]
    hidden = parameters.get("hide", "").split(",")
    values["hide"] = tuple(c for c in CONTROLS if c in hidden)
    for name, (low, high) in NUMBERS.items():
        value = _number(parameters.get(NAMES.get(name, name)), type(low))
        if value is not None:
            values[name] = min(max(value, low), high)
    preset = parameters.get("preset")
    base = PRESETS[preset].knobs if preset in PRESETS else SCENES[values["scene"]].knobs
    if preset not in PRESETS and values.get("view", link.view) != "story":
        base = Knobs()
    return replace(link, **values, knobs=_knobs(parameters, base))


def _knobs(parameters: Mapping[str, str], base: Knobs) -> Knobs:
    chosen: dict = {}
    for name, (low, _, _) in Knobs.RANGES.items():
        value = _number(parameters.get(name), type(low))
        if value is not None:
            chosen[name] = value
    if parameters.get("kind") in KINDS:
        chosen["kind"] = parameters["kind"]
    if parameters.get("absent") in ("0", "1"):
        chosen["absent"] = parameters["absent"] == "1"
    if "moved" in parameters:
        chosen["moved"] = _moved(parameters["moved"])
    return replace(base, **chosen).within()


def turned(asked: Mapping, base: Knobs) -> Knobs:
    """Knobs as the page's script sends them, checked as a link would be. asked: JSON data."""
    return _knobs({name: _text(value) for name, value in asked.items()}, base)


def _moved(text: str) -> tuple[tuple[int, int, int], ...]:
    """ "12-30-40.13-5-90": which image, p_A, p_B in percent; what is no such triple is left out."""
    found = []
    for part in text.split("."):
        numbers = part.split("-")
        if len(numbers) == 3 and all(n.isdecimal() and len(n) < 4 for n in numbers):
            image, a, b = map(int, numbers)
            found.append((image, a, b))
    return tuple(found)


def _number(text: str | None, kind: type):
    try:
        value = float(text or "")
    except ValueError:
        return None
    return kind(value) if abs(value) < 1e6 else None  # false for NaN and infinity, too


def parameters(link: Link) -> dict[str, str]:
    """The shortest query parameters that `parse` turns into this state."""
    plain, found = Link(), {}
    for name in ("scene", *CHOICES):
        if getattr(link, name) != getattr(plain, name):
            found[name] = getattr(link, name)
    if link.hide:
        found["hide"] = ",".join(link.hide)
    for name in NUMBERS:
        if getattr(link, name) != getattr(plain, name):
            found[NAMES.get(name, name)] = f"{getattr(link, name):g}"
    base = SCENES[link.scene].knobs if link.view == "story" else Knobs()
    for name in KNOBS:
        value = getattr(link.knobs, name)
        if value != getattr(base, name):
            found[name] = _text(value)
    return found


def _text(value) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (tuple, list)):
        return ".".join("-".join(str(n) for n in move) for move in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
