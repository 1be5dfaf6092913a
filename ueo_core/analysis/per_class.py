"""Accuracy by class before and after, with intervals, and the confusion of the classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ueo_core.evaluation.metrics import OOD


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
    """95 % score interval of a proportion in percent (Wilson, 1927); (0, 100) without images."""
    if not n:
        return 0.0, 100.0
    interval = binomtest(hits, n).proportion_ci(method="wilson")
    return 100 * float(interval.low), 100 * float(interval.high)


def class_changes(before, after, truth, classes) -> list[ClassChange]:
    """The classes that have a labeled image; the largest loss comes first.

    before, after: (N,) predictions; truth: (N,).
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
    """Images of one cell of the confusion matrix: true class `row` (OOD: −1), prediction `column`."""
    return np.flatnonzero((np.asarray(truth) == row) & (np.asarray(prediction) == column))


def confusion_rows(classes, truth) -> list[tuple[int, str]]:
    """The rows of the confusion matrix that have images: (true class, title)."""
    truth = np.asarray(truth)
    rows = [(i, name) for i, name in enumerate(classes) if (truth == i).any()]
    return rows + ([(OOD, "none (unknown)")] if (truth == OOD).any() else [])


def confused_pairs(before, after, truth) -> list[tuple[int, int, int, int]]:
    """The wrong predictions by true class, the most frequent after adaptation first.

    → (true class, prediction, images before, images after) of every pair that occurs; the true
    class is OOD for images of none of the classes.
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
    found = [(row, column, n[0], n[1]) for (row, column), n in counts.items()]
    return sorted(found, key=lambda p: (-p[3], -p[2], p[0], p[1]))
