"""What Inspect remembers between runs of its script: thresholds, the image chosen, the brushed ones."""

from functools import lru_cache

import streamlit as st

from ueo_core.analysis.run_result import Inspection, Part
from ueo_core.evaluation.thresholds import mixture_threshold

TAB = "inspect.tab"
MAP = "Map"  # the tab that shows where an image lies


@lru_cache(maxsize=64)
def guessed(opened: Inspection, score: str) -> dict[str, float]:
    """The automatic threshold of each side: of the pool, as predictions of new images use it."""
    return {s: mixture_threshold(v) for s, v in opened.parts["pool"].scores(score).items()}


def thresholds(opened: Inspection, part: Part, score: str) -> dict[str, float]:
    """The threshold of each side as it was last set, else the automatic one."""
    kept, guess = _kept(), guessed(opened, score)
    return {s: kept.get(_place(opened, part, score, s), guess[s]) for s in part.cosines}


def set_threshold(opened, part, score: str, side: str, value: float) -> None:
    """Keep a threshold: a slider's own state is gone as soon as its tab is left."""
    _kept()[_place(opened, part, score, side)] = float(value)


def _kept() -> dict:
    return st.session_state.setdefault("inspect.thresholds", {})


def _place(opened, part, score: str, side: str) -> tuple:
    return opened.run, opened.step if side == "after" else 0, part.name, score, side


# The image chosen, and those brushed on the map: of one set of one run.


def selected_image(opened: Inspection, part: Part) -> int | None:
    """The image that was chosen last in this set."""
    place, image = st.session_state.get("inspect.selected", (None, None))
    return image if place == (opened.run, part.name) else None


def select_image(opened: Inspection, part: Part, image: int | None) -> None:
    st.session_state["inspect.selected"] = (opened.run, part.name), image


def brushed(opened: Inspection, part: Part) -> list[int]:
    """The images brushed on the map of this set, ascending."""
    place, images = st.session_state.get("inspect.brushed", (None, []))
    return images if place == (opened.run, part.name) else []


def brush(opened: Inspection, part: Part, images: list[int]) -> None:
    st.session_state["inspect.brushed"] = (opened.run, part.name), sorted(set(images))
