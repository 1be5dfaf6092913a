"""Learn: the method as something one can touch. Importing this loads no torch."""

from ueo_core.learn.knobs import KINDS, PRESETS, Knobs, Preset
from ueo_core.learn.link import CONTROLS, SIZES, VIEWS, Link, parameters, parse
from ueo_core.learn.scenes import ARROWS, DOTS, SCENES, SWITCHES, Look, Scene, Sentence, neighbour

__all__ = [
    "ARROWS",
    "CONTROLS",
    "DOTS",
    "KINDS",
    "PRESETS",
    "SCENES",
    "SIZES",
    "SWITCHES",
    "VIEWS",
    "Knobs",
    "Link",
    "Look",
    "Preset",
    "Scene",
    "Sentence",
    "neighbour",
    "parameters",
    "parse",
]
