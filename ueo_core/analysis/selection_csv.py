"""A selection of images as a table: what one has brushed on the map, or filtered in the gallery."""

import csv
import io
from collections.abc import Iterable, Sequence

from ueo_core.analysis.run_result import Part
from ueo_core.evaluation.metrics import OOD
from ueo_core.evaluation.ood_scores import SCORES

UNKNOWN = "(none of the classes)"  # no class name: these hold no brackets at both ends


def selection_csv(
    part: Part, names: Sequence[str], indices: Iterable[int], classes: Sequence[str], score: str
) -> str:
    """One row an image: path, answers and confidences before and after, scores, truth if labelled.

    Confidence is the max softmax at the logit scale; the score's name stands in the header.
    """
    scores = part.scores(score)
    out = io.StringIO(newline="")
    table = csv.writer(out)
    name = SCORES[score].title.lower().replace(" ", "_")
    header = ["path"]
    for side in part.cosines:
        header += [f"prediction_{side}", f"confidence_{side}", f"{name}_{side}"]
    table.writerow(header + ["truth"] * part.labelled)
    for i in indices:
        row = [names[i]]
        for side in part.cosines:
            row += [
                classes[part.prediction[side][i]],
                f"{part.confidence[side][i]:.6f}",
                f"{scores[side][i]:.8f}",
            ]
        if part.labelled:
            truth = int(part.truth[i])
            row.append(classes[truth] if truth >= 0 else UNKNOWN if truth == OOD else "")
        table.writerow(row)
    return out.getvalue()
