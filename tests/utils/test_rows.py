"""A block of rows at a time gives what all rows at once give."""

import numpy as np
import pytest

from ueo_core.evaluation.ood_scores import SCORES, neg_label
from ueo_core.utils import rows
from ueo_core.utils.rows import blocks, by_rows, in_one_block, largest

COSINES = np.random.default_rng(0).normal(0.2, 0.05, (1001, 37)).astype(np.float32)


@pytest.mark.parametrize(
    ("length", "width", "step"), [(10, 3, 3), (9, 3, 3), (5, 100, 1), (4, 0, 4)]
)
def test_blocks_are_all_rows_in_order_and_no_larger_than_allowed(monkeypatch, length, width, step):
    monkeypatch.setattr(rows, "BLOCK", 10)
    found = [range(length)[rows] for rows in blocks(length, width)]
    assert [i for block in found for i in block] == list(range(length))
    assert max(map(len, found)) == step
    assert in_one_block(length, width) == (len(found) == 1)


def test_no_rows_are_one_empty_block():
    assert list(blocks(0, 7)) == [slice(0, 0)]
    assert SCORES["msp"].compute(np.empty((0, 7), np.float32), 10.0).shape == (0,)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_the_same_to_the_last_bit_in_blocks(monkeypatch, name):
    whole = SCORES[name].compute(COSINES, 50.0)
    monkeypatch.setattr(rows, "BLOCK", 37 * 16)
    assert np.array_equal(SCORES[name].compute(COSINES, 50.0), whole)


def test_two_matrices_are_read_in_step(monkeypatch):
    whole, classes = neg_label(COSINES, COSINES[:, :5], 20.0), largest(COSINES)
    monkeypatch.setattr(rows, "BLOCK", 500)
    assert np.array_equal(neg_label(COSINES, COSINES[:, :5], 20.0), whole)
    assert np.array_equal(largest(COSINES), classes) and np.array_equal(classes, COSINES.argmax(1))
    widths = []
    found = by_rows(
        lambda a, b: widths.append(a.size + b.size) or a[:, 0] - b, COSINES, COSINES[:, 1]
    )
    assert np.array_equal(found, COSINES[:, 0] - COSINES[:, 1])
    assert max(widths) <= 500 and len(widths) > 70
