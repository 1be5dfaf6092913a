"""Estimates for a whole set from a small hand-labeled sample, with confidence intervals.

The sample is stratified, so an image of stratum h represents N_h / n_h images. Shares have exact
intervals (Clopper and Pearson), the AUC has Newcombe's with a continuity correction, both at the
effective sample size (Kish). Unlike a bootstrap of so few images, these do not have zero width
when all labels agree, and unlike Wilson's they keep their coverage near 0 and 100 %; a test counts
how often they contain the true value.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binomtest

from ueo_core.analysis.hand_labels import UNCLEAR, HandLabels
from ueo_core.analysis.run_result import SetResult
from ueo_core.analysis.verdict import Verdict, weighted_auc
from ueo_core.evaluation.intervals import Z95, Interval, effective, paired, share
from ueo_core.evaluation.metrics import OOD

FEWEST = 10  # smallest number of labels for an estimate
FEWEST_SIDE = 3  # smallest number of known and of unknown images for an AUC


@dataclass(frozen=True)
class Estimates:
    """Percent, with 95 % intervals; None where there are too few labels."""

    n: int  # labeled images, without those marked “Cannot tell”
    n_known: int
    unclear: int
    unknown: Interval  # share of the set that is of none of the classes
    right: dict[str, Interval] | None  # by side: accuracy over the known images
    difference: Interval | None  # of `right`, after − before, paired
    acc: dict[str, Interval] | None  # by side: mean over the classes that occurred
    classes: int  # number of classes that occurred
    auc: dict[str, Interval] | None  # by side: known against unknown
    gained: int  # images that became right
    lost: int  # images that became wrong
    p_value: float  # exact sign test of gained against lost, two-sided


def estimate_by_hand(part: SetResult, labels: HandLabels, score: str) -> Estimates | None:
    """Estimates for the whole set; None below `FEWEST` labels, or if a stratum has no label."""
    images, truth, stratum = labels.usable()
    n_h = np.bincount(stratum, minlength=len(labels.sizes))
    if len(images) < FEWEST or not n_h.all():
        return None
    weight = (np.array(labels.sizes) / n_h)[stratum]  # (n,)
    known = truth >= 0
    hit = {side: prediction[images] == truth for side, prediction in part.prediction.items()}
    w = weight[known]
    right = difference = acc = auc = None
    met = np.unique(truth[known])
    gained = int((known & hit["after"] & ~hit["before"]).sum())
    lost = int((known & hit["before"] & ~hit["after"]).sum())
    if known.any():
        right = {side: share(w, h[known]) for side, h in hit.items()}
        difference = paired(w, hit["before"][known], hit["after"][known])
        acc = {side: _class_mean(w, h[known], truth[known]) for side, h in hit.items()}
    if min(known.sum(), (~known).sum()) >= FEWEST_SIDE:
        scores = part.scores(score)
        auc = {side: _auc(weight, values[images], truth) for side, values in scores.items()}
    return Estimates(
        n=len(images),
        n_known=int(known.sum()),
        unclear=sum(v == UNCLEAR for v in labels.given.values()),
        unknown=share(weight, ~known),
        right=right,
        difference=difference,
        acc=acc,
        classes=len(met),
        auc=auc,
        gained=gained,
        lost=lost,
        p_value=float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0,
    )


def _class_mean(weight: NDArray, hit: NDArray, truth: NDArray) -> Interval:
    """Mean recall of the classes that occurred; the variance of each recall from (hits + 1)/(n + 2)."""
    recall, variance = [], []
    for c in np.unique(truth):
        of = truth == c
        n, p = effective(weight[of]), float(np.average(hit[of], weights=weight[of]))
        shrunk = (p * n + 1) / (n + 2)
        recall.append(p)
        variance.append(shrunk * (1 - shrunk) / n)
    mean, half = np.mean(recall), Z95 * np.sqrt(np.sum(variance)) / len(recall)
    return Interval(
        100 * float(mean), 100 * float(max(0, mean - half)), 100 * float(min(1, mean + half))
    )


def _auc(weight: NDArray, score: NDArray, truth: NDArray) -> Interval:
    """Weighted AUROC with Newcombe's (2006) interval, fifth method, corrected for continuity."""
    value = float(weighted_auc(weight[None], score, np.where(truth >= 0, 0, OOD))[0]) / 100
    m, n = effective(weight[truth >= 0]), effective(weight[truth == OOD])

    def away(a: float) -> float:
        spread = 1 + ((m + n) / 2 - 1) * ((1 - a) / (2 - a) + a / (1 + a))
        return abs(value - a) - step - Z95 * np.sqrt(a * (1 - a) * spread / (m * n))

    step = 1 / (2 * min(m, n))  # half of the change that one image can make
    # The variance is zero at 0 and 1, so a bound lies between one of them and the value.
    low = brentq(away, 0, value) if value > step else 0.0
    high = brentq(away, value, 1) if value < 1 - step else 1.0
    return Interval(100 * value, 100 * low, 100 * high)


def judge_by_hand(found: Estimates) -> Verdict:
    """The verdict from a hand-labeled sample; the headline gives the sample size."""
    about = f"on {found.n_known} hand-labeled known images"
    figures = ""
    if found.difference is None:
        kind, summary = (
            "unlabelled",
            "All images labeled so far are unknown, so accuracy cannot be estimated.",
        )
    else:
        d = found.difference
        figures = (
            f"accuracy {d.value:+.0f} points, 95 % interval {d.low:+.0f} to {d.high:+.0f}, {about}"
        )
        if d.low > 0:
            kind, summary = "better", "Better, estimated from a sample."
        elif d.high < 0:
            kind, summary = "worse", "Worse, estimated from a sample."
        else:
            kind, summary = "same", "No statistically significant difference."
    sentences = []
    if found.right:
        b, a = found.right["before"], found.right["after"]
        sentences.append(
            f"Accuracy over known images: {b.value:.0f} % ({b.low:.0f} to {b.high:.0f}) before, {a.value:.0f} % "
            f"({a.low:.0f} to {a.high:.0f}) after; {found.gained} became right, {found.lost} became "
            f"wrong (exact sign test, p = {found.p_value:.2g})."
        )
    if found.auc:
        b, a = found.auc["before"], found.auc["after"]
        sentences.append(
            f"AUC of known against unknown: {b.value:.0f} ({b.low:.0f} to {b.high:.0f}) before, "
            f"{a.value:.0f} ({a.low:.0f} to {a.high:.0f}) after."
        )
    u = found.unknown
    sentences.append(
        f"About {u.value:.0f} % ({u.low:.0f} to {u.high:.0f}) of the images are unknown."
    )
    return Verdict(kind, summary, tuple(sentences), {}, (), figures, tuple(sentences))
