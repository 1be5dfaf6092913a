"""The automatic threshold and the distance of groups, on mixtures with a known result."""

import numpy as np
import pytest

from ueo_core.evaluation.thresholds import ashman_d, least_variance_threshold, mixture_threshold


@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_the_threshold_of_equal_clusters_is_in_the_middle(scale):
    g = np.random.default_rng(0)
    score = np.concatenate([g.normal(0, 1, 500), g.normal(8, 1, 500)]) * scale
    assert mixture_threshold(score) == pytest.approx(4 * scale, abs=0.4 * scale)


def test_the_threshold_is_nearer_to_a_narrow_cluster():
    g = np.random.default_rng(0)
    score = np.concatenate([g.normal(0, 2.0, 600), g.normal(10, 0.3, 600)])
    # Equal log-density: (x/2)²/2 + ln 2 = ((x − 10)/0.3)²/2 + ln 0.3 → x ≈ 8.4.
    assert mixture_threshold(score) == pytest.approx(8.4, abs=0.35)


def test_without_two_clusters_nothing_is_unknown():
    assert mixture_threshold(np.full(50, 0.25)) == 0.25
    assert mixture_threshold(np.array([0.3, 0.1])) == pytest.approx(0.1)
    assert mixture_threshold(np.array([])) == 0.0


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_ashman_d_is_the_distance_in_widths(scale):
    g = np.random.default_rng(0)
    score = 0.05 + scale * np.concatenate([g.normal(0, 1, 4000), g.normal(9, 2, 4000)])
    assert ashman_d(score) == pytest.approx(9 / np.sqrt((1 + 4) / 2), rel=0.03)
    assert ashman_d(scale * g.normal(0, 1, 4000)) < 2.5  # one bell
    assert ashman_d(np.full(50, 0.25)) == 0 and ashman_d(np.array([0.3, 0.1])) == 0


def test_four_values_are_enough_and_their_order_does_not_matter():
    assert 1 < mixture_threshold(np.array([0.0, 0.1, 2.0, 2.1])) < 1.1
    g = np.random.default_rng(1)
    score = np.concatenate([g.normal(0, 1, 60), g.normal(2.5, 1.2, 40)])
    # Always the same threshold for the same images: a report made twice must not differ.
    assert mixture_threshold(score) == mixture_threshold(score.copy())


def test_half_precision_scores_are_fitted_in_float64():
    score = np.array([0, 0.1, 0.2, 2, 2.1, 2.2], np.float16)
    assert mixture_threshold(score) == mixture_threshold(score.astype(np.float64))


@pytest.mark.parametrize("seed", range(4))
def test_the_least_variance_is_found_among_all_scores(seed):
    g = np.random.default_rng(seed)
    score = np.concatenate([g.normal(0.2, 0.03, 12), g.normal(0.4, 0.05, 20), [0.4, 0.4]])

    def within(t: float) -> float:
        parts = score[score < t], score[score >= t]
        return sum(len(part) * part.var() for part in parts)

    best = min(np.unique(score)[1:], key=within)
    assert least_variance_threshold(g.permutation(score)) == best
    assert least_variance_threshold(-50 + score) == pytest.approx(best - 50)


def test_equal_scores_are_one_group():
    assert least_variance_threshold(np.full(5, 0.3)) == 0.3
    assert least_variance_threshold(np.array([0.7])) == 0.7
