"""What a trajectory shows, in numbers and in one sentence a method. No torch here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ueo_core.config.methods import METHODS
from ueo_core.learn.knobs import CLASS_NAMES

if TYPE_CHECKING:  # drawing a reading needs no torch
    from ueo_core.learn.simplex import Trajectory

ONE_CORNER = 0.9  # share of all points with the same answer, from which we call it a collapse
LURED = 0.8  # mean confidence of unknown images, from which they count as pulled into corners
GAP = 0.15  # by which the confidence of unknown images must be lower to count as held back

# What a moment of a method looks like; the order is the code that drawings are given.
OUTCOMES = ("open", "collapse", "lured", "held", "sorted")


@dataclass(frozen=True)
class Reading:
    """Numbers of every method and moment, each (M, K + 1)."""

    largest: NDArray[np.float64]  # share of points with the most frequent prediction, 0–1
    corner: NDArray[np.int64]  # that prediction
    sure_known: NDArray[np.float64]  # mean confidence of images of the classes
    sure_unknown: NDArray[np.float64]  # mean confidence of unknown images, NaN without any
    outcome: NDArray[np.int64]  # index into OUTCOMES


def read(run: "Trajectory") -> Reading:
    """Measure every moment of a trajectory."""
    predictions = run.points.argmax(-1)
    counts = np.stack([(predictions == c).sum(-1) for c in range(len(CLASS_NAMES))], -1)
    sure = run.points.max(-1)
    nothing = np.full(sure.shape[:2], np.nan)
    known = sure[..., run.known].mean(-1) if run.known.any() else nothing
    strange = sure[..., ~run.known].mean(-1) if (~run.known).any() else nothing
    largest = counts.max(-1) / run.truth.size
    outcome = np.zeros(largest.shape, np.int64)
    sorted_out = np.isnan(strange) & (known >= LURED)
    held = (known - strange >= GAP) & (strange < LURED) & (known >= LURED)
    for name, where in (
        ("sorted", sorted_out),
        ("held", held),
        ("lured", strange >= LURED),
        ("collapse", largest >= ONE_CORNER),  # last: it overrules the others
    ):
        outcome[where] = OUTCOMES.index(name)
    return Reading(largest, counts.argmax(-1), known, strange, outcome)


def verdict(run: "Trajectory", reading: Reading, method: int, k: int = -1) -> str:
    """One sentence on a method at a moment; only what the numbers of this run show."""
    title = METHODS[run.methods[method]].title
    if k == 0:
        return f"{title}: the zero-shot start, the same for all three."
    name = OUTCOMES[reading.outcome[method, k]]
    strange = reading.sure_unknown[method, k]
    if name == "collapse":
        n = round(reading.largest[method, k] * run.truth.size)
        corner = CLASS_NAMES[reading.corner[method, k]]
        return f"{title}: {n} of {run.truth.size} points are at {corner}."
    if name == "lured":
        return f"{title}: unknown images are pulled into corners, mean confidence {100 * strange:.0f} %."
    if name == "held":
        return (
            f"{title}: unknown images stay at {100 * strange:.0f} %, "
            f"known images reach {100 * reading.sure_known[method, k]:.0f} %."
        )
    if name == "sorted":
        return f"{title}: the images are sorted, mean confidence {100 * reading.sure_known[method, k]:.0f} %."
    return f"{title}: no clear outcome yet."


def scores(run: "Trajectory", method: int, k: int = -1) -> str:
    """ACC and AUC of a method, from the start to a moment, as text."""
    parts = [f"ACC {run.acc[method, 0]:.0f} → {run.acc[method, k]:.0f} %"]
    if not np.isnan(run.auc[method, 0]):
        parts.append(f"AUC {run.auc[method, 0]:.0f} → {run.auc[method, k]:.0f} %")
    return ", ".join(parts)
