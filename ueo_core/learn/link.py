"""The state of the Learn page as query parameters, and back. A mistyped link never fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ueo_core.learn.formula import SYMBOLS
from ueo_core.learn.questions import QUESTIONS
from ueo_core.learn.scenes import ARROWS, DOTS, SCENES
from ueo_core.learn.triangle_settings import KINDS, PRESETS, STEPS, TriangleSettings

VIEWS = {
    "story": "Story",
    "triangle": "Triangle",
    "image": "One image",
    "formula": "Formula",
    "exercises": "Exercises",
}
PRESENTED = 1.35  # factor of the type size while presenting
SIZES = {"1": "Normal", "1.25": "Large", "1.5": "Very large"}  # type size, as a factor

# The controls that a link can hide, in the order of the page.
CONTROLS = {
    "nav": "the other pages of the studio",
    "menu": "the choice of a view",
    "scenes": "the choice of a scene",
    "predict": "the prediction before a result; the results are shown at once",
    "teacher": "the notes for the teacher",
    "present": "the Present button",
    "share-link": "the Share button",
    "presets": "the presets",
    "knobs": "all settings of the triangle",
    "kind": "the kind of unknown images",
    "share": "the share of unknown images",
    "sure": "the confidence on known images",
    "trade": "λ, the weight of term two",
    "temperature": "the temperature of the weights",
    "absent": "the class without images",
    "seed": "the seed and the buttons for other random images",
    "drag": "dragging of dots",
    "play": "the playback bar",
    "look": "the choice of arrows and dots",
    "all-knobs": "the button to all settings of the triangle",
    "ticks": "marking drawings as unknown",
    "reveal": "the Reveal button",
    "line": "moving the threshold",
    "live": "the buttons of the live run",
    "to-live": "the button to the live run",
    "pick": "the choice of a drawing",
    "drop": "the upload of an image",
    "zoom": "the temperature of the softmax",
    "symbols": "the choice of a symbol",
    "to-scene": "the button to a symbol's scene",
    "try": "the Try it buttons of the exercises",
    "answers": "the answers to the exercises",
}


@dataclass(frozen=True)
class Link:
    """The state that determines what the page shows."""

    view: str = "story"  # a key of VIEWS
    scene: str = "guess"  # a key of SCENES
    size: str = "1"  # a key of SIZES
    present: int = 0  # 1: for a projector, only the page, in large type
    hide: tuple[str, ...] = ()  # keys of CONTROLS
    settings: TriangleSettings = field(default_factory=TriangleSettings)
    step: int = 0  # of the triangle, 0–STEPS
    arrows: str = ""  # a key of ARROWS; empty: the scene's own
    dots: str = ""  # a key of DOTS; empty: the scene's own
    star: str = ""  # "0" or "1": the mean prediction hidden or shown; empty: the scene's own
    shade: str = ""  # "0" or "1": entropy as shading; empty: the scene's own
    trails: str = ""  # "0" or "1": the paths so far; empty: the scene's own
    draw: int = 0  # seed of the eight drawings
    ticks: int = 0  # which of the eight drawings are marked as unknown, one bit each
    reveal: int = 0  # 1: the solution is shown
    line: int = 5  # known drawings below the threshold, percent
    picked: int = 0  # the drawing of the view `image`, index into the test set
    temperature: float = 1.0  # of the softmax in the view `image`, 1 … logit scale
    symbol: str = "p"  # of the formula, a key of SYMBOLS
    predicted: int = 0  # the option of the scene's question that was chosen, from 1; 0: none
    played: int = 0  # 1: the viewer has played the scene as it is now

    @property
    def scale(self) -> float:
        """Type size relative to the app's, for sizes that are given in pixels."""
        return float(self.size) * (PRESENTED if self.present else 1)

    @property
    def shows_result(self) -> bool:
        """Whether the result of the scene is shown: it was played, or it cannot be held back."""
        picture = SCENES[self.scene].picture
        asks = self.view == "story" and self.scene in QUESTIONS and "predict" not in self.hide
        if not asks or self.played:
            return True
        if picture == "triangle":
            return self.step == STEPS or "play" in self.hide
        return picture == "scores" and self.line != Link.line


# The numeric query parameters with their lowest and highest values; the triangle's settings have RANGES.
NUMBERS = {
    "present": (0, 1),
    "step": (0, STEPS),
    "draw": (0, 999),
    "ticks": (0, 255),
    "reveal": (0, 1),
    "predicted": (0, 3),
    "played": (0, 1),
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
NAMES = {"temperature": "zoom"}  # `temperature` is a setting of the triangle
SETTINGS = [f.name for f in fields(TriangleSettings)]


def parse(parameters: Mapping[str, str]) -> Link:
    """The state of a link. Unknown names are ignored; an invalid value becomes the default."""
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
    base = PRESETS[preset].settings if preset in PRESETS else SCENES[values["scene"]].settings
    if preset not in PRESETS and values.get("view", link.view) != "story":
        base = TriangleSettings()
    return replace(link, **values, settings=_settings(parameters, base))


def _settings(parameters: Mapping[str, str], base: TriangleSettings) -> TriangleSettings:
    chosen: dict = {}
    for name, (low, _, _) in TriangleSettings.RANGES.items():
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


def settings_from_script(sent: Mapping, base: TriangleSettings) -> TriangleSettings:
    """The settings that the page's script sent, checked like a link. sent: JSON data"""
    return _settings({name: _text(value) for name, value in sent.items()}, base)


def _moved(text: str) -> tuple[tuple[int, int, int], ...]:
    """Moves such as "12-30-40.13-5-90": index, p_A, p_B in percent. Invalid triples are skipped."""
    found: list[tuple[int, int, int]] = []
    for part in text.split("."):
        numbers = part.split("-")
        if len(numbers) == 3 and all(n.isdecimal() and len(n) < 4 for n in numbers):
            index, a, b = (int(n) for n in numbers)
            found.append((index, a, b))
    return tuple(found)


def _number(text: str | None, kind: type) -> Any:
    """The number in a text, as `kind` (int or float); None if there is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return kind(value) if abs(value) < 1e6 else None  # the comparison is false for NaN and infinity


def parameters(link: Link) -> dict[str, str]:
    """The fewest query parameters that `parse` reads as this state."""
    plain, found = Link(), {}
    for name in ("scene", *CHOICES):
        if getattr(link, name) != getattr(plain, name):
            found[name] = getattr(link, name)
    if link.hide:
        found["hide"] = ",".join(link.hide)
    for name in NUMBERS:
        if getattr(link, name) != getattr(plain, name):
            found[NAMES.get(name, name)] = f"{getattr(link, name):g}"
    base = SCENES[link.scene].settings if link.view == "story" else TriangleSettings()
    for name in SETTINGS:
        value = getattr(link.settings, name)
        if value != getattr(base, name):
            found[name] = _text(value)
    return found


def _text(value: Any) -> str:
    """A setting as the text of a query parameter."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (tuple, list)):
        return ".".join("-".join(str(n) for n in move) for move in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
