"""Paired tests against a formula, an enumeration and SciPy."""

import itertools
from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.analysis.test_compare import compared_run, run_of, zero_shot
from ueo_core.analysis.compare import Model
from ueo_core.analysis.paired_tests import against, holm, mcnemar, summary_sentence
from ueo_core.analysis.verdict import compare, paired


@pytest.mark.parametrize("gained, lost", [(0, 0), (5, 0), (3, 7), (8, 8), (1, 20)])
def test_mcnemar_is_the_two_sided_binomial_of_the_discordant_images(gained, lost):
    before = np.r_[np.zeros(gained), np.ones(lost), np.ones(4), np.zeros(6)].astype(bool)
    after = np.r_[np.ones(gained), np.zeros(lost), np.ones(4), np.zeros(6)].astype(bool)
    n, k = gained + lost, min(gained, lost)
    by_hand = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n) if n else 1.0
    assert mcnemar(before, after) == (gained, lost, pytest.approx(by_hand))


def test_holm_multiplies_by_the_remaining_tests_and_is_monotonic():
    # Sorted 0.01, 0.02, 0.03 × 3, 2, 1 → 0.03, 0.04, max(0.04, 0.03).
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def test_the_paired_bootstrap_of_auc_agrees_with_all_possible_samples():
    truth = np.array([0, 0, 0, -1, -1, -1])
    score = {
        "before": np.array([3.0, 1.0, 2.0, 2.5, 0.5, 1.5]),
        "after": np.array([3.0, 2.0, 2.2, 2.1, 0.5, 1.5]),
    }

    def auc(values, known, unknown):
        pairs = [
            (values[i] > values[j]) + (values[i] == values[j]) / 2 for i in known for j in unknown
        ]
        return 100 * sum(pairs) / len(pairs)

    every = [
        auc(score["after"], known, unknown) - auc(score["before"], known, unknown)
        for known in itertools.product((0, 1, 2), repeat=3)
        for unknown in itertools.product((3, 4, 5), repeat=3)
    ]
    predictions = {side: np.zeros(6, int) for side in score}
    found = paired(predictions, score, truth, 1, resamples=20_000)["auc"].difference
    assert found.value == pytest.approx(
        auc(score["after"], range(3), range(3, 6)) - auc(score["before"], range(3), range(3, 6))
    )
    low, high = np.percentile(every, [2.5, 97.5])
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_the_test_against_zero_shot_agrees_with_the_verdict():
    a = compared_run("a")
    (test,) = against([a], zero_shot(a))
    from ueo_core.analysis.run_result import read_inspection

    part = read_inspection(run_of(a)).parts["pool"]
    assert test.metrics == compare(part, "mcm")
    known = part.truth >= 0
    right = {s: (part.prediction[s] == part.truth)[known] for s in ("before", "after")}
    gained = int((right["after"] & ~right["before"]).sum())
    lost = int((right["before"] & ~right["after"]).sum())
    assert (test.n_known, test.n_unknown) == (60, 20)
    assert (test.gained, test.lost) == (gained, lost)
    assert test.p_value == test.p_holm == binomtest(gained, gained + lost).pvalue
    assert test.verdict == "better"


def test_only_other_runs_on_the_same_benchmark_are_tested():
    a = compared_run("a")
    b = compared_run("b", run_of(a), {"seed": 1}, skill=(0.03, 0.0))
    other = compared_run("other-images", n=40)
    tests = against([a, b, other], Model("", a, "after"))
    assert [t.run for t in tests] == ["b"] and tests[0].verdict == "worse"
    both = against([a, b, other], zero_shot(a))
    assert [t.run for t in both] == ["a", "b"]
    assert [t.p_holm for t in both] == holm([t.p_value for t in both])
    said = summary_sentence(tests, {"b": "UEO"}, "a")
    assert said.startswith("By HM on the same images: worse than a: UEO (-")


def test_without_labels_there_is_no_test():
    u = compared_run("u", labeled=False)
    assert against([u], zero_shot(u)) == [] and summary_sentence([], {}, "x") == ""
