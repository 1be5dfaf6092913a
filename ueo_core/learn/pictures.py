"""The pictures that move under the hand, as plain data: what every place of the line and every
temperature does is computed once, so that a page's script only has to look it up."""

import numpy as np
from numpy.typing import NDArray

from ueo_core.learn.anatomy import dissect
from ueo_core.learn.scenes import SCENES
from ueo_core.learn.sentence_numbers import of_hills
from ueo_core.learn.stage import Stage, draw_line, two_hills

SHOWN = 6  # classes beside an image, the closest first
SPAN = 10.0  # percentage points that an axis of AUC spans at least: less would exaggerate


def hills(stage: Stage) -> dict:
    """The two hills, and for every share of known drawings below the line what it does."""
    found = two_hills(stage)
    (moving,) = (s for s in SCENES["hills"].sentences if s.tie == "line")
    lines = []
    for below in range(101):
        numbers = of_hills(stage, below)
        threshold = draw_line(stage, below).threshold
        lines.append(
            {
                "threshold": round(threshold, 6),
                "kept": numbers["kept"],
                "words": moving.text.format_map(numbers),
            }
        )
    return {
        "x": _plain(found.x, 6),
        "density": {name: _plain(values, 3) for name, values in found.density.items()},
        "lines": lines,
        "name": "score: how well it fits its best class (MCM, T = 1)",
    }


def place(stage: Stage, temperature: float) -> int:
    """Index of the temperature of the sweep that is nearest to one asked for."""
    return int(np.abs(np.log(stage.sweep.temperatures / max(temperature, 1.0))).argmin())


def lens(stage: Stage, sides: dict[str, NDArray]) -> dict:
    """One image at every temperature of the sweep. sides: title → cosines (C,)"""
    found, c = stage.sweep, len(stage.problem.classes)
    middle = float(found.auc.min() + found.auc.max()) / 2
    low = SPAN * np.floor((min(found.auc.min(), middle - SPAN / 2)) / SPAN)
    high = SPAN * np.ceil((max(found.auc.max(), middle + SPAN / 2)) / SPAN)
    return {
        "temperatures": _plain(found.temperatures, 2),
        "classes": c,
        "sides": [_side(stage, title, cosines) for title, cosines in sides.items()],
        "curves": {
            "highest tenth": _plain(found.high),
            "median": _plain(found.middle),
            "lowest tenth": _plain(found.low),
        },
        "auc": _plain(found.auc, 2),
        "range": [float(max(low, 0.0)), float(min(high, 100.0))],
        "words": trap(stage),
    }


def trap(stage: Stage) -> str:
    """What the temperature does to all weights and to the score; the released script's trap."""
    found = stage.sweep
    return (
        "Leave out the most and the least confident tenth of the test drawings: at T = 1 the weights of the "
        f"others differ by up to {found.high[0] / found.low[0]:.2f}×, at T = {stage.scale:.0f}, plain cosines, "
        f"by {found.high[-1] / found.low[-1]:.2f}×. That is the trap in the released script: its weights come "
        "from plain cosines, and the more alike weights are, the more UEO is InfoMax. "
        f"The AUC of the same softmax as a score goes from {found.auc[0]:.1f} to {found.auc[-1]:.1f} %."
    )


def _side(stage: Stage, title: str, cosines: NDArray) -> dict:
    """One model's view: the closest classes, and at each temperature their probabilities, entropy and weight."""
    order = np.argsort(-cosines)[:SHOWN]
    moments = []
    for temperature in stage.sweep.temperatures:
        one = dissect(cosines, stage.scale, float(temperature))
        moments.append(
            {
                "shares": _plain(one.probabilities[order]),
                "entropy": round(one.entropy, 4),
                "weight": round(one.weight, 4),
                "inverse": round(one.inverse, 4),
            }
        )
    return {
        "title": title,
        "names": [stage.problem.classes[k] for k in order],
        "cosines": _plain(cosines[order]),
        "moments": moments,
    }


def _plain(values: NDArray, digits: int = 4) -> list[float]:
    return np.round(np.asarray(values, float), digits).tolist()
