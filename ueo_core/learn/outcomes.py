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
LURED = 0.8  # mean confidence of strangers, from which we say they were sent into corners
GAP = 0.15  # by which strangers must be less sure than known images to be called held back

# What a moment of a method looks like; the order is the code that drawings are given.
OUTCOMES = ("open", "collapse", "lured", "held", "sorted")


@dataclass(frozen=True)
class Reading:
    """Numbers of every method and moment, each (M, K + 1)."""

    largest: NDArray[np.float64]  # share of points that give the commonest answer, 0–1
    corner: NDArray[np.int64]  # that answer
    sure_known: NDArray[np.float64]  # mean confidence of images of the classes
    sure_strange: NDArray[np.float64]  # mean confidence of strangers, NaN without any
    outcome: NDArray[np.int64]  # index into OUTCOMES


def read(run: "Trajectory") -> Reading:
    """Measure every moment of a trajectory."""
    answers = run.points.argmax(-1)
    counts = np.stack([(answers == c).sum(-1) for c in range(len(CLASS_NAMES))], -1)
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
    strange = reading.sure_strange[method, k]
    if name == "collapse":
        n = round(reading.largest[method, k] * run.truth.size)
        corner = CLASS_NAMES[reading.corner[method, k]]
        return f"{title}: {n} of {run.truth.size} points answer {corner}."
    if name == "lured":
        return f"{title}: strangers are sent into corners, {100 * strange:.0f} % sure on average."
    if name == "held":
        return (
            f"{title}: strangers are held back at {100 * strange:.0f} %, "
            f"known images reach {100 * reading.sure_known[method, k]:.0f} %."
        )
    if name == "sorted":
        return f"{title}: the images are sorted, {100 * reading.sure_known[method, k]:.0f} % sure."
    return f"{title}: no clear picture yet."


def scores(run: "Trajectory", method: int, k: int = -1) -> str:
    """ACC and AUC of a method, from the start to a moment, as text."""
    parts = [f"ACC {run.acc[method, 0]:.0f} → {run.acc[method, k]:.0f} %"]
    if not np.isnan(run.auc[method, 0]):
        parts.append(f"AUC {run.auc[method, 0]:.0f} → {run.auc[method, k]:.0f} %")
    return ", ".join(parts)
