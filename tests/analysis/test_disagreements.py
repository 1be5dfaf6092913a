"""Images on which two models differ: every selection against a hand-written case."""

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


def test_the_selections_are_those_by_hand_and_the_surest_disagreement_is_first():
    found = {view: differing(view, A, B, TRUTH).tolist() for view in pair_views(True)}
    assert found == {
        "differ": [2, 3, 1, 4],  # both at least 0.7, 0.6, 0.5, 0.5 sure
        "left": [2],
        "right": [1],
        "neither": [3],
        "unknown": [2, 1],
    }


def test_without_labels_only_what_needs_none_is_offered():
    assert list(pair_views(False)) == ["differ", "unknown"]
