"""Known against unknown: ROC, thresholds, and what a threshold means in counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from ueo_core.metrics import OOD, UNLABELED

ROC_POINTS = 500


@dataclass(frozen=True)
class Effect:
    """What accepting every image with score ≥ threshold does. Percent; None without labels."""

    threshold: float
    accepted: int
    rejected: int
    coverage: float  # accepted share of all images
    known_accepted: int | None = None
    known: int | None = None
    unknown_accepted: int | None = None
    unknown: int | None = None
    tpr: float | None = None  # known images accepted
    fpr: float | None = None  # unknown images accepted
    accuracy: float | None = None  # right answers among accepted, an accepted unknown is wrong


def threshold_effect(score, threshold: float, answer, truth) -> Effect:
    """Consequences of a threshold. score, answer, truth: (N,).

    The counts of known and unknown and what follows from them are over labelled images
    only; an image is called unknown where its score is below the threshold.
    """
    score, answer, truth = np.asarray(score), np.asarray(answer), np.asarray(truth)
    accept = score >= threshold
    n = len(score)
    known, unknown, labelled = truth >= 0, truth == OOD, truth != UNLABELED
    found = {
        "threshold": float(threshold),
        "accepted": int(accept.sum()),
        "rejected": int(n - accept.sum()),
        "coverage": _percent(accept.sum(), n) or 0.0,
    }
    if not labelled.any():
        return Effect(**found)
    taken = accept & labelled
    return Effect(
        **found,
        known_accepted=int((accept & known).sum()),
        known=int(known.sum()),
        unknown_accepted=int((accept & unknown).sum()),
        unknown=int(unknown.sum()),
        tpr=_percent((accept & known).sum(), known.sum()),
        fpr=_percent((accept & unknown).sum(), unknown.sum()),
        accuracy=_percent((taken & (answer == truth)).sum(), taken.sum()),
    )


def roc_points(score, truth, points: int = ROC_POINTS) -> tuple[NDArray, NDArray] | None:
    """False and true positive rates in percent, ID positive, at most `points`; None as for AUC."""
    truth = np.asarray(truth)
    labelled = truth != UNLABELED
    is_id = truth[labelled] >= 0
    if is_id.all() or not is_id.any():
        return None
    fpr, tpr, _ = roc_curve(is_id, np.asarray(score, np.float64)[labelled])
    if len(fpr) > points:
        at = np.unique(np.linspace(0, len(fpr) - 1, points).astype(int))
        fpr, tpr = fpr[at], tpr[at]
    return 100 * fpr, 100 * tpr


def threshold_at_tpr(score, truth, tpr: float = 0.95) -> float | None:
    """The highest threshold that accepts at least this share of the known images."""
    known = np.sort(np.asarray(score, np.float64)[np.asarray(truth) >= 0])[::-1]
    if not len(known):
        return None
    return float(known[int(np.ceil(tpr * len(known) - 1e-9)) - 1])


def _percent(part, whole) -> float | None:
    return 100 * float(part) / float(whole) if whole else None
