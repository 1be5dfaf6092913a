"""The state of Inspect: thresholds, the selected image, and the images brushed on the map."""

from functools import lru_cache

import streamlit as st

from ueo_core.analysis.run_result import Inspection, SetResult

TAB = "inspect.tab"
MAP = "Map"  # the tab with the map of the images


@lru_cache(maxsize=64)
def automatic_thresholds(opened: Inspection, score: str) -> dict[str, float]:
    """The automatic threshold of each side, from the pool, as predictions of new images use it."""
    return opened.parts["pool"].thresholds(score)


def thresholds(opened: Inspection, part: SetResult, score: str) -> dict[str, float]:
    """The threshold of each side as last set, else the automatic one."""
    kept, automatic = _kept(), automatic_thresholds(opened, score)
    return {s: kept.get(_key(opened, part, score, s), automatic[s]) for s in part.cosines}


def set_threshold(opened, part, score: str, side: str, value: float) -> None:
    """Keep a threshold: a slider's own state is lost when its tab is closed."""
    _kept()[_key(opened, part, score, side)] = float(value)


def _kept() -> dict:
    return st.session_state.setdefault("inspect.thresholds", {})


def _key(opened, part, score: str, side: str) -> tuple:
    return opened.run, opened.step if side == "after" else 0, part.name, score, side


# The selected image, and those brushed on the map, each of one set of one run.


def selected_image(opened: Inspection, part: SetResult) -> int | None:
    """The image selected last in this set, or None."""
    key, image = st.session_state.get("inspect.selected", (None, None))
    return image if key == (opened.run, part.name) else None


def select_image(opened: Inspection, part: SetResult, image: int | None) -> None:
    st.session_state["inspect.selected"] = (opened.run, part.name), image


def brushed(opened: Inspection, part: SetResult) -> list[int]:
    """The images brushed on the map of this set, ascending."""
    key, images = st.session_state.get("inspect.brushed", (None, []))
    return images if key == (opened.run, part.name) else []


def brush(opened: Inspection, part: SetResult, images: list[int]) -> None:
    st.session_state["inspect.brushed"] = (opened.run, part.name), sorted(set(images))
