"""Scores against formulas by hand."""

import numpy as np
import pytest

from ueo_core.evaluation.ood_scores import SCORES, neg_label, score_named

COSINES = np.array([[0.30, 0.10, 0.05], [0.20, 0.19, 0.18]])


def softmax(x):
    e = np.exp(x)
    return e / e.sum(1, keepdims=True)


EXPECTED = {
    "mcm": softmax(COSINES).max(1),
    "msp": softmax(40 * COSINES).max(1),
    "max-cosine": np.array([0.30, 0.20]),
    "energy": np.log(np.exp(40 * COSINES).sum(1)),
    "entropy": (softmax(40 * COSINES) * np.log(softmax(40 * COSINES))).sum(1),
    "margin": np.diff(np.sort(softmax(40 * COSINES), 1)[:, -2:], axis=1)[:, 0],
}


@pytest.mark.parametrize("name", SCORES)
def test_score_equals_its_formula(name):
    np.testing.assert_allclose(SCORES[name].compute(COSINES, 40.0), EXPECTED[name], rtol=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_higher_means_more_in_distribution(name):
    clear, doubtful = SCORES[name].compute(COSINES, 40.0)
    assert clear > doubtful


def test_negative_words_take_their_share():
    """NegLabel: Jiang et al., ICLR 2024, eq. 4 without grouping."""
    negatives = np.array([[0.10, 0.05], [0.21, 0.30]])
    known, other = np.exp(40 * COSINES).sum(1), np.exp(40 * negatives).sum(1)
    found = neg_label(COSINES, negatives, 40.0)
    np.testing.assert_allclose(found, known / (known + other), rtol=1e-12)
    assert found[0] > 0.99 and found[1] < 0.1
    far = neg_label(np.full((1, 3), 1.0), np.full((1, 2), -1.0), 1e4)  # exp alone would overflow
    assert far == 1.0


def test_the_temperature_is_stated():
    assert score_named("neglabel").temperature(100) == "logits × 100"
    assert score_named("energy") is SCORES["energy"] and "neglabel" not in SCORES
    assert SCORES["mcm"].temperature(100) == "unscaled cosines, T = 1"
    assert SCORES["msp"].temperature(100) == "logits × 100"


@pytest.mark.parametrize("name", SCORES)
def test_half_precision_cosines_are_scored_in_float64(name):
    """Rounding to 3 digits inside a score would order images by chance."""
    cosines = COSINES.astype(np.float16)
    expected = SCORES[name].compute(cosines.astype(np.float64), 40.0)
    found = SCORES[name].compute(cosines, 40.0)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected)
