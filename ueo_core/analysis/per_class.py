"""Class by class: accuracy before and after, with intervals, and the confusion between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ueo_core.evaluation.metrics import OOD

Z95 = 1.959963984540054  # the normal distribution's 97.5 % quantile


@dataclass(frozen=True)
class ClassChange:
    """Accuracy of one class, percent, with 95 % Wilson intervals."""

    name: str
    n: int
    before: float
    before_low: float
    before_high: float
    after: float
    after_low: float
    after_high: float
    gained: int  # images that became right
    lost: int  # images that became wrong
    p_value: float  # exact sign test of gained against lost, two-sided

    @property
    def change(self) -> float:
        return self.after - self.before


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % score interval of a share in percent (Wilson, 1927); (0, 100) without images."""
    if not n:
        return 0.0, 100.0
    p, z2 = hits / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)


def class_changes(before, after, truth, classes) -> list[ClassChange]:
    """Every class that has a labelled image; those that lost most come first.

    before, after: (N,) answers; truth: (N,).
    """
    before, after, truth = np.asarray(before), np.asarray(after), np.asarray(truth)
    found = []
    for i, name in enumerate(classes):
        of = truth == i
        n = int(of.sum())
        if not n:
            continue
        was, now = before[of] == i, after[of] == i
        gained, lost = int((now & ~was).sum()), int((was & ~now).sum())
        p = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        low0, high0 = wilson(int(was.sum()), n)
        low1, high1 = wilson(int(now.sum()), n)
        found.append(
            ClassChange(
                name,
                n,
                100 * float(was.mean()),
                low0,
                high0,
                100 * float(now.mean()),
                low1,
                high1,
                gained,
                lost,
                float(p),
            )
        )
    return sorted(found, key=lambda c: (c.change, c.after, c.name))


def confusion_cell(prediction, truth, row: int, column: int) -> NDArray[np.int64]:
    """Images of one cell of the confusion matrix: truth `row` (OOD: −1), answer `column`."""
    return np.flatnonzero((np.asarray(truth) == row) & (np.asarray(prediction) == column))


def confusion_rows(classes, truth) -> list[tuple[int, str]]:
    """The confusion's rows that have images: (truth, title)."""
    truth = np.asarray(truth)
    rows = [(i, name) for i, name in enumerate(classes) if (truth == i).any()]
    return rows + ([(OOD, "none of them")] if (truth == OOD).any() else [])


def confused_pairs(before, after, truth) -> list[tuple[int, int, int, int]]:
    """What is taken for what, the most frequent after adaptation first.

    → (truth, answer, images before, images after) of every pair that occurs and is not
    right; truth is OOD for images of none of the classes.
    """
    truth = np.asarray(truth)
    counts: dict[tuple[int, int], list[int]] = {}
    for place, prediction in enumerate((np.asarray(before), np.asarray(after))):
        wrong = (truth >= OOD) & (prediction != truth)
        pairs, n = np.unique(
            np.stack([truth[wrong], prediction[wrong]]), axis=1, return_counts=True
        )
        for (row, column), count in zip(pairs.T.tolist(), n.tolist(), strict=True):
            counts.setdefault((row, column), [0, 0])[place] = count
    found = [(row, column, *n) for (row, column), n in counts.items()]
    return sorted(found, key=lambda p: (-p[3], -p[2], p[0], p[1]))
