"""Metrics of predictions against labels, in percent (0–100).

Truth is an int array: the index of the class, `OOD` for an image of none of the classes,
`UNLABELED` for an image without a label, which no metric counts. scikit-learn takes a second to
import, so it is imported where it is used.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.utils.rows import largest

OOD = -1
UNLABELED = -2


def truth_from_labels(labels: Sequence[str | None], classes: Sequence[str]) -> NDArray[np.int64]:
    """Label names → class indices; a name that is no class is OOD, None is unlabeled. → (N,)"""
    index = {name: i for i, name in enumerate(classes)}
    return np.array([UNLABELED if n is None else index.get(n, OOD) for n in labels], np.int64)


def per_class_recall(prediction, truth, n_classes: int) -> NDArray[np.float64]:
    """Recall of each class in percent, NaN where a class has no image. (N,), (N,) → (C,)"""
    prediction, truth = np.asarray(prediction), np.asarray(truth)
    hits = np.bincount(truth[(truth >= 0) & (prediction == truth)], minlength=n_classes)
    total = np.bincount(truth[truth >= 0], minlength=n_classes)
    with np.errstate(invalid="ignore"):
        return 100 * hits / total


def accuracy(prediction, truth, n_classes: int) -> float | None:
    """ACC: mean per-class recall over ID images, no rejection; None without any."""
    recall = per_class_recall(prediction, truth, n_classes)
    return None if np.isnan(recall).all() else float(np.nanmean(recall))


def _split(score, truth) -> tuple[NDArray, NDArray] | None:
    """ID flags and scores of the labeled images, or None when one side is empty."""
    score, truth = np.asarray(score, np.float64), np.asarray(truth)
    known = truth != UNLABELED
    is_id = truth[known] >= 0
    if is_id.all() or not is_id.any():
        return None
    return is_id, score[known]


def auc(score, truth) -> float | None:
    """AUROC with ID positive, percent; None without both ID and OOD images."""
    from sklearn.metrics import roc_auc_score

    parts = _split(score, truth)
    return None if parts is None else 100 * float(roc_auc_score(*parts))


def aupr(score, truth) -> float | None:
    """Area under precision–recall (average precision) with ID positive, percent."""
    from sklearn.metrics import average_precision_score

    parts = _split(score, truth)
    return None if parts is None else 100 * float(average_precision_score(*parts))


def fpr95(score, truth) -> float | None:
    """Share of OOD images accepted at the threshold that accepts 95 % of ID images, percent."""
    from sklearn.metrics import roc_curve

    parts = _split(score, truth)
    if parts is None:
        return None
    fpr, tpr, _ = roc_curve(*parts, drop_intermediate=False)
    return 100 * float(fpr[np.argmax(tpr >= 0.95)])


def harmonic_mean(a: float | None, b: float | None) -> float | None:
    """HM(ACC, AUC); None when either is missing. Not the thresholded HOS of other papers."""
    if a is None or b is None:
        return None
    return 2 * a * b / (a + b) if a + b else 0.0


def calibration_error(confidence, correct, bins: int = 15) -> float:
    """Expected calibration error in percent: |accuracy − confidence| over equal-width bins."""
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    at = np.clip((confidence * bins).astype(int), 0, bins - 1)
    n = np.bincount(at, minlength=bins)
    gap = np.abs(
        np.bincount(at, correct, minlength=bins) - np.bincount(at, confidence, minlength=bins)
    )
    return 100 * float(gap.sum() / max(1, n.sum()))


def confusion(prediction, truth, n_classes: int) -> NDArray[np.int64]:
    """Counts by truth (rows: the classes, then one row OOD) and prediction. → (C + 1, C)"""
    prediction, truth = np.asarray(prediction), np.asarray(truth)
    labeled = truth >= OOD
    # In one pass: a pass for every class takes seconds for a million images of a thousand classes.
    row = np.where(truth[labeled] == OOD, n_classes, truth[labeled])
    cells = np.bincount(
        row * n_classes + prediction[labeled], minlength=(n_classes + 1) * n_classes
    )
    return cells.reshape(n_classes + 1, n_classes)


def evaluate(
    cosines, truth, classes: Sequence[str], logit_scale: float, score: str | NDArray = DEFAULT_SCORE
) -> dict:
    """`summarize` of one model on one labeled set, from its cosines.

    cosines: (N, C); truth: (N,); score: a key of SCORES, or (N,) scores themselves.
    """
    values = SCORES[score].compute(cosines, logit_scale) if isinstance(score, str) else score
    confidence = SCORES["msp"].compute(cosines, logit_scale)
    return summarize(largest(cosines), confidence, values, truth, classes)


def summarize(prediction, confidence, score, truth, classes: Sequence[str]) -> dict:
    """All headline metrics of one model on one labeled set.

    prediction: (N,) class indices; confidence: (N,) max softmax at the logit scale; score, truth: (N,).
    → {"acc", "auc", "hm", "fpr95", "aupr", "ece", "per_class": {name: recall}}; percent, None where the
    labels do not allow it. "acc" and "ece" count ID images only.
    """
    prediction, truth = np.asarray(prediction), np.asarray(truth)
    acc, roc = accuracy(prediction, truth, len(classes)), auc(score, truth)
    recall = per_class_recall(prediction, truth, len(classes))
    known = truth >= 0
    right = prediction[known] == truth[known]
    return {
        "acc": acc,
        "auc": roc,
        "hm": harmonic_mean(acc, roc),
        "fpr95": fpr95(score, truth),
        "aupr": aupr(score, truth),
        "ece": calibration_error(np.asarray(confidence)[known], right) if known.any() else None,
        "per_class": {n: float(r) for n, r in zip(classes, recall, strict=True) if not np.isnan(r)},
    }
