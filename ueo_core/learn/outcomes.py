"""What a trajectory shows, in numbers and in one sentence per method. No torch here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ueo_core.config.methods import METHODS
from ueo_core.learn.triangle_settings import CLASS_NAMES

if TYPE_CHECKING:  # the sentences need no torch
    from ueo_core.learn.simplex import Trajectory

COLLAPSED = 0.9  # share of all points with the same prediction from which we call it a collapse
CONFIDENT = 0.8  # mean confidence from which we say that images are in the corners
GAP = 0.15  # least difference of mean confidence, known minus unknown, to say that it stays lower

# What the state of a method looks like at a step. `Measures.outcome` holds the index.
OUTCOMES = ("unclear", "collapse", "unknown_confident", "unknown_less_confident", "known_confident")


@dataclass(frozen=True)
class Measures:
    """Numbers of every method and step, each (M, K + 1)."""

    largest_share: NDArray[np.float64]  # share of points with the most frequent prediction, 0–1
    largest_class: NDArray[np.int64]  # that prediction
    confidence_known: NDArray[np.float64]  # mean confidence on known images, NaN without any
    confidence_unknown: NDArray[np.float64]  # mean confidence on unknown images, NaN without any
    outcome: NDArray[np.int64]  # index into OUTCOMES


def measure(run: "Trajectory") -> Measures:
    """Measure every method and step of a trajectory."""
    predictions = run.points.argmax(-1)
    counts = np.stack([(predictions == c).sum(-1) for c in range(len(CLASS_NAMES))], -1)
    confidence = run.points.max(-1)
    nothing = np.full(confidence.shape[:2], np.nan)
    known = confidence[..., run.known].mean(-1) if run.known.any() else nothing
    unknown = confidence[..., ~run.known].mean(-1) if (~run.known).any() else nothing
    largest = counts.max(-1) / run.truth.size
    outcome = np.zeros(largest.shape, np.int64)
    only_known = np.isnan(unknown) & (known >= CONFIDENT)
    apart = (known - unknown >= GAP) & (unknown < CONFIDENT) & (known >= CONFIDENT)
    for name, where in (
        ("known_confident", only_known),
        ("unknown_less_confident", apart),
        ("unknown_confident", unknown >= CONFIDENT),
        ("collapse", largest >= COLLAPSED),  # last: it overrides the others
    ):
        outcome[where] = OUTCOMES.index(name)
    return Measures(largest, counts.argmax(-1), known, unknown, outcome)


def verdict(run: "Trajectory", measures: Measures, method: int, k: int = -1, shown: int = 3) -> str:
    """One sentence about a method at step k; only what the numbers of this run show.

    shown: how many methods are drawn side by side
    """
    title = METHODS[run.methods[method]].title
    if k == 0:
        return f"{title}: zero-shot{', same for all methods' if shown > 1 else ''}."
    name = OUTCOMES[measures.outcome[method, k]]
    known = 100 * measures.confidence_known[method, k]
    unknown = 100 * measures.confidence_unknown[method, k]
    if name == "collapse":
        n = round(measures.largest_share[method, k] * run.truth.size)
        corner = CLASS_NAMES[measures.largest_class[method, k]]
        return f"{title}: {n} of {run.truth.size} predictions are class {corner}."
    if name == "unknown_confident":
        return f"{title}: unknown images are in the corners, with a mean confidence of {unknown:.0f} %."
    if name == "unknown_less_confident":
        return (
            f"{title}: confidence stays lower on unknown images ({unknown:.0f} %) than on known "
            f"images ({known:.0f} %)."
        )
    if name == "known_confident":
        return f"{title}: the images are in the corners, with a mean confidence of {known:.0f} %."
    return f"{title}: no clear result yet."
