"""The numbers in the story's sentences, computed for what is on the screen.

A result can differ between batches and links. There the sentence itself depends on the
numbers: it says only what they show.
"""

import math
from typing import TYPE_CHECKING

from ueo_core.learn.demo import Demo, count_guesses, draw_eight, threshold_at
from ueo_core.learn.outcomes import CONFIDENT, OUTCOMES, measure
from ueo_core.learn.parameter_counts import RN50, VIT, Count, count, total_change
from ueo_core.learn.simplex import simulate
from ueo_core.learn.triangle_settings import CLASS_NAMES, IMAGES, TriangleSettings

if TYPE_CHECKING:
    from torch import Tensor

NO_DIFFERENCE = 1.0  # a smaller change of the AUC, in percentage points, is called no difference


def of_eight(demo: Demo, draw: int, ticks: int = 0, revealed: bool = False) -> dict:
    """Scenes `guess` and `strangers`. ticks: the drawings that were marked, one bit each"""
    chosen = draw_eight(demo, draw)
    unknown = [i for i in chosen if demo.truth[i] < 0]
    known = [i for i in chosen if demo.truth[i] >= 0]
    sure_unknown = f"{100 * demo.confidence(unknown).mean():.0f}"
    sure_known = f"{100 * demo.confidence(known).mean():.0f}"
    reveal = "CLIP does not say which ones: it predicts a class for each drawing."
    if revealed:
        guesses = count_guesses(demo, chosen, {place for place in range(8) if ticks >> place & 1})
        alarms = guesses["false_alarms"]
        reveal = (
            f"The unknown drawings show: {', '.join(demo.problem.test[i] for i in unknown)}. CLIP's mean confidence is "
            f"{sure_unknown} % on them and {sure_known} % on the known drawings. Marked correctly: "
            f"{guesses['correct']} of {guesses['unknown']}, with {alarms} false "
            f"alarm{'s' * (alarms != 1)}."
        )
    return {
        "classes": len(demo.problem.classes),
        "unknown": len(unknown),
        "sure": int((demo.confidence(chosen) > 0.5).sum()),
        "reveal": reveal,
        "confidence_unknown": sure_unknown,
        "confidence_known": sure_known,
    }


def of_scores(demo: Demo, below: int) -> dict:
    """Scene `hills`. below: share of the known drawings below the threshold, percent"""
    threshold = threshold_at(demo, below)
    return {
        "images": len(demo.problem.test),
        "auc": f"{demo.auc:.0f}",
        "known": f"{threshold.known_accepted:.0f}",
        "unknown": f"{threshold.unknown_accepted:.0f}",
    }


def of_triangle(settings: TriangleSettings) -> dict:
    """The scenes whose picture is the triangle: how each method ends."""
    run = simulate(settings)
    measures = measure(run)
    entmin, infomax, ueo = (run.methods.index(m) for m in ("entmin", "infomax", "ueo"))
    corner = CLASS_NAMES[measures.largest_class[entmin, -1]]
    n = round(measures.largest_share[entmin, -1] * IMAGES)
    known = 100 * measures.confidence_known[ueo, -1]
    numbers = {
        "entmin_end": f"With term one alone (EntMin), {n} of {IMAGES} dots end as class {corner}. "
        f"Accuracy changes from {run.acc[entmin, 0]:.0f} to "
        f"{run.acc[entmin, -1]:.0f} %; chance is {100 / len(set(run.truth[run.known])):.0f} %.",
        "infomax_unknown": "only known images are affected: this batch has no unknown ones.",
        "infomax_auc": "",
        "ueo_end": "There are no unknown images in this batch.",
        "weights": "This batch has no unknown images, so the weights have nothing to separate.",
        "ueo_confidence": f"UEO ends with a mean confidence of {known:.0f} % on known images, ACC "
        f"{run.acc[ueo, 0]:.0f} → {run.acc[ueo, -1]:.0f} %.",
    }
    if run.known.all():
        return numbers
    unknown = 100 * measures.confidence_unknown[:, -1]
    numbers["infomax_unknown"] = (
        f"unknown images move to the corners as well: their mean confidence ends at {unknown[infomax]:.0f} %."
        if unknown[infomax] >= 100 * CONFIDENT
        else f"the mean confidence on unknown images ends at {unknown[infomax]:.0f} %."
    )
    change = run.auc[infomax, -1] - run.auc[infomax, 0]
    words = "as easy" if abs(change) < NO_DIFFERENCE else "easier" if change > 0 else "harder"
    numbers["infomax_auc"] = (
        f"Known and unknown images are then {words} to separate: AUC {run.auc[infomax, 0]:.0f} → "
        f"{run.auc[infomax, -1]:.0f} %."
    )
    auc = f"AUC {run.auc[ueo, 0]:.0f} → {run.auc[ueo, -1]:.0f} %"
    stays_lower = OUTCOMES[measures.outcome[ueo, -1]] == "unknown_less_confident"
    numbers["ueo_end"] = (
        f"The confidence stays lower on unknown images, the diamonds ({unknown[ueo]:.0f} %), than on "
        f"known images ({known:.0f} %): {auc}."
        if stays_lower
        else f"In this batch the confidence ends at {unknown[ueo]:.0f} % on unknown images, the diamonds, "
        f"and at {known:.0f} % on known images: {auc}."
    )
    weights = run.weights[ueo]
    numbers["weights"] = (
        "UEO can separate only images with different weights: here their mean is "
        f"{weights[run.known].mean():.2f} for known images and "
        f"{weights[~run.known].mean():.2f} for unknown images."
    )
    numbers["ueo_confidence"] = (
        f"UEO ends with a mean confidence of {unknown[ueo]:.0f} % on unknown images and {known:.0f} % on "
        f"known images, {auc}."
    )
    return numbers


def counts(demo: Demo) -> tuple[Count, Count, Count]:
    """Trained and all parameters of ViT-B/16, RN50 and the teaching model."""
    return VIT, RN50, count(demo.model)


def of_trained(demo: Demo, step: int, adapter: "dict[str, Tensor]") -> dict:
    """Scene `moved`. step, adapter: the live run's last checkpoint, or 0 and the original values"""
    vit, _, own = counts(demo)
    change = total_change(adapter, demo.model.original)
    digits = 1 if change == 0 else max(1, math.ceil(-math.log10(change)))
    return {
        "vit_trained": f"{vit.trained:,}",
        "vit_all": f"{vit.total:,}",
        "vit_kb": f"{vit.kilobytes:.0f}",
        "own_trained": f"{own.trained:,}",
        "own_all": f"{own.total:,}",
        "own_change": f"; at step {step} of the live run they have changed by {change:.{digits}f} %"
        if step
        else "; none of them changes before the live run starts",
    }
