"""Do no harm: a choice between zero-shot and adapted that needs no label.

Adaptation can make a model worse, and whoever has no labels cannot see it. What can be seen without
any is whether a model gives the same answer when it is shown the same image in another crop: models
that generalise do so more often (Deng, Gould & Zheng, *On the Strong Correlation Between Model
Invariance and Generalization*, NeurIPS 2022). Agreement by chance is taken off (Scott's π, 1955), and
a model whose answers have narrowed is refused however sure of itself it is: one that answers
everything alike always agrees with itself. Agreement says little of strangers, who are made to agree
as well; where zero-shot's scores lie in two clear groups, known and strange, these have to stay apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

IMAGES, DRAWS = 320, 2  # images asked again, and how often each
# The surer zero-shot is, the more there is to lose and the less to gain: from FAIR on consistency has to
# rise by this share of what lies above, below FAIR it may fall by as much.
FAIR, RISE = 0.6, 0.1
MARGIN = 0.02  # that a point between has to gain besides; two draws differ by about this
KEPT_SPREAD = 0.9  # share of the zero-shot answers' spread over the classes that has to be left
# From where on scores surely lie in two groups (`thresholds.parted`: one bell split in two by the fit
# has about 2), and the share of their distance that has to be left.
TWO_GROUPS, KEPT_APART = 3.0, 0.85
SHARES = (
    1.0,
    0.75,
    0.5,
    0.25,
)  # of the way from zero-shot (0) to the last epoch (1), the last first


def draws_of(mode: str) -> int:
    """How often each image is asked again. Once in quick mode, or the guard would cost more than the run."""
    return 1 if mode == "quick" else DRAWS


@dataclass(frozen=True)
class Evidence:
    """What is seen of a model without labels."""

    consistency: (
        float  # Scott's π of the answers to an image and to crops of it; 1 always, 0 by chance
    )
    spread: float  # entropy of the mean prediction over log C, 0 to 1
    parted: float  # distance of two groups of scores, in their widths; see thresholds.parted


def consistency(predictions: NDArray, again: NDArray, classes: int) -> float:
    """How much more often crops of an image get its answer than by chance.

    answers: (N,) class indices; again: (R, N), the answers to R crops of each image. Scott's π =
    (A − E)/(1 − E), A the share that agrees, E = Σ_c p_c² with p_c the share of class c among
    `answers`. A model that gives one answer to everything gets 0.
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
    """What the guard took, and why."""

    share: float  # of the way from zero-shot (0) to the last epoch (1)
    reason: str  # for a person
    evidence: dict[str, dict[str, float]]  # by share: the fields of Evidence

    def to_json(self) -> dict:
        return asdict(self)


def narrowed(zero: Evidence, now: Evidence) -> bool:
    """Whether a model answers fewer classes than zero-shot does."""
    return now.spread < KEPT_SPREAD * zero.spread


def mixed(zero: Evidence, now: Evidence) -> bool:
    """Whether a model no longer keeps apart what were two groups under zero-shot."""
    return zero.parted >= TWO_GROUPS and now.parted < KEPT_APART * zero.parted


def choose(look: Callable[[float], Evidence]) -> Choice:
    """The last epoch unless the evidence is against it; else the farthest point that it is for.

    The last epoch has to be about as consistent as zero-shot, and more so where zero-shot is surer
    of itself; a point between, which nobody asked for, by more than chance can explain. Neither may narrow the answers, nor mix two groups of scores that
    zero-shot told apart. Where there is none, zero-shot. look(share): the evidence on
    the model at that share of the way; points between are only looked at when they are needed.
    """
    found = {0.0: look(0.0)}
    zero = found[0.0]

    def speaks_for(share: float) -> bool:
        found[share] = now = look(share)
        needed = zero.consistency + RISE * (zero.consistency - FAIR) + (0 if share == 1 else MARGIN)
        return now.consistency >= needed and not narrowed(zero, now) and not mixed(zero, now)

    share = next((s for s in SHARES if speaks_for(s)), 0.0)
    evidence = {
        f"{k:g}": {name: round(value, 4) for name, value in asdict(e).items()}
        for k, e in found.items()
    }
    return Choice(share, _reason(share, zero, found[1.0]), evidence)


def _reason(share: float, zero: Evidence, last: Evidence) -> str:
    crops = (
        "Shown other crops of an image, the model repeats its answer in "
        f"{100 * last.consistency:.0f} % beyond chance (zero-shot: {100 * zero.consistency:.0f} %)"
    )
    if share == 1:
        return f"{crops}: nothing speaks against the adapted model."
    if narrowed(zero, last):
        crops = (
            f"The answers have narrowed to {100 * last.spread / max(zero.spread, 1e-9):.0f} % of their spread "
            "over the classes"
        )
    elif mixed(zero, last):
        crops = (
            "Zero-shot's scores lay in two clear groups, known and strange; now these mix "
            f"(they lie {last.parted:.1f} of their widths apart, before {zero.parted:.1f})"
        )
    elif last.consistency >= zero.consistency:
        crops += ", too little more where zero-shot was as sure as that"
    what = (
        "the zero-shot model is offered instead of the last epoch"
        if share == 0
        else f"the model {100 * share:.0f} % of the way from zero-shot to the last epoch is offered"
    )
    return f"{crops}: {what}."


@dataclass(frozen=True)
class Sign:
    """Something to look at while a run goes on; seen without labels."""

    key: str  # collapse, narrowing, drift
    sentence: str


COLLAPSED, NARROWED = 40.0, 75.0  # percent of the spread of answers at step 0 that is left
DRIFTED = 40.0  # percent of the images that still answer as zero-shot


def signs(evaluations: Sequence[dict]) -> list[Sign]:
    """What the latest evaluation shows that may be harm; see `Scorer.evaluation` for its fields."""
    if len(evaluations) < 2:
        return []
    first, now = evaluations[0], evaluations[-1]
    left = 100 * now["spread"] / first["spread"] if first["spread"] else 100.0
    found = []
    if left < COLLAPSED:
        found.append(
            Sign(
                "collapse",
                f"The answers are collapsing into few classes: {left:.0f} % of their spread is left. "
                "Stop, and take a lower rate or a method with a marginal term.",
            )
        )
    elif left < NARROWED:
        found.append(
            Sign(
                "narrowing",
                f"The answers are narrowing: {left:.0f} % of their spread over the classes is left.",
            )
        )
    if now["agreement"] < DRIFTED:
        found.append(
            Sign(
                "drift",
                f"Only {now['agreement']:.0f} % of the images still get the zero-shot answer. That is right where "
                "zero-shot was poor, and harm where it was good.",
            )
        )
    return found


TOO_LITTLE, TOO_MUCH = 0.0001, 1.0  # relative parameter change over a whole run


def rate_hint(step_change: float, steps: int) -> str:
    """A sentence on the learning rate before a run, empty when nothing speaks against it.

    step_change: relative change ‖Δv‖/‖v‖ of the trained parameters by one step at the peak rate.
    The cosine schedule halves the sum of the rates, so a run can go at most steps/2 as far.
    """
    reach = step_change * steps / 2
    if reach < TOO_LITTLE:
        return (
            f"At this rate the whole run changes the trained parameters by at most {100 * reach:.3f} %: hardly "
            "anything will happen. Take a higher rate or more epochs."
        )
    if reach > TOO_MUCH:
        return (
            f"At this rate a run can move the trained parameters by {100 * reach:.0f} % of their size, farther "
            "than a model usually survives. Take a lower rate."
        )
    return ""
