"""The verdict and what it rests on, against scikit-learn and counting by hand."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from tests.helpers.run_folders import CLASSES, SCALE, cosines_of, labels_of, write_run
from ueo_core.analysis import verdict
from ueo_core.analysis.run_result import SetResult, read_inspection
from ueo_core.analysis.verdict import (
    Compared,
    Interval,
    accuracy_by_weights,
    compare,
    judge,
    resampled,
    resamples_of,
    weighted_auc,
)
from ueo_core.evaluation.metrics import OOD, UNLABELED, evaluate, truth_from_labels
from ueo_core.utils.errors import UserError


def part(before: float, after: float, n: int = 80, labels=None) -> SetResult:
    names = labels or labels_of(n)
    cosines = {"before": cosines_of(names, before, 0), "after": cosines_of(names, after, 1)}
    return SetResult("pool", {}, truth_from_labels(names, CLASSES), cosines, SCALE)


def test_every_resample_scores_as_scikit_learn_scores_the_repeated_images():
    g = np.random.default_rng(3)
    truth = np.array([0, 0, 1, 1, 1, 2, OOD, OOD, OOD, UNLABELED])
    score = g.integers(0, 4, len(truth)).astype(float)  # ties on purpose
    prediction = g.integers(0, 3, len(truth))
    (weights,) = resampled(truth, seed=5, resamples=40)
    for row, acc, auc in zip(
        weights,
        accuracy_by_weights(prediction == truth, truth)(weights),
        weighted_auc(weights, score, truth),
        strict=True,
    ):
        drawn = np.repeat(np.arange(len(truth)), row.astype(int))
        assert np.bincount(truth[drawn] + 1).tolist() == [3, 2, 3, 1]  # as many of each as before
        known = drawn[truth[drawn] >= 0]
        assert acc == pytest.approx(100 * balanced_accuracy_score(truth[known], prediction[known]))
        assert auc == pytest.approx(100 * roc_auc_score(truth[drawn] >= 0, score[drawn]))


def test_large_sets_have_fewer_resamples(monkeypatch):
    assert [resamples_of(n) for n in (0, 80, 200_000, 1_000_000, 10**8)] == [
        1000,
        1000,
        1000,
        200,
        100,
    ]
    one = part(0.03, 0.12)
    monkeypatch.setattr(verdict, "_DRAWN", 150 * len(one))
    assert compare(one, "mcm") == compare(one, "mcm", resamples=150)
    assert compare(one, "mcm") != compare(one, "mcm", resamples=1000)


def test_blocks_of_resamples_add_up():
    truth = np.zeros(1_500_000 // 1000, int)
    blocks = list(resampled(np.tile(truth, 3), resamples=1000))
    assert len(blocks) > 1 and sum(len(b) for b in blocks) == 1000


def test_values_are_those_of_the_metrics_and_the_interval_holds_them():
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


def test_an_adaptation_that_helped_is_called_better_and_the_reverse_worse():
    assert judge(part(0.03, 0.15), "mcm", CLASSES).kind == "better"
    found = judge(part(0.15, 0.03), "mcm", CLASSES)
    assert found.kind == "worse" and found.headline.startswith("Worse")
    # What got worse is said before anything else.
    assert found.sentences[0].startswith("Worse in 3 of 3 classes")
    assert " decreased: " in found.sentences[1]


def test_no_change_is_no_difference():
    same = part(0.05, 0.05)
    same.cosines["after"][:] = same.cosines["before"]
    found = judge(same, "mcm", CLASSES)
    assert found.kind == "same"
    d = found.metrics["hm"].difference
    assert d.low == d.value == d.high == 0
    assert found.sentences[-1].startswith("0 of 80 predictions changed.")


def test_a_class_that_got_worse_is_named_though_the_whole_got_better():
    one = part(0.03, 0.15)
    lost = np.flatnonzero(one.truth == 1)
    one.cosines["before"][lost] = [0.1, 0.3, 0.1]
    one.cosines["after"][lost] = [0.3, 0.1, 0.1]
    found = judge(one, "mcm", CLASSES)
    assert [c.name for c in found.worse_classes] == ["dog"]
    assert "dog 100 → 0 % (significant)" in found.sentences[0]


def test_without_unknown_there_is_accuracy_only_and_without_labels_no_verdict():
    closed = part(0.03, 0.15, labels=["cat", "dog", "sun"] * 20)
    found = judge(closed, "mcm", CLASSES)
    assert set(found.metrics) == {"acc"} and found.kind == "better"
    assert judge(part(0.1, 0.1, labels=[None] * 20), "mcm", CLASSES).kind == "unlabelled"
    ood = judge(part(0.1, 0.1, labels=["car"] * 20), "mcm", CLASSES)
    assert ood.metrics == {} and ood.kind == "unlabelled"


def test_a_collapse_is_said():
    one = part(0.15, 0.15)
    one.cosines["after"][:, 0] = 0.9
    found = judge(one, "mcm", CLASSES)
    assert "Predictions have collapsed onto one class (about 3 classes before)." in found.sentences
    # Half as many classes as before is a sign, more is none.
    names = [f"c{i}" for i in range(4)]
    for after, said in (([0, 1] * 10, True), ([0, 1, 2, 2] * 5, False), ([0, 1, 2, 3] * 5, False)):
        cosines = {"before": np.eye(4)[[0, 1, 2, 3] * 5], "after": np.eye(4)[after]}
        found = judge(
            SetResult("pool", {}, np.array([0, 1, 2, 3] * 5), cosines, SCALE), "mcm", names
        )
        sentence = "Predictions cover about 2 classes instead of 4: a sign of collapse."
        assert (sentence in found.sentences) == said


def compared(**metrics) -> dict[str, Compared]:
    """Metrics with the difference (value, low, high) that is given."""
    whole = Interval(50.0, 40.0, 60.0)
    return {m: Compared(whole, whole, Interval(*d)) for m, d in metrics.items()}


@pytest.mark.parametrize(
    ("low", "value", "high", "verdict"),
    [
        (0.1, 5, 9, "better"),
        (0.0, 5, 9, "same"),  # the interval reaches zero: chance explains the point estimate
        (-0.1, 5, 9, "same"),
        (-9, -5, 0.0, "same"),
        (-9, -5, 0.1, "same"),
        (-9, -5, -0.1, "worse"),
    ],
)
def test_the_interval_decides_and_not_the_point_estimate(low, value, high, verdict):
    whole = Interval(50.0, 40.0, 60.0)
    assert Compared(whole, whole, Interval(value, low, high)).verdict == verdict


UP, DOWN, FLAT = (5.0, 1.0, 9.0), (-5.0, -9.0, -1.0), (5.0, -1.0, 9.0)


@pytest.mark.parametrize(
    ("metrics", "kind", "headline"),
    [
        ({}, "unlabelled", "These labels allow no verdict."),
        (
            {"acc": FLAT, "auc": FLAT, "hm": FLAT},
            "same",
            "No statistically significant difference (HM +5.0 points, 95 % interval -1.0 to +9.0).",
        ),
        (
            {"acc": UP, "auc": DOWN, "hm": FLAT},
            "mixed",
            "Mixed: AUC got worse, ACC got better (HM +5.0 points, 95 % interval -1.0 to +9.0).",
        ),
        (
            {"acc": DOWN, "auc": DOWN, "hm": DOWN},
            "worse",
            "Worse: adaptation degraded the model on these images "
            "(HM -5.0 points, 95 % interval -9.0 to -1.0).",
        ),
        (
            {"acc": UP, "auc": FLAT, "hm": FLAT},
            "better",
            "Better: adaptation improved the model on these images "
            "(HM +5.0 points, 95 % interval -1.0 to +9.0).",
        ),
        (
            {"acc": UP},
            "better",
            "Better: adaptation improved the model on these images "
            "(ACC +5.0 points, 95 % interval +1.0 to +9.0).",
        ),
        ({"acc": FLAT, "auc": DOWN, "hm": FLAT}, "worse", None),
        ({"acc": FLAT, "auc": FLAT, "hm": DOWN}, "worse", None),
        ({"acc": FLAT, "auc": FLAT, "hm": UP}, "better", None),
    ],
)
def test_the_headline(metrics, kind, headline, monkeypatch):
    monkeypatch.setattr(verdict, "compare", lambda *args: compared(**metrics))
    found = judge(part(0.05, 0.05), "mcm", CLASSES)
    assert found.kind == kind and headline in (None, found.headline)


def test_the_sentence_of_each_metric_worst_first(monkeypatch):
    metrics = compared(acc=UP, auc=FLAT, hm=DOWN)
    monkeypatch.setattr(verdict, "compare", lambda *args: metrics)
    same = part(0.05, 0.05)
    same.cosines["after"][:] = same.cosines["before"]
    assert judge(same, "mcm", CLASSES).sentences == (
        "None of the 3 classes got worse.",
        "HM decreased: 50.0 → 50.0 (-5.0, 95 % interval -9.0 to -1.0).",
        "AUC did not change significantly: 50.0 → 50.0 (+5.0, 95 % interval -1.0 to +9.0).",
        "ACC increased: 50.0 → 50.0 (+5.0, 95 % interval +1.0 to +9.0).",
        "0 of 80 predictions changed.",
    )


def test_what_is_said_without_labels_and_without_one_kind():
    found = judge(part(0.1, 0.1, labels=[None] * 20), "mcm", CLASSES)
    assert found.headline == "No labels, so improvement cannot be measured."
    assert found.sentences[1:] == (
        "Only what can be measured without labels is shown. Check the changed predictions "
        "before you rely on them.",
    )
    assert found.metrics == {} and found.worse_classes == ()
    closed = judge(part(0.1, 0.1, labels=["cat", "dog"] * 10), "mcm", CLASSES)
    assert "No image is labeled as unknown, so there is no AUC." in closed.sentences
    ood = judge(part(0.1, 0.1, labels=["car"] * 20), "mcm", CLASSES)
    assert (
        "No image is labeled with one of the classes, so there is neither ACC nor AUC."
        in ood.sentences
    )


def test_classes_that_got_worse_are_named_up_to_six():
    names = [f"c{i}" for i in range(8)]
    truth = np.repeat(np.arange(8), 4)
    after = np.where(np.arange(32) % 4 == 0, (truth + 1) % 8, truth)  # one of four, in each class
    cosines = {"before": np.eye(8)[truth], "after": np.eye(8)[after]}
    found = judge(SetResult("pool", {}, truth, cosines, SCALE), "mcm", names)
    assert found.sentences[0] == (
        "Worse in 8 of 8 classes: c0 100 → 75 %; c1 100 → 75 %; c2 100 → 75 %; c3 100 → 75 %; "
        "c4 100 → 75 %; c5 100 → 75 %; and 2 more; none statistically significant."
    )
    assert len(found.worse_classes) == 8


def test_the_same_images_always_get_the_same_intervals():
    one = part(0.03, 0.12)
    first, again = compare(one, "mcm"), compare(one, "mcm")
    assert first == again
    assert compare(one, "mcm", seed=1)["hm"].difference != first["hm"].difference
    (weights,) = resampled(one.truth, resamples=20)
    assert weights.dtype == np.float32 and len(weights) == 20
    few = compare(one, "mcm", 0, 20)["acc"].after
    drawn = accuracy_by_weights(one.prediction["after"] == one.truth, one.truth)(weights)
    assert (few.low, few.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))


def test_half_precision_scores_are_compared_as_they_are():
    score = np.array([1, 1 + 2**-10], np.float16)
    (weights,) = resampled(np.array([OOD, 0]), resamples=3)
    assert weighted_auc(weights, score, [OOD, 0]).tolist() == [100.0] * 3
    assert weighted_auc(weights, score, [OOD, 0]).dtype == np.float64


def test_a_run_is_read_back_as_it_was_written():
    folder = write_run("r")
    found = read_inspection(folder)
    labels = labels_of(80)
    assert found.default == "pool" and found.logit_scale == SCALE and found.step == 4
    np.testing.assert_array_equal(found.parts["pool"].cosines["after"], cosines_of(labels, 0.12, 1))
    assert found.parts["pool"].n_id == 60 and found.parts["pool"].n_ood == 20


def test_an_unfinished_or_damaged_run_is_one_sentence():
    with pytest.raises(UserError, match=r"it has no result yet \(state: paused\)"):
        read_inspection(write_run("p", state="paused"))
    with pytest.raises(UserError, match="see the error on the Live page"):
        read_inspection(write_run("f", state="failed"))
    folder = write_run("d")
    (folder.path / "adapted.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="its result cannot be read"):
        read_inspection(folder)
