"""Safety check: choose between zero-shot and adapted model without labels.

Adaptation can make a model worse, which cannot be seen without labels. What can be measured is
whether a model gives the same prediction for an image and for a random crop of it: models that
generalize better do so more often (Deng, Gould & Zheng, *On the Strong Correlation Between Model
Invariance and Generalization*, NeurIPS 2022). Agreement by chance is subtracted (Scott's π, 1955),
and a model whose predictions cover fewer classes is rejected whatever its agreement, because a
model that predicts one class for everything always agrees with itself. Agreement says little about
unknown images, which are trained to agree as well; so where zero-shot scores form two clear groups,
known and unknown, the groups have to stay separate.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

IMAGES, DRAWS = 320, 2  # images that are cropped, and crops of each
# The more reliable zero-shot is, the more can be lost and the less gained: above RELIABLE,
# consistency has to rise by GAIN × the excess; below it, it may fall by GAIN × the deficit.
RELIABLE, GAIN = 0.6, 0.1
MARGIN = 0.02  # extra gain that a blend needs; two draws differ by about this
MIN_SPREAD = 0.9  # share of the spread of zero-shot predictions that has to remain
# Ashman's D (`thresholds.ashman_d`) from which scores form two groups (a single Gaussian, split in
# two by the fit, has about 2), and the share of this distance that has to remain.
TWO_GROUPS, MIN_DISTANCE = 3.0, 0.85
# Candidates, as shares of the way from zero-shot (0) to the last epoch (1); the last epoch first.
SHARES = (1.0, 0.75, 0.5, 0.25)


def draws_of(mode: str) -> int:
    """Crops of each image: one in quick mode, where the check would take longer than the run."""
    return 1 if mode == "quick" else DRAWS


@dataclass(frozen=True)
class Evidence:
    """What is measured of a model without labels; the names are keys of stored JSON."""

    # Scott's π of the predictions for an image and for crops of it: 1 always equal, 0 by chance.
    consistency: float
    # Entropy of the mean prediction over log C, 0 to 1.
    spread: float
    # Distance of two groups of OOD scores in their widths (Ashman's D); 0 where there is one group.
    parted: float


def consistency(predictions: NDArray, again: NDArray, classes: int) -> float:
    """Chance-corrected agreement of predictions for images and for crops of them (Scott's π).

    predictions: (N,) class indices; again: (R, N), the predictions for R crops of each image.
    π = (A − E)/(1 − E), A the share that agrees, E = Σ_c p_c² with p_c the share of class c among
    `predictions`. A model that predicts one class for everything gets 0.
    """
    predictions = np.asarray(predictions)
    share = np.bincount(predictions, minlength=classes) / len(predictions)
    chance = float((share**2).sum())
    agreed = float((np.asarray(again) == predictions).mean())
    return (agreed - chance) / (1 - chance) if chance < 1 else 0.0


def spread(probabilities: NDArray) -> float:
    """Entropy of the mean prediction as a share of log C. probabilities (N, C) → 0 to 1"""
    mean = np.asarray(probabilities, np.float64).mean(0)
    mean = mean[mean > 0]
    return float(-(mean * np.log(mean)).sum() / np.log(np.shape(probabilities)[1]))


@dataclass(frozen=True)
class Choice:
    """The recommended model, and why; stored as JSON."""

    share: float  # of the way from zero-shot (0) to the last epoch (1)
    reason: str  # sentences for people
    evidence: dict[str, dict[str, float]]  # by share: the fields of Evidence; else by model
    # Of a run that chose its rate: `zero-shot`, a step of the run, or `average`. Else the share says it.
    model: str = ""

    def to_json(self) -> dict:
        return asdict(self)


def collapsed(zero: Evidence, now: Evidence) -> bool:
    """Whether predictions cover clearly fewer classes than those of zero-shot."""
    return now.spread < MIN_SPREAD * zero.spread


def merged(zero: Evidence, now: Evidence) -> bool:
    """Whether two groups of zero-shot scores are no longer separate."""
    return zero.parted >= TWO_GROUPS and now.parted < MIN_DISTANCE * zero.parted


def choose(evidence_of: Callable[[float], Evidence]) -> Choice:
    """The last epoch if its evidence allows it, else the largest blend that improves on zero-shot.

    The last epoch has to be about as consistent as zero-shot, and more so where zero-shot is
    reliable; a blend has to be more consistent by more than chance explains. Neither may collapse
    the predictions or merge two groups of scores. If none qualifies: zero-shot. evidence_of(share):
    measures the model at that share of the way; blends are only measured when they are needed.
    """
    found = {0.0: evidence_of(0.0)}
    zero = found[0.0]

    def qualifies(share: float) -> bool:
        found[share] = now = evidence_of(share)
        margin = 0 if share == 1 else MARGIN
        needed = zero.consistency + GAIN * (zero.consistency - RELIABLE) + margin
        return now.consistency >= needed and not collapsed(zero, now) and not merged(zero, now)

    share = next((s for s in SHARES if qualifies(s)), 0.0)
    evidence = {
        f"{k:g}": {name: round(value, 4) for name, value in asdict(e).items()}
        for k, e in found.items()
    }
    return Choice(share, _reason(share, zero, found[1.0]), evidence)


def _reason(share: float, zero: Evidence, last: Evidence) -> str:
    agreement = (
        f"Predictions on random crops agree {100 * last.consistency:.0f} % "
        f"(chance-corrected; zero-shot {100 * zero.consistency:.0f} %)"
    )
    if share == 1:
        return f"{agreement}. No sign of degradation."
    if collapsed(zero, last):
        left = 100 * last.spread / zero.spread
        finding = (
            f"Predictions cover fewer classes: {left:.0f} % of the zero-shot spread remains."
            if left >= 1
            else "Predictions have collapsed onto one class."
        )
    elif merged(zero, last):
        finding = (
            "Zero-shot scores form two clear groups, known and unknown, and adaptation merges them "
            f"(distance {last.parted:.1f} group widths; zero-shot {zero.parted:.1f})."
        )
    elif last.consistency >= zero.consistency:
        finding = f"{agreement}: not enough of a gain where zero-shot is already reliable."
    else:
        finding = f"{agreement}: a sign of degradation."
    recommended = (
        "the original (zero-shot) model"
        if share == 0
        else f"a {100 * share:.0f} % blend of the adapted and the original model"
    )
    return f"{finding} Recommended: {recommended}."


@dataclass(frozen=True)
class Sign:
    """A possible problem of a run in progress, detected without labels."""

    key: str  # collapse, narrowing, drift
    sentence: str


# Percent of the spread of predictions at step 0 that remains, below which there is a sign.
COLLAPSE, NARROWING = 40.0, 75.0
DRIFT = 40.0  # percent of images with an unchanged prediction, below which there is a sign


def signs(evaluations: Sequence[dict]) -> list[Sign]:
    """Signs of degradation in the latest evaluation; see `Scorer.evaluation` for its fields."""
    if len(evaluations) < 2:
        return []
    first, now = evaluations[0], evaluations[-1]
    left = 100 * now["spread"] / first["spread"] if first["spread"] else 100.0
    found = []
    if left < COLLAPSE:
        found.append(
            Sign(
                "collapse",
                f"Predictions are collapsing onto few classes: {left:.0f} % of the initial spread remains. "
                "Stop the run, and use a lower learning rate or a method with a marginal term.",
            )
        )
    elif left < NARROWING:
        found.append(
            Sign(
                "narrowing",
                f"Predictions cover fewer classes: {left:.0f} % of the initial spread remains.",
            )
        )
    if now["agreement"] < DRIFT:
        found.append(
            Sign(
                "drift",
                f"Only {now['agreement']:.0f} % of the images still have their zero-shot prediction. This is "
                "expected where zero-shot was poor, and harmful where it was good.",
            )
        )
    return found


TOO_LITTLE, TOO_MUCH = 0.0001, 1.0  # relative parameter change over a whole run


def rate_hint(step_change: float, steps: int) -> str:
    """A sentence about an unsuitable learning rate, else empty.

    step_change: relative change ‖Δv‖/‖v‖ of the trained parameters by one step at the peak rate.
    The mean rate of the cosine schedule is half the peak, so a run changes them by at most
    step_change · steps/2.
    """
    reach = step_change * steps / 2
    if reach < TOO_LITTLE:
        return (
            f"At this learning rate, the run changes the trained parameters by at most {100 * reach:.3f} %, so "
            "hardly anything will change. Use a higher rate or more epochs."
        )
    if reach > TOO_MUCH:
        return (
            f"At this learning rate, the run can change the trained parameters by {100 * reach:.0f} % of their "
            "size, which usually degrades the model. Use a lower rate."
        )
    return ""
