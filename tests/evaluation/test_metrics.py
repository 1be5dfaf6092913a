"""Metrics against scikit-learn and small cases by hand."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

from ueo_core.evaluation import metrics
from ueo_core.evaluation.metrics import OOD, UNLABELED


def test_truth_from_labels_handles_classes_ood_and_missing_labels():
    got = metrics.truth_from_labels(["cat", "zebra", None, "dog"], ["dog", "cat"])
    assert got.tolist() == [1, OOD, UNLABELED, 0]


def test_accuracy_is_the_mean_recall_over_classes_present():
    g = np.random.default_rng(0)
    truth, prediction = g.integers(0, 5, 200), g.integers(0, 5, 200)
    expected = 100 * balanced_accuracy_score(truth, prediction)
    ood = np.concatenate([truth, [OOD] * 30, [UNLABELED] * 9])
    padded = np.concatenate([prediction, np.zeros(39, int)])
    # A sixth class without an image is skipped; OOD and unlabeled images do not count.
    assert metrics.accuracy(padded, ood, 6) == pytest.approx(expected)


def test_accuracy_without_any_known_image_is_none():
    assert metrics.accuracy([0, 1], [OOD, UNLABELED], 2) is None


def test_auc_has_id_positive_and_skips_unlabeled():
    g = np.random.default_rng(1)
    score = g.normal(size=60)
    truth = np.where(np.arange(60) % 3 == 0, OOD, 2)
    truth[:6] = UNLABELED
    known = truth != UNLABELED
    expected = 100 * roc_auc_score(truth[known] >= 0, score[known])
    assert metrics.auc(score, truth) == pytest.approx(expected)


@pytest.mark.parametrize("truth", [[0, 1, 2], [OOD, OOD, OOD], [0, UNLABELED, 1]])
def test_auc_needs_both_kinds(truth):
    assert metrics.auc([0.1, 0.2, 0.3], truth) is None
    assert metrics.fpr95([0.1, 0.2, 0.3], truth) is None


def test_fpr95_by_hand():
    # 20 ID scores 1 … 20: accepting ≥ 2 keeps 19 of 20 = 95 %; of the OOD 0.5, 1.5, 2.5, 3.5 two pass.
    score = np.concatenate([np.arange(1, 21), [0.5, 1.5, 2.5, 3.5]])
    truth = np.array([0] * 20 + [OOD] * 4)
    assert metrics.fpr95(score, truth) == pytest.approx(50)


def test_harmonic_mean():
    assert metrics.harmonic_mean(50, 100) == pytest.approx(200 / 3)
    assert metrics.harmonic_mean(0, 0) == 0
    assert metrics.harmonic_mean(None, 80) is None


def test_calibration_error_by_hand():
    # Two images at 0.9 of which one is right: |0.5 − 0.9| = 0.4, the only bin in use.
    assert metrics.calibration_error([0.9, 0.9], [1, 0]) == pytest.approx(40)
    # Of 15 bins, 0.6 to 0.667 and 0.667 to 0.733: (|1 − 0.64| + |0 − 0.69|) / 2.
    assert metrics.calibration_error([0.64, 0.69], [1, 0]) == pytest.approx(52.5)


def test_calibration_counts_id_images_only():
    """OOD and unlabeled images are predicted with certainty and would change the error."""
    g = np.random.default_rng(3)
    cosines, truth = g.uniform(0, 0.1, (40, 3)), g.integers(0, 3, 40)
    truth[:10], truth[10:20] = OOD, UNLABELED
    cosines[:20] = np.eye(3)[0]
    found = metrics.evaluate(cosines, truth, list("abc"), 20.0)["ece"]
    e = np.exp(20.0 * cosines[20:])
    p = e / e.sum(1, keepdims=True)
    confidence, correct = p.max(1), p.argmax(1) == truth[20:]
    expected = 0.0
    for low in np.arange(15) / 15:
        here = (confidence >= low) & (confidence < low + 1 / 15)
        if here.any():
            expected += here.mean() * abs(confidence[here].mean() - correct[here].mean())
    assert found == pytest.approx(100 * expected)
    only_ood = metrics.evaluate(cosines[:10], truth[:10], list("abc"), 20.0)
    assert only_ood["ece"] is None


def test_confusion_matches_scikit_learn_and_has_a_row_for_ood():
    g = np.random.default_rng(2)
    truth, prediction = g.integers(-1, 4, 100), g.integers(0, 4, 100)
    got = metrics.confusion(prediction, truth, 4)
    known = truth >= 0
    np.testing.assert_array_equal(
        got[:4], confusion_matrix(truth[known], prediction[known], labels=range(4))
    )
    np.testing.assert_array_equal(got[4], np.bincount(prediction[~known], minlength=4))


def test_evaluate_gives_the_promised_keys_and_none_without_ood():
    cosines = np.eye(3)[[0, 1, 2, 0]] * 0.3
    got = metrics.evaluate(cosines, np.array([0, 1, 2, 1]), ["a", "b", "c"], 100.0)
    assert got["acc"] == pytest.approx(100 * (1 + 0.5 + 1) / 3)
    assert got["per_class"] == {"a": 100.0, "b": 50.0, "c": 100.0}
    assert got["auc"] is None and got["hm"] is None and got["fpr95"] is None


def test_labels_become_int64_also_where_there_are_none():
    assert metrics.truth_from_labels([], ["a"]).dtype == np.int64


def test_half_precision_scores_keep_their_order():
    score = np.array([1, 1 + 2**-10, 1 + 2**-9], np.float16)
    assert metrics.auc(score, [OOD, OOD, 0]) == 100


def test_aupr_is_the_average_precision_with_id_positive():
    # By score, highest first: ID, OOD, ID, so precision is 1 and ⅔ where an ID image comes.
    assert metrics.aupr([0.9, 0.5, 0.3], [0, OOD, 1]) == pytest.approx(100 * (1 + 2 / 3) / 2)
    assert metrics.aupr([0.9, 0.5], [0, 1]) is None


def test_the_harmonic_mean_of_equals():
    assert metrics.harmonic_mean(50, 50) == 50


@pytest.mark.parametrize("bins", [15, 20])
def test_the_first_and_the_last_bin_of_the_calibration_error(bins):
    """Confidence 1 belongs to the last bin, and only what lies above 1/bins leaves the first."""
    last = metrics.calibration_error([1.0, 1 - 0.5 / bins], [0, 1], bins)
    assert last == pytest.approx(100 * abs(1 - 0.5 / bins / 2 - 0.5))
    first = metrics.calibration_error([0.5 / bins, 1.5 / bins], [1, 0], bins)
    assert first == pytest.approx(100 * (1 - 0.5 / bins + 1.5 / bins) / 2)
    before_last = metrics.calibration_error([1 - 1.5 / bins, 1 - 0.5 / bins], [0, 1], bins)
    assert before_last == pytest.approx(100 * (1 - 1.5 / bins + 0.5 / bins) / 2)


def test_the_calibration_error_of_one_image_is_not_halved():
    assert metrics.calibration_error([0.75], [1]) == pytest.approx(25)


def test_evaluate_holds_every_metric_of_its_score():
    g = np.random.default_rng(4)
    cosines, truth = g.uniform(0, 0.1, (50, 3)), g.integers(-2, 3, 50)
    got = metrics.evaluate(cosines, truth, list("abc"), 40.0, "energy")
    energy = np.log(np.exp(40 * cosines).sum(1))
    assert got["auc"] == pytest.approx(metrics.auc(energy, truth))
    assert got["fpr95"] == pytest.approx(metrics.fpr95(energy, truth))
    assert got["aupr"] == pytest.approx(metrics.aupr(energy, truth))
    assert got["hm"] == pytest.approx(2 * got["acc"] * got["auc"] / (got["acc"] + got["auc"]))
    assert got["acc"] == metrics.accuracy(cosines.argmax(1), truth, 3)


def test_a_confusion_matrix_has_a_column_for_a_class_that_is_never_predicted():
    got = metrics.confusion([0, 0], [0, OOD], 3)
    assert got.dtype == np.int64 and got.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
