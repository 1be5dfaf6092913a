"""Images of which two models say something different: ordered selections for a gallery."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.compare import Predictions

Pick = Callable[
    [Predictions, Predictions, NDArray], NDArray[np.bool_]
]  # (left, right, truth) → mask


@dataclass(frozen=True)
class PairView:
    """A named selection of images on which the left and the right model differ."""

    title: str
    about: str
    labels: bool  # needs labels
    mask: Pick


def _right(of: Predictions, truth: NDArray) -> NDArray[np.bool_]:
    return (truth >= 0) & (of.prediction == truth)


def _known(of: Predictions) -> NDArray[np.bool_]:
    return of.score >= of.threshold


PAIR_VIEWS: dict[str, PairView] = {
    "differ": PairView(
        "Answers differ",
        "The two name different classes.",
        False,
        lambda a, b, truth: a.prediction != b.prediction,
    ),
    "left": PairView(
        "Only A is right",
        "A names the right class, B another one.",
        True,
        lambda a, b, truth: _right(a, truth) & ~_right(b, truth),
    ),
    "right": PairView(
        "Only B is right",
        "B names the right class, A another one.",
        True,
        lambda a, b, truth: _right(b, truth) & ~_right(a, truth),
    ),
    "neither": PairView(
        "Both wrong, differently",
        "It is of one of the classes, and neither names it.",
        True,
        lambda a, b, truth: (
            (truth >= 0) & (a.prediction != b.prediction) & ~_right(a, truth) & ~_right(b, truth)
        ),
    ),
    "unknown": PairView(
        "Unknown to one only",
        "One of them calls it unknown, the other does not, each by its automatic threshold: a guess.",
        False,
        lambda a, b, truth: _known(a) != _known(b),
    ),
}


def pair_views(labelled: bool) -> dict[str, PairView]:
    """The selections that these images allow."""
    return {k: v for k, v in PAIR_VIEWS.items() if labelled or not v.labels}


def differing(
    view: str, left: Predictions, right: Predictions, truth: NDArray
) -> NDArray[np.int64]:
    """Indices of a view, those of which both models are surest first."""
    found = np.flatnonzero(PAIR_VIEWS[view].mask(left, right, truth))
    sure = np.minimum(left.confidence, right.confidence)[found]
    return found[np.argsort(-sure, kind="stable")]
