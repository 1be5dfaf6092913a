"""Images with different predictions of two models: every selection against a small example."""

import numpy as np

from ueo_core.analysis.compare import ModelPredictions
from ueo_core.analysis.disagreements import differing, pair_views

TRUTH = np.array([0, 0, 1, 1, -1, -2])
A = ModelPredictions(
    np.array([0, 1, 1, 0, 0, 2]),
    np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]),
    np.array([5, 5, 1, 5, 1, 5.0]),
    2.0,
    {},
)
B = ModelPredictions(
    np.array([0, 0, 0, 2, 1, 2]),
    np.array([0.9, 0.5, 0.9, 0.9, 0.9, 0.9]),
    np.array([5, 1, 5, 5, 1, 5.0]),
    2.0,
    {},
)


def test_selections_of_an_example_start_with_the_most_confident():
    found = {view: differing(view, A, B, TRUTH).tolist() for view in pair_views(True)}
    assert found == {
        "differ": [2, 3, 1, 4],  # smaller confidences: 0.7, 0.6, 0.5, 0.5
        "left": [2],
        "right": [1],
        "neither": [3],
        "unknown": [2, 1],
    }


def test_without_labels_there_are_only_the_selections_that_need_none():
    assert list(pair_views(False)) == ["differ", "unknown"]
