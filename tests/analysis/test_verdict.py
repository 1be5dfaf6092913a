"""The verdict and its metrics, against scikit-learn and small examples."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from tests.helpers.run_folders import CLASSES, SCALE, cosines_of, labels_of, write_run
from ueo_core.analysis.run_result import SetResult, read_inspection
from ueo_core.analysis.verdict import (
    Compared,
    Interval,
    compare,
    judge,
    resampled,
    weighted_accuracy,
    weighted_auc,
)
from ueo_core.evaluation.metrics import OOD, UNLABELED, evaluate, truth_from_labels
from ueo_core.utils.errors import UserError


def part(before: float, after: float, n: int = 80, labels=None) -> SetResult:
    names = labels or labels_of(n)
    cosines = {"before": cosines_of(names, before, 0), "after": cosines_of(names, after, 1)}
    return SetResult("pool", {}, truth_from_labels(names, CLASSES), cosines, SCALE)


def test_metrics_of_resamples_agree_with_scikit_learn_on_repeated_images():
    g = np.random.default_rng(3)
    truth = np.array([0, 0, 1, 1, 1, 2, OOD, OOD, OOD, UNLABELED])
    score = g.integers(0, 4, len(truth)).astype(float)  # with ties
    prediction = g.integers(0, 3, len(truth))
    (weights,) = resampled(truth, seed=5, resamples=40)
    for row, acc, auc in zip(
        weights,
        weighted_accuracy(weights, prediction == truth, truth),
        weighted_auc(weights, score, truth),
        strict=True,
    ):
        drawn = np.repeat(np.arange(len(truth)), row.astype(int))
        assert np.bincount(truth[drawn] + 1).tolist() == [3, 2, 3, 1]  # as many of each as before
        known = drawn[truth[drawn] >= 0]
        assert acc == pytest.approx(100 * balanced_accuracy_score(truth[known], prediction[known]))
        assert auc == pytest.approx(100 * roc_auc_score(truth[drawn] >= 0, score[drawn]))


def test_blocks_have_all_resamples():
    truth = np.zeros(1_500_000 // 1000, int)
    blocks = list(resampled(np.tile(truth, 3), resamples=1000))
    assert len(blocks) > 1 and sum(len(b) for b in blocks) == 1000


def test_values_are_those_of_the_metrics_and_lie_in_their_intervals():
    one = part(0.03, 0.12)
    found = compare(one, "mcm")
    for side in ("before", "after"):
        metrics = evaluate(one.cosines[side], one.truth, CLASSES, SCALE, "mcm")
        for name in ("acc", "auc", "hm"):
            interval = getattr(found[name], side)
            assert interval.value == pytest.approx(metrics[name], abs=1e-9)
            assert interval.low <= interval.value <= interval.high
    d = found["acc"]
    assert d.difference.value == pytest.approx(d.after.value - d.before.value)


def test_improvement_is_better_and_degradation_is_worse():
    assert judge(part(0.03, 0.15), "mcm", CLASSES).kind == "better"
    verdict = judge(part(0.15, 0.03), "mcm", CLASSES)
    assert verdict.kind == "worse" and verdict.headline.startswith("Worse")
    # Degradation comes first.
    assert verdict.sentences[0].startswith("Worse in 3 of 3 classes")
    assert "decreased" in verdict.sentences[1]


def test_no_change_is_no_difference():
    same = part(0.05, 0.05)
    same.cosines["after"][:] = same.cosines["before"]
    verdict = judge(same, "mcm", CLASSES)
    assert verdict.kind == "same"
    d = verdict.metrics["hm"].difference
    assert d.low == d.value == d.high == 0
    assert verdict.sentences[-1].startswith("0 of 80 predictions changed")


def test_a_class_that_got_worse_is_named_even_if_the_metrics_improved():
    one = part(0.03, 0.15)
    lost = np.flatnonzero(one.truth == 1)
    one.cosines["before"][lost] = [0.1, 0.3, 0.1]
    one.cosines["after"][lost] = [0.3, 0.1, 0.1]
    verdict = judge(one, "mcm", CLASSES)
    assert [c.name for c in verdict.worse_classes] == ["dog"]
    assert "dog 100 → 0 % (significant)" in verdict.sentences[0]


def test_without_unknown_there_is_accuracy_only_and_without_labels_no_verdict():
    closed = part(0.03, 0.15, labels=["cat", "dog", "sun"] * 20)
    verdict = judge(closed, "mcm", CLASSES)
    assert set(verdict.metrics) == {"acc"} and verdict.kind == "better"
    assert judge(part(0.1, 0.1, labels=[None] * 20), "mcm", CLASSES).kind == "unlabelled"
    ood = judge(part(0.1, 0.1, labels=["car"] * 20), "mcm", CLASSES)
    assert ood.metrics == {} and ood.kind == "unlabelled"


def test_a_collapse_is_reported():
    one = part(0.15, 0.15)
    one.cosines["after"][:, 0] = 0.9
    assert any("collapsed onto one class" in s for s in judge(one, "mcm", CLASSES).sentences)


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ((2, 0.1, 4), "better"),
        ((-2, -4, -0.1), "worse"),
        ((2, -0.1, 4), "same"),
        ((-2, -4, 0.1), "same"),
    ],
)
def test_the_verdict_follows_the_interval_and_not_the_value(difference, verdict):
    any_value = Interval(50, 40, 60)
    assert Compared(any_value, any_value, Interval(*difference)).verdict == verdict


def test_a_small_difference_is_not_significant():
    one = part(0.05, 0.05)
    d = compare(one, "mcm")["hm"].difference
    assert d.low < 0 < d.high and abs(d.value) > 0.5
    verdict = judge(one, "mcm", CLASSES)
    assert verdict.kind == "same"
    assert verdict.headline.startswith("No statistically significant difference (HM ")


def test_a_run_is_read_back_as_it_was_written():
    folder = write_run("r")
    found = read_inspection(folder)
    labels = labels_of(80)
    assert found.default == "pool" and found.logit_scale == SCALE and found.step == 4
    np.testing.assert_array_equal(found.parts["pool"].cosines["after"], cosines_of(labels, 0.12, 1))
    assert found.parts["pool"].n_id == 60 and found.parts["pool"].n_ood == 20


def test_an_unfinished_or_damaged_run_is_a_clear_error():
    with pytest.raises(UserError, match="it is paused and has no result yet"):
        read_inspection(write_run("p", state="paused"))
    folder = write_run("d")
    (folder.path / "adapted.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="its result cannot be read"):
        read_inspection(folder)
