"""The numbers in the story's sentences, computed for what is on the screen.

Where an outcome may turn out either way (another batch, another link), the sentence
itself follows the numbers: nothing is said that they do not show.
"""

import math
from typing import TYPE_CHECKING

from ueo_core.learn.knobs import CLASS_NAMES, IMAGES, Knobs
from ueo_core.learn.outcomes import LURED, OUTCOMES, read
from ueo_core.learn.parameter_counts import RN50, VIT, Count, count, total_change
from ueo_core.learn.simplex import simulate
from ueo_core.learn.stage import Stage, draw_line, eight, found

if TYPE_CHECKING:
    from torch import Tensor

EVEN = 1.0  # percentage points of AUC that are called no difference


def of_eight(stage: Stage, draw: int, ticks: int = 0, revealed: bool = False) -> dict:
    """Scenes `guess` and `strangers`. ticks: which of the eight were ticked, one bit each."""
    chosen = eight(stage, draw)
    strange = [i for i in chosen if stage.truth[i] < 0]
    known = [i for i in chosen if stage.truth[i] >= 0]
    reveal = "Which ones? CLIP does not say: it predicts a class for each of them."
    if revealed:
        score = found(stage, chosen, {place for place in range(8) if ticks >> place & 1})
        reveal = (
            f"They are {', '.join(stage.problem.test[i] for i in strange)}: its mean "
            f"confidence is {100 * stage.sure(strange).mean():.0f} % for them and "
            f"{100 * stage.sure(known).mean():.0f} % for the known ones. You found {score['hits']} of "
            f"{score['unknown']}, with {score['wrong']} false alarm{'s' * (score['wrong'] != 1)}."
        )
    return {
        "classes": len(stage.problem.classes),
        "unknown": len(strange),
        "sure": int((stage.sure(chosen) > 0.5).sum()),
        "reveal": reveal,
    }


def of_hills(stage: Stage, below: int) -> dict:
    """Scene `hills`. below: known images under the line, percent."""
    line = draw_line(stage, below)
    return {
        "images": len(stage.problem.test),
        "auc": f"{stage.auc:.0f}",
        "kept": f"{line.kept:.0f}",
        "passed": f"{line.passed:.0f}",
    }


def of_triangle(knobs: Knobs) -> dict:
    """The scenes whose picture is the triangle: how each method ends."""
    run = simulate(knobs)
    reading = read(run)
    entmin, infomax, ueo = (run.methods.index(m) for m in ("entmin", "infomax", "ueo"))
    corner = CLASS_NAMES[reading.corner[entmin, -1]]
    n = round(reading.largest[entmin, -1] * IMAGES)
    numbers = {
        "alone": f"Alone (EntMin) it ends with {n} of {IMAGES} dots at {corner}.",
        "chance": f"Accuracy goes from {run.acc[entmin, 0]:.0f} to {run.acc[entmin, -1]:.0f} %, and "
        f"{100 / len(set(run.truth[run.known])):.0f} % is chance level.",
        "lured": "this batch has no unknown images.",
        "apart": "",
        "held": "This batch has no unknown images.",
        "told": "UEO's weights have nothing to hold back: this batch has no unknown images.",
        "ends": f"UEO ends with a mean confidence of {100 * reading.sure_known[ueo, -1]:.0f} % for the known images, ACC "
        f"{run.acc[ueo, 0]:.0f} → {run.acc[ueo, -1]:.0f} %.",
    }
    if run.known.all():
        return numbers
    sure = 100 * reading.sure_unknown[:, -1]
    lured = sure[infomax] >= 100 * LURED
    numbers["lured"] = (
        f"unknown images are pulled into corners as well: their confidence ends at {sure[infomax]:.0f} %."
        if lured
        else f"unknown images end with a mean confidence of {sure[infomax]:.0f} %."
    )
    change = run.auc[infomax, -1] - run.auc[infomax, 0]
    words = "as easy" if abs(change) < EVEN else "easier" if change > 0 else "harder"
    numbers["apart"] = (
        f"Known and unknown are then {words} to separate: AUC {run.auc[infomax, 0]:.0f} → "
        f"{run.auc[infomax, -1]:.0f} %."
    )
    held = OUTCOMES[reading.outcome[ueo, -1]] == "held"
    known = 100 * reading.sure_known[ueo, -1]
    areas = f"AUC {run.auc[ueo, 0]:.0f} → {run.auc[ueo, -1]:.0f} %"
    numbers["held"] = (
        f"Now the diamonds stay at a confidence of {sure[ueo]:.0f} %, and the known dots reach {known:.0f} %"
        if held
        else f"In this batch the diamonds are not held back: they end at {sure[ueo]:.0f} %, the known "
        f"dots at {known:.0f} %"
    ) + f" ({areas})."
    weights = run.weights[ueo]
    numbers["told"] = (
        "UEO can only hold back images whose weights differ: here the weights are "
        f"{weights[run.known].mean():.2f} on average for known images and "
        f"{weights[~run.known].mean():.2f} for unknown ones."
    )
    numbers["ends"] = (
        f"UEO ends with a mean confidence of {sure[ueo]:.0f} % for unknown and {known:.0f} % for known images, {areas}."
    )
    return numbers


def counts(stage: Stage) -> tuple[Count, Count, Count]:
    """Trained and all numbers of ViT-B/16, RN50 and the teaching model."""
    return VIT, RN50, count(stage.model)


def of_moved(stage: Stage, step: int, adapter: "dict[str, Tensor]") -> dict:
    """Scene `moved`. step, delta: the live run's last checkpoint, or 0 and the original."""
    vit, _, own = counts(stage)
    change = total_change(adapter, stage.model.original)
    digits = 1 if change == 0 else max(1, math.ceil(-math.log10(change)))
    moved = f", and at step {step} of the live run they have changed by {change:.{digits}f} % of their size"
    return {
        "vit_trained": f"{vit.trained:,}",
        "vit_all": f"{vit.total:,}",
        "vit_kb": f"{vit.kilobytes:.0f}",
        "own_trained": f"{own.trained:,}",
        "own_all": f"{own.total:,}",
        "own_moved": moved if step else ", and none of them has changed before the live run begins",
    }
