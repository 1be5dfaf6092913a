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
    """Scenes `guess` and `strangers`. ticks: which of the eight the room ticked, a bit each."""
    chosen = eight(stage, draw)
    strange = [i for i in chosen if stage.truth[i] < 0]
    known = [i for i in chosen if stage.truth[i] >= 0]
    reveal = "Which? CLIP does not say: it has an answer for each of them."
    if revealed:
        score = found(stage, chosen, {place for place in range(8) if ticks >> place & 1})
        reveal = (
            f"They are {', '.join(stage.problem.test[i] for i in strange)}: CLIP is "
            f"{100 * stage.sure(strange).mean():.0f} % sure of them on average, and "
            f"{100 * stage.sure(known).mean():.0f} % of the known ones. The room found {score['hits']} of "
            f"{score['strangers']}, with {score['wrong']} false alarm{'s' * (score['wrong'] != 1)}."
        )
    return {
        "classes": len(stage.problem.classes),
        "strangers": len(strange),
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
        "alone": f"Alone (EntMin) it ends with {n} of {IMAGES} dots answering {corner}.",
        "chance": f"Accuracy goes from {run.acc[entmin, 0]:.0f} to {run.acc[entmin, -1]:.0f} %, and "
        f"{100 / len(set(run.truth[run.known])):.0f} % is chance.",
        "lured": "there are no strangers in this batch.",
        "apart": "",
        "held": "There are no strangers in this batch.",
        "told": "UEO's weights have nobody to hold back: there are no strangers in this batch.",
        "ends": f"It ends {100 * reading.sure_known[ueo, -1]:.0f} % sure of the known images, ACC "
        f"{run.acc[ueo, 0]:.0f} → {run.acc[ueo, -1]:.0f} %.",
    }
    if run.known.all():
        return numbers
    sure = 100 * reading.sure_strange[:, -1]
    lured = sure[infomax] >= 100 * LURED
    numbers["lured"] = (
        f"strangers are sent into corners as well: they end {sure[infomax]:.0f} % sure."
        if lured
        else f"strangers end {sure[infomax]:.0f} % sure on average."
    )
    change = run.auc[infomax, -1] - run.auc[infomax, 0]
    words = "as easy" if abs(change) < EVEN else "easier" if change > 0 else "harder"
    numbers["apart"] = (
        f"Known and strange are then {words} to tell apart: AUC {run.auc[infomax, 0]:.0f} → "
        f"{run.auc[infomax, -1]:.0f} %."
    )
    held = OUTCOMES[reading.outcome[ueo, -1]] == "held"
    known = 100 * reading.sure_known[ueo, -1]
    areas = f"AUC {run.auc[ueo, 0]:.0f} → {run.auc[ueo, -1]:.0f} %"
    numbers["held"] = (
        f"Now the diamonds are held back at {sure[ueo]:.0f} %, and the known dots reach {known:.0f} %"
        if held
        else f"In this batch the diamonds are not held back: they end {sure[ueo]:.0f} % sure, the known "
        f"dots {known:.0f} %"
    ) + f" ({areas})."
    weights = run.weights[ueo]
    numbers["told"] = (
        "UEO can hold back only whom its weights tell apart: here they are "
        f"{weights[run.known].mean():.2f} on average for known images and "
        f"{weights[~run.known].mean():.2f} for strangers."
    )
    numbers["ends"] = (
        f"It ends {sure[ueo]:.0f} % sure of strangers and {known:.0f} % of known images, {areas}."
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
    moved = f", and at step {step} of the live run they have moved by {change:.{digits}f} % of their size"
    return {
        "vit_trained": f"{vit.trained:,}",
        "vit_all": f"{vit.total:,}",
        "vit_kb": f"{vit.kilobytes:.0f}",
        "own_trained": f"{own.trained:,}",
        "own_all": f"{own.total:,}",
        "own_moved": moved if step else ", and none of them has moved before the live run begins",
    }
