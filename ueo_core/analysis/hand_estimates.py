"""What a small hand-labelled sample says about a whole set: estimates with honest intervals.

The sample is stratified, so an image of stratum h stands for N_h / n_h images. Shares carry
exact intervals (Clopper and Pearson) and the AUC one of Newcombe's with a correction for
continuity, at the size that a plain sample of equal information would have (Kish). These do
not shrink to nothing when all labels agree, as a bootstrap of so few would, and they hold
near 0 and 100 %, where Wilson's falls short; a test counts how often they hold the truth.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, binomtest

from ueo_core.analysis.hand_labels import UNCLEAR, HandLabels
from ueo_core.analysis.per_class import Z95
from ueo_core.analysis.run_result import Part
from ueo_core.analysis.verdict import Interval, Verdict, weighted_auc
from ueo_core.evaluation.metrics import OOD

FEWEST = 10  # labels below which nothing is estimated
FEWEST_SIDE = 3  # known and unknown images that an AUC needs at least


@dataclass(frozen=True)
class Estimates:
    """Percent, with 95 % intervals; None where the labels do not allow it."""

    n: int  # images labelled, without those that nobody could tell
    n_known: int
    unclear: int
    unknown: Interval  # share of the set that is of none of the classes
    right: dict[str, Interval] | None  # by side: right answers among images of the classes
    difference: Interval | None  # of `right`, after − before, paired
    acc: dict[str, Interval] | None  # by side: mean over the classes that were met
    classes: int  # that were met
    auc: dict[str, Interval] | None  # by side: known against unknown
    gained: int  # images that became right
    lost: int  # images that became wrong
    p_value: float  # exact sign test of gained against lost, two-sided


def estimate_by_hand(part: Part, labels: HandLabels, score: str) -> Estimates | None:
    """Estimates for the whole set; None below `FEWEST` labels, or while a stratum has none."""
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
        right = {side: _share(w, h[known]) for side, h in hit.items()}
        difference = _paired(w, hit["before"][known], hit["after"][known])
        acc = {side: _class_mean(w, h[known], truth[known]) for side, h in hit.items()}
    if min(known.sum(), (~known).sum()) >= FEWEST_SIDE:
        scores = part.scores(score)
        auc = {side: _auc(weight, values[images], truth) for side, values in scores.items()}
    return Estimates(
        n=len(images),
        n_known=int(known.sum()),
        unclear=sum(v == UNCLEAR for v in labels.given.values()),
        unknown=_share(weight, ~known),
        right=right,
        difference=difference,
        acc=acc,
        classes=len(met),
        auc=auc,
        gained=gained,
        lost=lost,
        p_value=float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0,
    )


def effective(weight: NDArray) -> float:
    """Size of the plain sample that knows as much (Kish, 1965): (Σw)² / Σw²."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def _share(weight: NDArray, flag: NDArray) -> Interval:
    p, n = float(np.average(flag, weights=weight)), effective(weight)
    hits, misses = p * n, (1 - p) * n
    low = beta.ppf(0.025, hits, misses + 1) if hits > 0 else 0.0
    high = beta.ppf(0.975, hits + 1, misses) if misses > 0 else 1.0
    return Interval(100 * p, 100 * float(low), 100 * float(high))


def _paired(weight: NDArray, before: NDArray, after: NDArray) -> Interval:
    """Difference of two shares of the same images (Bonett and Price, 2012: one added to each cell)."""
    n = effective(weight)
    up = float(np.average(after & ~before, weights=weight))
    down = float(np.average(before & ~after, weights=weight))
    a, b = (up * n + 1) / (n + 2), (down * n + 1) / (n + 2)
    half = Z95 * np.sqrt(max(a + b - (a - b) ** 2, 0) / (n + 2))
    low, high = max(-1.0, a - b - half), min(1.0, a - b + half)
    return Interval(100 * (up - down), 100 * float(low), 100 * float(high))


def _class_mean(weight: NDArray, hit: NDArray, truth: NDArray) -> Interval:
    """Mean recall of the classes that were met, each recall's variance from (hits + 1)/(n + 2)."""
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

    step = 1 / (2 * min(m, n))  # half of what one image can move it by
    # At 0 and 1 the variance vanishes: a bound lies between there and the value, or there.
    low = brentq(away, 0, value) if value > step else 0.0
    high = brentq(away, value, 1) if value < 1 - step else 1.0
    return Interval(100 * value, 100 * low, 100 * high)


def judge_by_hand(found: Estimates) -> Verdict:
    """The verdict that a hand-labelled sample allows, with the sample's size in every sentence."""
    about = f"on {found.n_known} hand-labelled images of the classes"
    if found.difference is None:
        kind, headline = "unlabelled", "Every image labelled so far is of none of the classes."
    else:
        d = found.difference
        figures = (
            f"right answers {d.value:+.0f} points, 95 % interval {d.low:+.0f} to {d.high:+.0f}, "
            f"{about}"
        )
        if d.low > 0:
            kind, headline = "better", f"Better, by an estimate ({figures})."
        elif d.high < 0:
            kind, headline = "worse", f"Worse, by an estimate: it did harm here ({figures})."
        else:
            kind, headline = "same", f"No difference within the interval ({figures})."
    sentences = []
    if found.right:
        b, a = found.right["before"], found.right["after"]
        sentences.append(
            f"Right answers: {b.value:.0f} % ({b.low:.0f} to {b.high:.0f}) before, {a.value:.0f} % "
            f"({a.low:.0f} to {a.high:.0f}) after; {found.gained} became right, {found.lost} became "
            f"wrong (exact sign test, p = {found.p_value:.2g})."
        )
    if found.auc:
        b, a = found.auc["before"], found.auc["after"]
        sentences.append(
            f"AUC, known against unknown: {b.value:.0f} ({b.low:.0f} to {b.high:.0f}) before, "
            f"{a.value:.0f} ({a.low:.0f} to {a.high:.0f}) after."
        )
    u = found.unknown
    sentences.append(
        f"About {u.value:.0f} % ({u.low:.0f} to {u.high:.0f}) of the images are of none of the classes."
    )
    return Verdict(kind, headline, tuple(sentences), {}, ())
