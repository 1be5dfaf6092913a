"""Chooses a learning rate and a model by evidence without labels: numbers in, numbers out.

The thresholds were set on built-in problems with seeds below 700 and on photos, and are frozen since; how
they fare on others is measured by `python -m ueo_core evidence` (docs/evidence.md).
"""

import math
from collections.abc import Mapping

from ueo_core.evaluation.guard_rule import Choice, Evidence, collapsed, merged

# The ladder, as λ_k = lr · E‖∂z/∂θ‖²: how far a step of that rate moves the logits (the mean
# diagonal of the neural tangent kernel). Numbers of this kind suit networks of any size: the best
# rates of the teaching models and of a MobileNet lie between 15 and 405, and at 5 hardly anything moves.
STRIDES = (5.0, 15.0, 45.0, 135.0, 405.0)
# Shares of a run after which the rates are compared: at the first, clear failures are dropped; at
# the second, one rate is left.
RUNGS = (1 / 8, 1 / 4)
DROP = 0.5  # evidence below the best from which a rate is dropped at the first rung
# Evidence below the best that a larger rate may have: it is still at its peak rate, and gains most
# from the fall of the rate that follows.
TOLERANCE = 0.1
# A model is recommended where its evidence is so much above that of zero-shot, and so is the sum of the
# three kinds of consistency: where zero-shot is nearly perfect, more spread scores alone would else
# speak for a model that is worse. One kind may fall: confident images of a zero-shot model that is often
# wrong change their prediction where the model improves.
MORE_EVIDENCE, MORE_CONSISTENCY = 0.1, 0.04
CONSISTENCY = ("crops", "neighbors", "confident")
CANDIDATES = 8  # models along a run whose evidence is measured, at most
# Pools from which nothing can be concluded: fewer images than this, or a zero-shot model whose
# predictions tell less about an image than this share of the most they could (mutual information
# over log C). Built-in pools have 0.59 or more, PACS and Caltech 0.51 or more; a pool of one
# class mostly has less than 0.35.
FEW_IMAGES, FEW_DIFFERENCES = 10, 0.35

Criteria = Mapping[str, float]  # of evidence.CRITERIA


def rungs(steps: int) -> tuple[int, int]:
    """The steps after which the rates of a run of `steps` steps are compared, ascending."""
    first, second = (max(1, round(share * steps)) for share in RUNGS)
    return first, max(first, second)


def search_steps(steps: int) -> int:
    """About how many steps the search takes before a run of `steps`: half of the rates are dropped."""
    first, second = rungs(steps)
    return len(STRIDES) * first + -(-len(STRIDES) // 2) * (second - first)


def remaining(found: Mapping[float, Criteria | None]) -> list[float]:
    """The rates that go on after the first rung, ascending. None: it diverged. Empty: all did."""
    values = _values(found)
    return [lr for lr, value in values.items() if value >= max(values.values()) - DROP]


def winner(found: Mapping[float, Criteria | None]) -> float | None:
    """The largest rate with about the best evidence; None if all have diverged."""
    values = _values(found)
    near = [lr for lr, value in values.items() if value >= max(values.values()) - TOLERANCE]
    return max(near, default=None)


def _values(found: Mapping[float, Criteria | None]) -> dict[float, float]:
    return {lr: c["evidence"] for lr, c in sorted(found.items()) if c is not None}


def measured_steps(first: int, last: int, per_epoch: int) -> set[int]:
    """The steps of a run from `first` to `last` whose models are candidates: ends of epochs."""
    ends = list(range(per_epoch, last - first + 1, per_epoch))
    every = -(-len(ends) // CANDIDATES)
    return {first + end for end in ends[::-1][::every]} | {last} if ends else {last}


def lost(zero: Criteria, now: Criteria) -> str:
    """What a model has lost of zero-shot: classes or groups of scores; empty for nothing."""
    before, after = (Evidence(c["crops"], c["spread"], c["separation"]) for c in (zero, now))
    if collapsed(before, after):
        return "classes"
    if merged(before, after):
        return "groups of scores"
    return ""


def better(zero: Criteria, now: Criteria) -> bool:
    """Whether evidence and consistency both speak for a model against zero-shot, and it has lost nothing."""
    consistency = sum(now[name] - zero[name] for name in CONSISTENCY)
    return (
        not lost(zero, now)
        and now["evidence"] >= zero["evidence"] + MORE_EVIDENCE
        and consistency >= MORE_CONSISTENCY
    )


def inconclusive(zero: Criteria, images: int, classes: int) -> str:
    """A sentence why evidence on a pool of so many images says nothing; empty where it does.

    zero: of the zero-shot model, with its mutual information `information` in nats
    """
    if images < FEW_IMAGES:
        return f"{images} images are too few to measure a model without labels."
    share = zero["information"] / math.log(classes) if classes > 1 else 0.0
    if share < FEW_DIFFERENCES:
        return (
            "Zero-shot hardly tells these images apart by the class names (mutual information: "
            f"{100 * max(share, 0):.0f} % of the most there can be), so that nothing shows whether a model "
            "has improved: most images look alike, show one class, or none of them."
        )
    return ""


def choose_model(
    candidates: Mapping[str, Criteria],
    last: str,
    names: Mapping[str, str],
    images: int,
    classes: int,
) -> Choice:
    """The model with the most evidence of those that are `better` than zero-shot, else zero-shot.

    candidates: points of the run and their averages by key, first `zero-shot`; last: the key of the last
    step; names: how a sentence names each; images, classes: how many there are. Zero-shot is also chosen
    where evidence is `inconclusive`. The share of the choice is 0 for zero-shot, 1 for the last step and
    0.5 for anything between.
    """
    zero = candidates["zero-shot"]
    left = {k: c for k, c in candidates.items() if better(zero, c)}
    why = inconclusive(zero, images, classes)
    best = max(left, key=lambda key: left[key]["evidence"], default="zero-shot")
    if why:
        best = "zero-shot"
    share = {"zero-shot": 0.0, last: 1.0}.get(best, 0.5)
    kept = {
        key: {name: round(c[name], 4) for name in c} | {"sound": float(key in left or c is zero)}
        for key, c in candidates.items()
    }
    reason = f"{why} {_recommended(best, names)}" if why else _reason(best, last, candidates, names)
    return Choice(share, reason, kept, best)


def _reason(
    best: str, last: str, candidates: Mapping[str, Criteria], names: Mapping[str, str]
) -> str:
    value = {key: candidates[key]["evidence"] for key in candidates}
    if best == last:
        return (
            f"The last epoch has the most evidence of {len(value)} candidates "
            f"({value[best]:.2f} of 5; zero-shot {value['zero-shot']:.2f})."
        )
    zero = candidates["zero-shot"]
    if best == "zero-shot":
        why = (
            f"Of {len(value) - 1} candidates, none has clearly more evidence and more consistency than "
            f"zero-shot (evidence {value[best]:.2f} of 5; last epoch {value[last]:.2f})"
        )
    else:
        against = f"last epoch {value[last]:.2f}, zero-shot {value['zero-shot']:.2f}"
        most = f"{value[best]:.2f} of 5; {against}"
        why = f"{names[best]} has the most evidence of {len(value)} candidates ({most})"
    if what := lost(zero, candidates[last]):
        why += f", and the last epoch has lost {what} that zero-shot has"
    return f"{why}. {_recommended(best, names)}"


def _recommended(best: str, names: Mapping[str, str]) -> str:
    return f"Recommended: {names[best][0].lower()}{names[best][1:]}."
