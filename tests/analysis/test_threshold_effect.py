"""Thresholds, ROC, classes, galleries and histograms, against scikit-learn and small examples."""

import numpy as np
import pytest
from scipy.stats import gaussian_kde, norm
from sklearn.metrics import auc as area
from sklearn.metrics import roc_auc_score, roc_curve

from ueo_core.analysis import per_class
from ueo_core.analysis.histograms import counts_below, data_range, densities, digits, histogram
from ueo_core.analysis.image_selections import (
    VIEWS,
    best_predictions,
    gallery_views,
    truth_sentence,
)
from ueo_core.analysis.per_class import (
    class_changes,
    confused_pairs,
    confusion_cell,
    confusion_rows,
    wilson,
)
from ueo_core.analysis.run_result import SetResult
from ueo_core.analysis.threshold_effect import (
    effect_rows,
    roc_points,
    threshold_at_tpr,
    threshold_effect,
)
from ueo_core.evaluation.metrics import OOD, UNLABELED, fpr95, per_class_recall

g = np.random.default_rng(0)
TRUTH = np.r_[g.integers(0, 3, 60), np.full(25, OOD), np.full(5, UNLABELED)]
SCORE = np.round(g.normal(TRUTH >= 0, 1), 1)  # ties
PREDICTION = g.integers(0, 3, len(TRUTH))


def test_the_effect_of_a_threshold_on_an_example():
    truth = np.array([0, 1, 1, OOD, OOD, UNLABELED])
    found = threshold_effect([0.9, 0.5, 0.1, 0.6, 0.2, 0.5], 0.5, [0, 0, 1, 2, 2, 0], truth)
    assert (found.accepted, found.rejected) == (4, 2)
    assert found.coverage == pytest.approx(400 / 6)
    assert (found.known_accepted, found.known) == (2, 3)
    assert (found.unknown_accepted, found.unknown) == (1, 2)
    assert found.tpr == pytest.approx(200 / 3) and found.fpr == 50
    assert found.accuracy == pytest.approx(100 / 3)  # 1 of 3 accepted labeled images is right


def test_every_point_of_the_roc_is_the_effect_of_its_threshold():
    known = TRUTH != UNLABELED
    fpr, tpr, thresholds = roc_curve(TRUTH[known] >= 0, SCORE[known])
    for x, y, t in list(zip(fpr, tpr, thresholds, strict=True))[1:]:
        found = threshold_effect(SCORE, t, PREDICTION, TRUTH)
        assert found.fpr == pytest.approx(100 * x) and found.tpr == pytest.approx(100 * y)
    x, y = roc_points(SCORE, TRUTH)
    assert area(x, y) / 100 == pytest.approx(100 * roc_auc_score(TRUTH[known] >= 0, SCORE[known]))
    assert len(roc_points(np.arange(90.0), TRUTH, points=10)[0]) <= 10


def test_no_roc_without_known_and_unknown_images():
    assert roc_points(SCORE[:60], TRUTH[:60]) is None
    assert threshold_at_tpr(SCORE[60:], TRUTH[60:]) is None


def test_the_threshold_at_95_percent_gives_the_metric_fpr95():
    t = threshold_at_tpr(SCORE, TRUTH)
    found = threshold_effect(SCORE, t, PREDICTION, TRUTH)
    assert found.tpr >= 95 and found.fpr == pytest.approx(fpr95(SCORE, TRUTH))
    above = np.nextafter(t, np.inf)
    assert threshold_effect(SCORE, above, PREDICTION, TRUTH).tpr < 95


def test_without_labels_only_counts():
    found = threshold_effect([1.0, 2.0], 1.5, [0, 1], [UNLABELED] * 2)
    assert (found.accepted, found.coverage, found.tpr, found.accuracy) == (1, 50.0, None, None)


def test_class_changes_agree_with_the_metric_and_start_with_the_largest_loss():
    before = g.integers(0, 3, len(TRUTH))
    rows = class_changes(before, PREDICTION, TRUTH, ["a", "b", "c"])
    by_name = {r.name: r for r in rows}
    for i, name in enumerate("abc"):
        assert by_name[name].after == pytest.approx(per_class_recall(PREDICTION, TRUTH, 3)[i])
        assert by_name[name].before == pytest.approx(per_class_recall(before, TRUTH, 3)[i])
        row = by_name[name]
        assert row.gained - row.lost == round((row.after - row.before) * row.n / 100)
    assert [r.change for r in rows] == sorted(r.change for r in rows)
    assert [r.name for r in class_changes([0], [0], [0], ["a", "b"])] == ["a"]


@pytest.mark.parametrize(("hits", "n"), [(0, 12), (5, 12), (12, 12), (300, 345)])
def test_the_wilson_interval_is_that_of_its_formula(hits, n):
    p, z = hits / n, norm.ppf(0.975)
    center = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert wilson(hits, n) == pytest.approx(
        (100 * (center - half), 100 * (center + half)), abs=1e-9
    )


def test_the_wilson_interval_without_images_is_everything():
    assert wilson(0, 0) == (0, 100)


def test_the_cells_of_the_confusion_matrix_cover_all_labeled_images_once():
    rows = confusion_rows(["a", "b", "c"], TRUTH)
    assert rows[-1] == (OOD, "none (unknown)")
    cells = [confusion_cell(PREDICTION, TRUTH, r, c) for r, _ in rows for c in range(3)]
    assert sorted(np.concatenate(cells)) == list(range(85))


def test_confused_pairs_are_the_cells_off_the_diagonal():
    truth = np.array([0, 0, 1, 2, OOD, OOD, UNLABELED])
    before, after = [0, 1, 0, 2, 1, 1, 0], [1, 1, 1, 2, 1, 0, 2]
    assert confused_pairs(before, after, truth) == [
        (0, 1, 1, 2),
        (OOD, 1, 2, 1),
        (OOD, 0, 0, 1),
        (1, 0, 1, 0),
    ]
    pairs = confused_pairs(PREDICTION, PREDICTION, TRUTH)
    assert sum(p[3] for p in pairs) == ((TRUTH > UNLABELED) & (PREDICTION != TRUTH)).sum()
    for row, column, _, n in pairs:
        assert len(confusion_cell(PREDICTION, TRUTH, row, column)) == n


def test_confused_pairs_of_a_class_and_no_more_than_a_table_shows(monkeypatch):
    other = np.roll(PREDICTION, 1)
    pairs = confused_pairs(PREDICTION, other, TRUTH)
    for row in (OOD, 1):
        assert confused_pairs(PREDICTION, other, TRUTH, row) == [p for p in pairs if p[0] == row]
    assert confused_pairs(PREDICTION, other, TRUTH, None, 2) == [p for p in pairs if p[1] == 2]
    assert [p[:2] for p in confused_pairs(PREDICTION, other, TRUTH, OOD, 2)] == [(OOD, 2)]
    monkeypatch.setattr(per_class, "PAIRS", 3)
    assert confused_pairs(PREDICTION, other, TRUTH) == pairs[:3]


def test_the_best_predictions_are_the_softmax_in_order():
    cosines = {"after": np.array([[0.1, 0.4, 0.3]], np.float32)}
    one = SetResult("pool", {}, np.array([0]), cosines, 10.0)
    p = np.exp(10 * cosines["after"][0].astype(float))
    p /= p.sum()
    assert best_predictions(one, "after", 0, 2) == [
        (1, pytest.approx(p[1])),
        (2, pytest.approx(p[2])),
    ]
    said = [truth_sentence(t, ["cat"]) for t in (0, OOD, UNLABELED)]
    assert said == ["True class: cat.", "True class: none (unknown).", "No label."]


def test_selections_of_an_example():
    cosines = {
        "before": np.array([[0.9, 0.1], [0.1, 0.9], [0.8, 0.2], [0.6, 0.4]], np.float32),
        "after": np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.5, 0.4]], np.float32),
    }
    part = SetResult("pool", {}, np.array([0, 1, 1, OOD]), cosines, 10.0)
    scores = {"before": np.zeros(4), "after": np.array([4.0, 3.0, 2.0, 1.0])}
    at = {"before": 0.0, "after": 2.5}
    found = {k: v.pick(part, scores, at).tolist() for k, v in VIEWS.items()}
    assert found == {
        "unknown": [3, 2],
        "changed": [0, 2],
        "became-wrong": [0],
        "became-right": [2],
        "unknown-accepted": [],
        "known-rejected": [2],
        "least": [3, 2, 1, 0],
        "most": [0, 1, 2, 3],
    }
    unlabeled = SetResult("pool", {}, np.full(4, UNLABELED), cosines, 10.0)
    assert set(gallery_views(unlabeled)) == {"unknown", "changed", "least", "most"}


def test_counts_below_limits_are_those_of_the_threshold():
    values = np.array([0.3, 0.1, 0.3, 0.7])
    limits = [0.0, 0.1, 0.3, 0.31, 0.7, 1.0]
    assert counts_below(values, limits) == [int((values < limit).sum()) for limit in limits]


def test_histograms_span_the_data_and_count_all_of_it():
    values = 0.0625 + 1e-6 * g.random(200)
    bars = histogram({"a": values[:50], "b": values[50:]})
    assert bars.edges[0] == values.min() and bars.edges[-1] == values.max()
    assert bars.counts["a"].sum() == 50 and bars.counts["b"].sum() == 150
    # A range of a millionth is spread over the bins, not collected in one.
    assert (bars.counts["b"] > 0).sum() > 20
    assert digits(*data_range(values)) >= 7
    low, high = data_range(np.full(9, 0.5))
    assert low < 0.5 < high


def test_densities_integrate_to_1_and_agree_with_scipy():
    a, b = g.normal(0, 1, 400), g.normal(3, 0.5, 300)
    found = densities({"a": a, "b": b, "none": []}, points=400)
    assert set(found.density) == {"a", "b"}
    for name in ("a", "b"):
        assert np.trapezoid(found.density[name], found.x) == pytest.approx(1, abs=0.02)
    # With the same bandwidth, SciPy gives the same curve.
    iqr = np.subtract(*np.percentile(a, [75, 25])) / 1.34
    width = 0.9 * min(a.std(), iqr) * 400**-0.2
    np.testing.assert_allclose(
        found.density["a"], gaussian_kde(a, width / a.std(ddof=1))(found.x), atol=1e-9
    )


def test_effect_rows_show_the_counts_and_rates():
    effect = threshold_effect([0.9, 0.8, 0.2, 0.7], 0.5, [0, 1, 0, 0], [0, 0, 1, OOD])
    rows = dict(effect_rows({"before": effect, "after": effect}, 4))
    assert rows["Accepted (coverage), of 4"] == ["3 (75.0 %)"] * 2
    assert rows["Rejected as unknown, of 4"][0] == "1 (25.0 %)"
    assert rows["Known accepted (TPR), of 3"][0] == "2 (66.7 %)"
    assert rows["Unknown accepted (FPR), of 1"][0] == "1 (100.0 %)"
    assert rows["Accuracy among the accepted"][0] == "33.3 %"
    bare = threshold_effect([0.9, 0.2], 0.5, [0, 1], [UNLABELED, UNLABELED])
    assert [name for name, _ in effect_rows({"after": bare}, 2)] == [
        "Accepted (coverage), of 2",
        "Rejected as unknown, of 2",
    ]
