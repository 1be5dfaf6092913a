"""Images with different predictions of two models: ordered selections for a gallery."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.compare import ModelPredictions

Pick = Callable[
    [ModelPredictions, ModelPredictions, NDArray], NDArray[np.bool_]
]  # (left, right, truth) → mask


@dataclass(frozen=True)
class PairView:
    """A named selection of images on which the left and the right model differ."""

    title: str
    about: str
    labels: bool  # needs labels
    mask: Pick


def _right(of: ModelPredictions, truth: NDArray) -> NDArray[np.bool_]:
    return (truth >= 0) & (of.prediction == truth)


def _known(of: ModelPredictions) -> NDArray[np.bool_]:
    return of.score >= of.threshold


PAIR_VIEWS: dict[str, PairView] = {
    "differ": PairView(
        "Different predictions",
        "The two models predict different classes.",
        False,
        lambda a, b, truth: a.prediction != b.prediction,
    ),
    "left": PairView(
        "Only A is right",
        "A predicts the true class, B another one.",
        True,
        lambda a, b, truth: _right(a, truth) & ~_right(b, truth),
    ),
    "right": PairView(
        "Only B is right",
        "B predicts the true class, A another one.",
        True,
        lambda a, b, truth: _right(b, truth) & ~_right(a, truth),
    ),
    "neither": PairView(
        "Both wrong, differently",
        "Known images for which both predictions are wrong and differ.",
        True,
        lambda a, b, truth: (
            (truth >= 0) & (a.prediction != b.prediction) & ~_right(a, truth) & ~_right(b, truth)
        ),
    ),
    "unknown": PairView(
        "Unknown for one only",
        "One model rejects the image as unknown, the other accepts it, each at its unsupervised "
        "threshold (heuristic).",
        False,
        lambda a, b, truth: _known(a) != _known(b),
    ),
}


def pair_views(labeled: bool) -> dict[str, PairView]:
    """The selections for these images; some need labels."""
    return {k: v for k, v in PAIR_VIEWS.items() if labeled or not v.labels}


def differing(
    view: str, left: ModelPredictions, right: ModelPredictions, truth: NDArray
) -> NDArray[np.int64]:
    """Indices of the images of a view, those with the most confident predictions first."""
    found = np.flatnonzero(PAIR_VIEWS[view].mask(left, right, truth))
    sure = np.minimum(left.confidence, right.confidence)[found]
    return found[np.argsort(-sure, kind="stable")]
