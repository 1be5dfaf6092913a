"""A trust check: which of a few models to use, from a dozen answers about images.

A *decision* of a model is a class, or unknown where its score is below its threshold; its accuracy
is the share of images whose decision is right. Images are drawn from three strata, without
replacement: those on which the models disagree, those near the threshold, and all others. How many
come from each depends on nothing but their sizes, so an image of stratum h stands for N_h/n_h
images, and the weighted share of right decisions is the stratified Horvitz–Thompson estimate
(Horvitz and Thompson, 1952), which is unbiased. Intervals are Clopper and Pearson's at the effective
sample size of Kish; strata that were asked completely are counted exactly. Where all models decide the
same, their difference is zero, so the interval of a difference needs only the images on which they
disagree. A test computes the coverage of all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ueo_core.evaluation.intervals import Interval, share
from ueo_core.evaluation.metrics import OOD

DOZEN = 12  # answers asked for at a time, and the fewest for an estimate
DISAGREE, BORDERLINE, SURE = range(3)  # strata
# The stratum of each image of a dozen. A look is worth most where the models disagree: six answers
# that all speak for one model are the fewest whose exact interval excludes a tie.
TURN = (DISAGREE, BORDERLINE, DISAGREE, SURE) * 3
NEAR = 1 / 3  # share of the images with equal decisions that counts as near the threshold


def decide(prediction: NDArray, score: NDArray, threshold: float) -> NDArray[np.int64]:
    """The decisions of a model: class index, or OOD below the threshold. (N,), (N,) → (N,)"""
    return np.where(score < threshold, OOD, prediction).astype(np.int64)


def strata(decisions: NDArray, score: NDArray, threshold: float) -> NDArray[np.int64]:
    """DISAGREE, BORDERLINE or SURE of every image.

    decisions: (M, N) of the models; score, threshold: (N,) of the adapted model. Distance from the
    threshold is counted in images between, so it is the same for every scale of the score.
    """
    place = np.searchsorted(np.sort(score), score)
    distance = np.abs(place - int((score < threshold).sum()) + 0.5)
    found = np.full(len(score), SURE, np.int64)
    alike = np.flatnonzero((decisions == decisions[0]).all(0))
    near = np.argsort(distance[alike], kind="stable")[: int(np.ceil(NEAR * len(alike)))]
    found[alike[near]] = BORDERLINE
    found[(decisions != decisions[0]).any(0)] = DISAGREE
    return found


def draw(stratum: NDArray, seed: int = 0) -> list[int]:
    """All images in the order in which they are asked: the strata as in TURN, each at random.

    A stratum that is used up is passed over. A sample is stratified wherever asking stops.
    """
    shuffled = np.random.default_rng(seed).permutation(len(stratum))
    left = [[int(i) for i in shuffled[stratum[shuffled] == h]][::-1] for h in range(3)]
    order: list[int] = []
    while any(left):
        order += [left[h].pop() for h in TURN if left[h]]
    return order


@dataclass(frozen=True)
class TrustEstimate:
    """What the answers say of each model; percent and points."""

    n: int  # answers
    accuracy: tuple[Interval, ...]  # of each model
    best: int  # the model with the highest estimate
    lead: tuple[Interval, ...]  # accuracy of the best minus that of each model
    complete: bool  # whether all images were asked

    @property
    def certain(self) -> bool:
        """Whether the best model is better than zero-shot, or zero-shot than all, by the intervals."""
        others = range(1, len(self.lead)) if self.best == 0 else [0]
        return all(self.lead[m].low > 0 for m in others)


def estimate(
    decisions: NDArray,
    truth: NDArray,
    stratum: NDArray,
    sizes: Sequence[int],
    preferred: int = 0,
) -> TrustEstimate | None:
    """The accuracy of every model; None while a stratum that has images has no answer.

    decisions: (M, n) of the models, zero-shot first, for the images that were asked; truth: (n,) class index, OOD, or
    any other negative number where no decision is right; stratum: (n,); sizes: images of the whole
    set in each stratum; preferred: the model that is the best of equal ones.
    """
    N_h, n_h = np.asarray(sizes, np.float64), np.bincount(stratum, minlength=3)
    if ((N_h > 0) & (n_h == 0)).any():
        return None
    weight = (N_h / np.maximum(n_h, 1))[stratum]
    counted = (n_h == N_h)[stratum]  # images of strata that are known completely
    right = decisions == truth
    accuracy = tuple(_total(weight, r, counted, N_h.sum()) for r in right)
    values = [round(a.value, 6) for a in accuracy]
    best = preferred if values[preferred] == max(values) else int(np.argmax(values))
    apart = stratum == DISAGREE
    lead = tuple(
        Interval(0.0, 0.0, 0.0)
        if m == best
        else _lead(r[apart], right[best][apart], N_h, bool(counted[apart].all()))
        for m, r in enumerate(right)
    )
    return TrustEstimate(len(truth), accuracy, best, lead, bool((n_h == N_h).all()))


def _total(weight: NDArray, right: NDArray, counted: NDArray, total: float) -> Interval:
    """Share of right decisions in the whole set: exact where counted, else with an interval."""
    exact = 100 * float(right[counted].sum()) / total
    rest = ~counted
    if not rest.any():
        return Interval(exact, exact, exact)
    part = float(weight[rest].sum()) / total
    found = share(weight[rest], right[rest])
    return Interval(*(float(exact + part * v) for v in (found.value, found.low, found.high)))


def _lead(before: NDArray, after: NDArray, sizes: NDArray, counted: bool) -> Interval:
    """Accuracy of `after` minus that of `before`, from the images on which the models disagree."""
    if not len(before):
        return Interval(0.0, 0.0, 0.0)
    # 1 where only `after` is right, 0 where only `before` is, ½ else: the mean of values in [0, 1]
    # varies at most as a share does, so the interval of a share is a conservative one.
    found = share(np.ones(len(before)), (1.0 + after.astype(float) - before) / 2)
    part = float(sizes[DISAGREE] / sizes.sum())
    value, low, high = (float(part * (2 * v - 100)) for v in (found.value, found.low, found.high))
    return Interval(value, value, value) if counted else Interval(value, low, high)


def recommendation(found: TrustEstimate, names: Sequence[str]) -> str:
    """One sentence: which model to use, with the estimated accuracy of each and its interval.

    names: of the models after "use" or "keep", such as "the adapted model"; zero-shot is the first.
    """
    verb = "Keep" if found.best == 0 else "Use"
    order = [found.best, *(m for m in range(len(names)) if m != found.best)]
    listed = [f"of {names[m]} {_percent(found.accuracy[m])}" for m in order]
    listed[0] = f"{listed[0].replace(' (', ' (95 % interval ', 1)}"
    kind = f"all {found.n} images" if found.complete else f"{found.n} answers"
    if all(_same(found, m) for m in order[1:]):
        doubt = f", though {kind} show no difference"
    elif found.certain or found.complete:
        doubt = ""
    else:
        doubt = f" for now, though {found.n} answers are too few to be certain"
    return (
        f"{verb} {names[found.best]}{doubt}: the estimated accuracy {', '.join(listed[:-1])} and "
        f"{listed[-1]}."
    )


def _same(found: TrustEstimate, model: int) -> bool:
    return abs(found.accuracy[model].value - found.accuracy[found.best].value) < 1e-6


def _percent(found: Interval) -> str:
    return f"is {found.value:.0f} % ({found.low:.0f} to {found.high:.0f})"


def agreement(decisions: NDArray) -> str:
    """A sentence where the models' decisions leave little to choose, else empty. decisions (M, N)"""
    n = decisions.shape[1]
    if (decisions != decisions[0]).any():
        return ""
    if (decisions[0] == OOD).all():
        return (
            f"All models reject all {n:,} images as unknown, so there is nothing to choose: check the "
            "class names and the threshold."
        )
    if (decisions[0] == decisions[0][0]).all():
        return (
            f"All models decide on the same class for all {n:,} images, so there is nothing to choose: "
            "check the class names."
        )
    return (
        f"All models decide the same for all {n:,} images, so any of them will do; the answers "
        "estimate how accurate they are."
    )
