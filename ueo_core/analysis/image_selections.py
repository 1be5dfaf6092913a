"""Which images to look at: ordered selections of a set, for the galleries of Inspect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ueo_core.analysis.run_result import Part
from ueo_core.evaluation.metrics import OOD

Scores = dict[str, NDArray[np.float64]]  # by side
Thresholds = dict[str, float]  # by side


@dataclass(frozen=True)
class View:
    """A named selection; `pick` gives indices, the ones to look at first in front."""

    title: str
    about: str
    labels: bool  # needs labels
    pick: Callable[[Part, Scores, Thresholds], NDArray[np.int64]]


def _ordered(mask: NDArray, by: NDArray) -> NDArray[np.int64]:
    found = np.flatnonzero(mask)
    return found[np.argsort(by[found], kind="stable")]


def _suspects(part: Part, scores: Scores, limit: Thresholds):
    return _ordered(scores["after"] < limit["after"], scores["after"])


def _least(part: Part, scores: Scores, limit: Thresholds):
    return np.argsort(scores["after"], kind="stable")


def _most(part: Part, scores: Scores, limit: Thresholds):
    return np.argsort(-scores["after"], kind="stable")


def _flipped(part: Part, scores: Scores, limit: Thresholds):
    return _ordered(
        part.prediction["before"] != part.prediction["after"], -part.confidence["after"]
    )


def _right(part: Part, side: str) -> NDArray[np.bool_]:
    return (part.truth >= 0) & (part.prediction[side] == part.truth)


def _broken(part: Part, scores: Scores, limit: Thresholds):
    return _ordered(_right(part, "before") & ~_right(part, "after"), -part.confidence["after"])


def _mended(part: Part, scores: Scores, limit: Thresholds):
    return _ordered(_right(part, "after") & ~_right(part, "before"), -part.confidence["after"])


def _ood(part: Part, scores: Scores, limit: Thresholds):
    taken = (part.truth == OOD) & (scores["after"] >= limit["after"])
    return _ordered(taken, -scores["after"])


def _turned_away(part: Part, scores: Scores, limit: Thresholds):
    away = (part.truth >= 0) & (scores["after"] < limit["after"])
    return _ordered(away, scores["after"])


VIEWS: dict[str, View] = {
    "unknown": View(
        "Suspected unknowns",
        "Score below the threshold after adaptation, the strangest first.",
        False,
        _suspects,
    ),
    "flipped": View(
        "Flipped answers",
        "The answer differs before and after, the surest new answer first.",
        False,
        _flipped,
    ),
    "broken": View(
        "Became wrong", "Right before, wrong after, the surest mistake first.", True, _broken
    ),
    "mended": View(
        "Became right", "Wrong before, right after, the surest answer first.", True, _mended
    ),
    "strangers": View(
        "Strangers let in",
        "Of none of the classes, and yet accepted at the threshold.",
        True,
        _ood,
    ),
    "turned-away": View(
        "Known turned away",
        "Of one of the classes, and yet below the threshold.",
        True,
        _turned_away,
    ),
    "least": View("Least confident", "Lowest score after adaptation first.", False, _least),
    "most": View("Most confident", "Highest score after adaptation first.", False, _most),
}


def gallery_views(part: Part) -> dict[str, View]:
    """The selections that this set allows."""
    return {k: v for k, v in VIEWS.items() if part.labelled or not v.labels}


def best_predictions(part: Part, side: str, image: int, n: int) -> list[tuple[int, float]]:
    """The n most probable classes of an image with their probability at the logit scale."""
    p = softmax(part.logit_scale * part.cosines[side][image].astype(np.float64))
    return [(int(c), float(p[c])) for c in np.argsort(-p, kind="stable")[:n]]


def truth_sentence(truth: int, classes: Sequence[str]) -> str:
    """What is known of an image, as a sentence."""
    if truth >= 0:
        return f"It is {classes[truth]}."
    return "It is none of the classes." if truth == OOD else "Nobody labelled it."
