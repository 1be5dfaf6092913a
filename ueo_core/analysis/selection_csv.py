"""A selection of images, from the map or the gallery, as CSV."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from ueo_core.analysis.run_result import SetResult
from ueo_core.evaluation.metrics import OOD
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.utils.csv_text import csv_text

UNKNOWN = "(none of the classes)"  # in parentheses, so that it does not look like a class name


def selection_csv(
    part: SetResult,
    names: Sequence[str],
    indices: Iterable[int],
    classes: Sequence[str],
    score: str,
) -> str:
    """One row per image: path, predictions, confidences and scores before and after; truth if labeled.

    Confidence is the largest softmax at the logit scale; the name of the score is in the header.
    """
    scores = part.scores(score)
    name = SCORES[score].title.lower().replace(" ", "_")
    header = ["path"]
    for side in part.cosines:
        header += [f"prediction_{side}", f"confidence_{side}", f"{name}_{side}"]
    table = []
    for i in indices:
        row: list[object] = [names[i]]
        for side in part.cosines:
            row += [
                classes[part.prediction[side][i]],
                Decimal(f"{part.confidence[side][i]:.6f}"),
                Decimal(f"{scores[side][i]:.8f}"),
            ]
        if part.labeled:
            truth = int(part.truth[i])
            row.append(classes[truth] if truth >= 0 else UNKNOWN if truth == OOD else "")
        table.append(row)
    return csv_text(header + ["truth"] * part.labeled, table)
