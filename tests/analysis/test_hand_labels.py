"""Labels by hand: the sample, the file, and estimates whose intervals have their coverage."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from tests.helpers.run_folders import CLASSES, write_run
from ueo_core.analysis import hand_labels as hand
from ueo_core.analysis.hand_estimates import effective, estimate_by_hand, judge_by_hand
from ueo_core.analysis.run_result import SetResult, read_inspection
from ueo_core.analysis.verdict import Interval
from ueo_core.evaluation.metrics import OOD, UNLABELED, accuracy, auc


def problem(n: int, classes: int, skill: tuple[float, float], unknown: float, seed: int):
    """An unlabeled set whose true classes only the test knows. → truth, the set"""
    g = np.random.default_rng(seed)
    truth = np.where(g.random(n) < unknown, OOD, g.integers(0, classes, n))
    noise, known = g.normal(size=(n, classes)), np.flatnonzero(truth >= 0)
    cosines = {}
    for side, s in zip(("before", "after"), skill, strict=True):
        x = noise + 0.6 * g.normal(size=(n, classes))
        x[known, truth[known]] += s
        cosines[side] = (0.2 + 0.05 * x).astype(np.float32)
    return truth, SetResult("pool", {}, np.full(n, UNLABELED), cosines, 20.0)


def labeled(truth, part: SetResult, n: int, seed: int = 0) -> hand.HandLabels:
    labels = hand.draw_sample(part, seed)
    for i in labels.order[:n]:
        labels.give(i, int(truth[i]))
    return labels


# The sample


def test_strata_have_equal_sizes_and_alternate():
    truth, part = problem(103, 4, (1, 2), 0.3, 0)
    labels = hand.draw_sample(part)
    assert sorted(labels.order) == list(range(103)) and sum(labels.sizes) == 103
    assert max(labels.sizes) - min(labels.sizes) <= 1
    score = part.scores("mcm")["after"]
    of = np.array(labels.stratum)
    tops = [score[np.array(labels.order)[of == s]].max() for s in range(5)]
    lows = [score[np.array(labels.order)[of == s]].min() for s in range(5)]
    assert all(top <= low for top, low in zip(tops, lows[1:], strict=False))
    for k in range(
        1, 20
    ):  # wherever labeling stops, the counts of the strata differ by at most one
        counts = np.bincount(of[: 5 * k + 3], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert hand.draw_sample(part, 1).order != labels.order


def test_candidates_are_the_top_predictions_of_both_models_in_the_order_of_the_classes():
    truth, part = problem(30, 20, (1, 2), 0.3, 0)
    offered = hand.candidates(part, 4)
    assert offered == sorted(offered) and len(offered) == hand.CANDIDATES
    for side in ("before", "after"):
        assert set(np.argsort(-part.cosines[side][4], kind="stable")[:4]) <= set(offered)
    assert hand.candidates(problem(9, 3, (1, 2), 0.3, 0)[1], 4) == [0, 1, 2]


# The file


def test_labels_have_a_file_of_their_own_and_can_be_undone():
    folder = write_run("r", labeled=False)
    before = {p.name: p.read_bytes() for p in folder.path.iterdir() if p.is_file()}
    part = read_inspection(folder).parts["pool"]
    labels = hand.load_hand_labels(folder, part)
    assert labels.given == {} and hand.hand_labels_stamp(folder) == 0
    first, second, third = labels.order[:3]
    for image, label in ((first, 1), (second, OOD), (third, hand.UNCLEAR)):
        assert labels.next == image
        labels.give(image, label)
    hand.save_hand_labels(folder, labels)
    stored = json.loads((folder.path / hand.FILE).read_text(encoding="utf-8"))["pool"]["given"]
    assert stored == [[first, CLASSES[1]], [second, None], [third, False]]
    again = hand.load_hand_labels(folder, part)
    assert again == labels
    images, truth, _ = again.usable()
    assert images.tolist() == [first, second] and truth.tolist() == [1, OOD]
    again.undo()
    again.undo()
    assert again.given == {first: 1} and again.next == second
    # No other file of the run has changed: training and scoring read none of these labels.
    for name, content in before.items():
        assert (folder.path / name).read_bytes() == content
    assert folder.labels() == {"pool": None, "holdout": None}


# The estimates


def test_values_agree_with_weighted_means_and_scikit_learns_auc():
    truth, part = problem(200, 4, (1, 2), 0.3, 1)
    labels = labeled(truth, part, 63)
    found = estimate_by_hand(part, labels, "msp")
    images, given, stratum = labels.usable()
    n_h = np.bincount(stratum)
    assert sorted(n_h) == [12, 12, 13, 13, 13]
    w = (np.array(labels.sizes) / n_h)[stratum]
    known = given >= 0
    assert (found.n, found.n_known) == (63, int(known.sum()))
    assert found.unknown.value == pytest.approx(100 * np.average(~known, weights=w))
    for side in ("before", "after"):
        hit = (part.prediction[side][images] == given)[known]
        assert found.right[side].value == pytest.approx(100 * np.average(hit, weights=w[known]))
        recalls = [
            np.average(hit[given[known] == c], weights=w[known][given[known] == c])
            for c in range(4)
        ]
        assert found.acc[side].value == pytest.approx(100 * np.mean(recalls))
        expected = roc_auc_score(known, part.scores("msp")[side][images], sample_weight=w)
        assert found.auc[side].value == pytest.approx(100 * expected, abs=1e-4)
    d = found.right["after"].value - found.right["before"].value
    assert found.difference.value == pytest.approx(d)


def test_equal_weights_give_the_exact_interval():
    truth, part = problem(100, 3, (1, 2), 0.3, 2)
    found = estimate_by_hand(part, labeled(truth, part, 50), "mcm")
    k = 50 - found.n_known
    expected = binomtest(k, 50).proportion_ci(method="exact")
    assert found.unknown.low == pytest.approx(100 * expected.low)
    assert found.unknown.high == pytest.approx(100 * expected.high)
    assert effective(np.array([2.0, 2.0, 2.0])) == pytest.approx(3)
    assert effective(np.array([3.0, 1.0])) == pytest.approx(16 / 10)


def test_too_few_labels_give_no_estimate():
    truth, part = problem(100, 3, (1, 2), 0.3, 2)
    assert estimate_by_hand(part, labeled(truth, part, 9), "mcm") is None
    alike = np.zeros_like(truth)
    found = estimate_by_hand(part, labeled(alike, part, 10), "mcm")
    assert found.auc is None and found.right is not None
    all_unknown = estimate_by_hand(part, labeled(np.full_like(truth, OOD), part, 10), "mcm")
    assert all_unknown.right is None and judge_by_hand(all_unknown).kind == "unlabelled"


def test_intervals_have_a_width_even_if_all_predictions_are_right():
    truth, part = problem(100, 3, (40, 40), 0.3, 2)
    found = estimate_by_hand(part, labeled(truth, part, 20), "mcm")
    assert found.right["after"].value == 100 and found.right["after"].low < 90
    assert found.auc["after"].value == 100 and found.auc["after"].low < 90
    assert found.difference.low < 0 < found.difference.high
    assert judge_by_hand(found).kind == "same"


def test_the_verdict_follows_the_interval_of_the_difference():
    truth, part = problem(300, 3, (0, 9), 0.2, 3)
    assert judge_by_hand(estimate_by_hand(part, labeled(truth, part, 60), "mcm")).kind == "better"
    part.cosines["before"][:], part.cosines["after"][:] = (
        part.cosines["after"].copy(),
        part.cosines["before"].copy(),
    )
    worse = SetResult("pool", {}, part.truth, part.cosines, 20.0)
    verdict = judge_by_hand(estimate_by_hand(worse, labeled(truth, worse, 60), "mcm"))
    assert verdict.kind == "worse" and verdict.headline.startswith("Worse, estimated from a sample")


@pytest.mark.parametrize(
    ("difference", "kind"),
    [((5, 1, 9), "better"), ((-5, -9, -1), "worse"), ((5, -1, 11), "same"), ((-5, -11, 1), "same")],
)
def test_the_verdict_follows_the_interval_and_not_the_value(difference, kind):
    truth, part = problem(100, 3, (1, 2), 0.3, 2)
    found = estimate_by_hand(part, labeled(truth, part, 50), "mcm")
    found = dataclasses.replace(found, difference=Interval(*difference))
    assert judge_by_hand(found).kind == kind


@pytest.mark.parametrize(
    ("classes", "skill", "unknown", "n"),
    [(6, (1, 2), 0.3, 40), (6, (3, 5), 0.3, 40), (16, (2, 1.5), 0.15, 40), (4, (4, 4), 0.1, 40)],
)
def test_the_intervals_contain_the_true_value_as_often_as_stated(classes, skill, unknown, n):
    """150 sets with their samples: at 95 %, fewer than 134 hits have a chance of 2 in 1000."""
    hits: dict[str, list[bool]] = {}
    for seed in range(150):
        truth, part = problem(400, classes, skill, unknown, seed)
        found, known = estimate_by_hand(part, labeled(truth, part, n, seed), "mcm"), truth >= 0
        right = {s: 100 * (part.prediction[s][known] == truth[known]).mean() for s in part.cosines}
        checks: list[tuple[str, Interval, float]] = [
            ("unknown", found.unknown, 100 * (~known).mean()),
            ("difference", found.difference, right["after"] - right["before"]),
        ]
        for side in part.cosines:
            checks.append((f"right {side}", found.right[side], right[side]))
            acc = accuracy(part.prediction[side], truth, classes)
            checks.append((f"acc {side}", found.acc[side], acc))
            if found.auc:
                checks.append(
                    (f"auc {side}", found.auc[side], auc(part.scores("mcm")[side], truth))
                )
        for name, interval, value in checks:
            hits.setdefault(name, []).append(interval.low <= value <= interval.high)
    for name, held in hits.items():
        assert np.mean(held) >= 134 / 150, name
