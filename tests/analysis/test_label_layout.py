"""Marks on a map do not overlap, and stay where they are if they need not move."""

import numpy as np
import pytest

from ueo_core.analysis.label_layout import LETTER, MARK, PANEL, TEXT, spread_marks


def pixels(places, everything):
    span = np.maximum(np.ptp(everything, axis=0), 1e-12)
    return (places - everything.min(0)) * np.array(PANEL) / span


@pytest.mark.parametrize("count", [2, 16, 40])
def test_no_two_labeled_marks_overlap(count):
    g = np.random.default_rng(count)
    points = g.normal(size=(300, 2))
    anchors = 0.2 * g.normal(size=(count, 2))
    anchors[1] = anchors[0]  # the same place
    labels = ["ice cream", *("hammer" for _ in range(count - 1))]
    moved = spread_marks(anchors, points, labels)
    at = pixels(moved, np.concatenate([points, anchors]))
    width = np.array([LETTER * len(text) for text in labels])
    for i in range(count):
        for j in range(i):
            apart = np.abs(at[i] - at[j])
            enough = apart >= np.array([(width[i] + width[j]) / 2, MARK + TEXT]) - 0.01
            assert enough.any(), (i, j)


def test_marks_that_do_not_overlap_stay_in_their_place():
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    anchors = np.array([[0.1, 0.1], [0.9, 0.9]])
    assert np.allclose(spread_marks(anchors, points, ["cat", "dog"]), anchors, atol=1e-4)


def test_a_hundred_marks_without_labels():
    g = np.random.default_rng(1)
    points, anchors = g.normal(size=(500, 2)), 0.3 * g.normal(size=(100, 2))
    at = pixels(spread_marks(anchors, points), np.concatenate([points, anchors]))
    apart = np.abs(at[:, None] - at[None]).max(2)
    assert apart[~np.eye(100, dtype=bool)].min() >= MARK - 0.01
