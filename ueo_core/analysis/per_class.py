"""Accuracy by class before and after, with intervals, and the confusion of the classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from ueo_core.evaluation.metrics import OOD

PAIRS = 10_000  # of a class and a wrong prediction in a table; a thousand classes have a million


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
    known = truth >= 0
    was, now = before[known] == truth[known], after[known] == truth[known]
    # Of every class: images right neither time, before only, after only, both times.
    cells = np.bincount(4 * truth[known] + 2 * now + was, minlength=4 * len(classes))
    found = []
    for name, (neither, lost, gained, both) in zip(
        classes, cells.reshape(-1, 4).tolist(), strict=True
    ):
        if not (n := neither + lost + gained + both):
            continue
        was_right, now_right = lost + both, gained + both
        found.append(
            ClassChange(
                name,
                n,
                100 * (was_right / n),
                *wilson(was_right, n),
                100 * (now_right / n),
                *wilson(now_right, n),
                gained,
                lost,
                float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0,
            )
        )
    return sorted(found, key=lambda c: (c.change, c.after, c.name))


def confusion_cell(prediction, truth, row: int, column: int) -> NDArray[np.int64]:
    """Images of one cell of the confusion matrix: true class `row` (OOD: −1), prediction `column`."""
    return np.flatnonzero((np.asarray(truth) == row) & (np.asarray(prediction) == column))


def confusion_rows(classes, truth) -> list[tuple[int, str]]:
    """The rows of the confusion matrix that have images: (true class, title)."""
    truth = np.asarray(truth)
    there = set(np.unique(truth).tolist())
    rows = [(i, name) for i, name in enumerate(classes) if i in there]
    return rows + ([(OOD, "none (unknown)")] if OOD in there else [])


def confused_pairs(
    before, after, truth, row: int | None = None, column: int | None = None
) -> list[tuple[int, int, int, int]]:
    """The wrong predictions by true class, the most frequent after adaptation first; `PAIRS` at most.

    row, column: of this true class alone, of this prediction. → (true class, prediction, images before,
    images after) of every pair that occurs; the true class is OOD for images of none of the classes.
    """
    truth, predictions = np.asarray(truth), [np.asarray(before), np.asarray(after)]
    width = 1 + max(int(p.max(initial=0)) for p in predictions)
    # One number for a pair: sorting numbers takes a tenth of sorting pairs.
    codes = []
    for prediction in predictions:
        wrong = (truth >= OOD) & (prediction != truth)
        wrong &= True if row is None else truth == row
        wrong &= True if column is None else prediction == column
        codes.append(truth[wrong] * width + prediction[wrong])
    pairs, where = np.unique(np.concatenate(codes), return_inverse=True)
    was, now = (np.bincount(at, minlength=len(pairs)) for at in np.split(where, [len(codes[0])]))
    first = np.lexsort((pairs, -was, -now))[:PAIRS]
    rows, columns = np.divmod(pairs[first], width)
    return list(
        zip(rows.tolist(), columns.tolist(), was[first].tolist(), now[first].tolist(), strict=True)
    )
