"""A selection as CSV: the numbers of the page, quoted names, truth only with labels."""

import csv
import io

import numpy as np
import pytest

from tests.helpers.run_folders import CLASSES, SCALE, cosines_of, labels_of
from ueo_core.analysis.run_result import SetResult
from ueo_core.analysis.selection_csv import selection_csv
from ueo_core.evaluation.metrics import UNLABELED, truth_from_labels
from ueo_core.evaluation.ood_scores import SCORES

LABELS = labels_of(8)
COSINES = {"before": cosines_of(LABELS, 0.03, 0), "after": cosines_of(LABELS, 0.12, 1)}
NAMES = [f'odd, "name" {i}.png' for i in range(8)]


def rows(truth, score: str) -> list[dict]:
    part = SetResult("pool", {}, truth, COSINES, SCALE)
    text = selection_csv(part, NAMES, [5, 3], CLASSES, score)
    return list(csv.DictReader(io.StringIO(text)))


def test_cells_are_the_predictions_confidences_and_scores():
    found = rows(truth_from_labels(LABELS, CLASSES), "energy")
    assert [r["path"] for r in found] == [NAMES[5], NAMES[3]]
    assert [r["truth"] for r in found] == ["dog", "(none of the classes)"]
    for row, i in zip(found, (5, 3), strict=True):
        for side, cosines in COSINES.items():
            assert row[f"prediction_{side}"] == CLASSES[cosines[i].argmax()]
            energy = SCORES["energy"].compute(cosines[i : i + 1], SCALE)[0]
            assert float(row[f"energy_{side}"]) == pytest.approx(energy, abs=1e-8)
            p = np.exp(SCALE * cosines[i].astype(float))
            assert float(row[f"confidence_{side}"]) == pytest.approx(p.max() / p.sum(), abs=1e-6)


def test_without_labels_there_is_no_truth():
    assert "truth" not in rows(np.full(8, UNLABELED), "mcm")[0]
