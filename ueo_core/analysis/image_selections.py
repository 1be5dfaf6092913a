"""Ordered selections of the images of a set, for the galleries of Inspect and of the report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ueo_core.analysis.run_result import SetResult
from ueo_core.evaluation.metrics import OOD

Scores = dict[str, NDArray[np.floating]]  # by side
Thresholds = dict[str, float]  # by side


@dataclass(frozen=True)
class View:
    """A named selection; `pick` returns ordered indices."""

    title: str
    about: str
    labels: bool  # needs labels
    pick: Callable[[SetResult, Scores, Thresholds], NDArray[np.int64]]


def _ordered(mask: NDArray, by: NDArray) -> NDArray[np.int64]:
    found = np.flatnonzero(mask)
    return found[np.argsort(by[found], kind="stable")]


def _suspected_unknown(part: SetResult, scores: Scores, limit: Thresholds):
    return _ordered(scores["after"] < limit["after"], scores["after"])


def _least(part: SetResult, scores: Scores, limit: Thresholds):
    return np.argsort(scores["after"], kind="stable")


def _most(part: SetResult, scores: Scores, limit: Thresholds):
    return np.argsort(-scores["after"], kind="stable")


def _changed(part: SetResult, scores: Scores, limit: Thresholds):
    return _ordered(
        part.prediction["before"] != part.prediction["after"], -part.confidence["after"]
    )


def _right(part: SetResult, side: str) -> NDArray[np.bool_]:
    return (part.truth >= 0) & (part.prediction[side] == part.truth)


def _became_wrong(part: SetResult, scores: Scores, limit: Thresholds):
    return _ordered(_right(part, "before") & ~_right(part, "after"), -part.confidence["after"])


def _became_right(part: SetResult, scores: Scores, limit: Thresholds):
    return _ordered(_right(part, "after") & ~_right(part, "before"), -part.confidence["after"])


def _unknown_accepted(part: SetResult, scores: Scores, limit: Thresholds):
    accepted = (part.truth == OOD) & (scores["after"] >= limit["after"])
    return _ordered(accepted, -scores["after"])


def _known_rejected(part: SetResult, scores: Scores, limit: Thresholds):
    rejected = (part.truth >= 0) & (scores["after"] < limit["after"])
    return _ordered(rejected, scores["after"])


VIEWS: dict[str, View] = {
    "unknown": View(
        "Suspected unknown",
        "Score below the threshold after adaptation, lowest score first.",
        False,
        _suspected_unknown,
    ),
    "changed": View(
        "Changed predictions",
        "Different predictions before and after, most confident new prediction first.",
        False,
        _changed,
    ),
    "became-wrong": View(
        "Became wrong",
        "Right before, wrong after, most confident error first.",
        True,
        _became_wrong,
    ),
    "became-right": View(
        "Became right",
        "Wrong before, right after, most confident prediction first.",
        True,
        _became_right,
    ),
    "unknown-accepted": View(
        "Unknown accepted",
        "Images of none of the classes with a score at or above the threshold, highest first.",
        True,
        _unknown_accepted,
    ),
    "known-rejected": View(
        "Known rejected",
        "Images of the classes with a score below the threshold, lowest first.",
        True,
        _known_rejected,
    ),
    "least": View("Lowest score", "Lowest score after adaptation first.", False, _least),
    "most": View("Highest score", "Highest score after adaptation first.", False, _most),
}


def gallery_views(part: SetResult) -> dict[str, View]:
    """The selections for this set; some need labels."""
    return {k: v for k, v in VIEWS.items() if part.labeled or not v.labels}


def best_predictions(part: SetResult, side: str, image: int, n: int) -> list[tuple[int, float]]:
    """The n most probable classes of an image with their probability at the logit scale."""
    p = softmax(part.logit_scale * part.cosines[side][image].astype(np.float64))
    return [(int(c), float(p[c])) for c in np.argsort(-p, kind="stable")[:n]]


def truth_sentence(truth: int, classes: Sequence[str]) -> str:
    """The label of an image, as a sentence."""
    if truth >= 0:
        return f"True class: {classes[truth]}."
    return "True class: none (unknown)." if truth == OOD else "No label."
