"""Known against unknown: the ROC curve, thresholds, and the effect of a threshold in counts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from ueo_core.evaluation.metrics import OOD, UNLABELED

ROC_POINTS = 500


@dataclass(frozen=True)
class Effect:
    """The effect of accepting images with score ≥ threshold. Percent; None without labels."""

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
    accuracy: float | None = None  # of accepted images; an accepted unknown image is wrong


def threshold_effect(score, threshold: float, prediction, truth) -> Effect:
    """The effect of a threshold. score, prediction, truth: (N,).

    Counts of known and unknown images, and rates, are over labeled images only. An image is
    rejected as unknown if its score is below the threshold.
    """
    score, prediction, truth = np.asarray(score), np.asarray(prediction), np.asarray(truth)
    accept = score >= threshold
    n = len(score)
    known, unknown, labeled = truth >= 0, truth == OOD, truth != UNLABELED
    found = Effect(
        threshold=float(threshold),
        accepted=int(accept.sum()),
        rejected=int(n - accept.sum()),
        coverage=_percent(accept.sum(), n) or 0.0,
    )
    if not labeled.any():
        return found
    counted = accept & labeled
    return replace(
        found,
        known_accepted=int((accept & known).sum()),
        known=int(known.sum()),
        unknown_accepted=int((accept & unknown).sum()),
        unknown=int(unknown.sum()),
        tpr=_percent((accept & known).sum(), known.sum()),
        fpr=_percent((accept & unknown).sum(), unknown.sum()),
        accuracy=_percent((counted & (prediction == truth)).sum(), counted.sum()),
    )


def effect_rows(effects: Mapping[str, Effect], n: int) -> list[tuple[str, list[str]]]:
    """The effects of thresholds as table rows: a name, and a cell for each of `effects`.

    n: images of the set. The rows on known and unknown images need labels.
    """

    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.1f} %"

    def count(part: int | None, rate: float | None) -> str:
        return "–" if rate is None else f"{part:,} ({share(rate)})"

    one = next(iter(effects.values()))
    rows = {
        f"Accepted (coverage), of {n:,}": lambda e: count(e.accepted, e.coverage),
        f"Rejected as unknown, of {n:,}": lambda e: count(e.rejected, 100 - e.coverage),
    }
    if one.known is not None:
        rows |= {
            f"Known accepted (TPR), of {one.known:,}": lambda e: count(e.known_accepted, e.tpr),
            f"Unknown accepted (FPR), of {one.unknown:,}": lambda e: count(
                e.unknown_accepted, e.fpr
            ),
            "Accuracy among the accepted": lambda e: share(e.accuracy),
        }
    return [(name, [make(e) for e in effects.values()]) for name, make in rows.items()]


def roc_points(score, truth, points: int = ROC_POINTS) -> tuple[NDArray, NDArray] | None:
    """False and true positive rates in percent, ID positive, at most `points`; None without AUC."""
    truth = np.asarray(truth)
    labeled = truth != UNLABELED
    is_id = truth[labeled] >= 0
    if is_id.all() or not is_id.any():
        return None
    fpr, tpr, _ = roc_curve(is_id, np.asarray(score, np.float64)[labeled])
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
