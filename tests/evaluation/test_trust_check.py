"""The trust check: unbiased estimates, intervals with their coverage, sentences with their numbers."""

import numpy as np
import pytest
from scipy.stats import hypergeom, multivariate_hypergeom

from ueo_core.evaluation.intervals import Interval, effective, share, share_bounds
from ueo_core.evaluation.metrics import OOD
from ueo_core.evaluation.trust_check import (
    BORDERLINE,
    DISAGREE,
    SURE,
    TrustEstimate,
    agreement,
    decide,
    draw,
    estimate,
    recommendation,
    strata,
)

OTHER = -4
NAMES = ("zero-shot", "the 50 % blend", "the adapted model")
# Accuracy where the models disagree, near the threshold, and elsewhere.
ACCURACIES = [
    (0.5, 0.5, 0.5),
    (0.7, 0.7, 0.7),
    (0.9, 0.9, 0.9),
    (0.95, 0.95, 0.95),
    (0.99, 0.99, 0.99),
    (0.3, 0.9, 0.99),
    (0.99, 0.9, 0.5),
    (0.9, 0.5, 0.99),
    (0.2, 0.6, 0.6),
    (1, 1, 0.5),
    (1, 0.5, 1),
    (0, 1, 1),
    (1, 1, 1),
]
RATES = (0, 0.02, 0.1, 0.3, 0.6, 1)  # of images on which the models disagree


def sizes_of(n: int, rate: float) -> np.ndarray:
    apart = round(n * rate)
    near = int(np.ceil((n - apart) / 3))
    return np.array([apart, near, n - apart - near])


def test_a_decision_is_a_class_or_unknown_below_the_threshold():
    got = decide(np.array([2, 1, 0]), np.array([0.5, 0.4, 0.3]), 0.4)
    assert got.tolist() == [2, 1, OOD]


def test_strata_are_disagreements_then_the_nearest_third_to_the_threshold():
    score = np.array([0.10, 0.20, 0.30, 0.42, 0.60, 0.70, 0.95, 0.99])
    zero = np.zeros(8, np.int64)
    after = np.where(score < 0.4, OOD, 0)
    zero[:3] = OOD
    zero[6:] = 1
    found = strata(np.stack([zero, after]), score, 0.4)
    assert found.tolist() == [SURE, SURE, BORDERLINE, BORDERLINE, SURE, SURE, DISAGREE, DISAGREE]


def test_half_of_a_dozen_are_disagreements_as_long_as_there_are_some():
    stratum = np.repeat([DISAGREE, BORDERLINE, SURE], [8, 40, 52])
    order = np.array(draw(stratum))
    assert sorted(order) == list(range(100))
    assert np.bincount(stratum[order[:12]]).tolist() == [6, 3, 3]
    assert np.bincount(stratum[order[:24]]).tolist() == [8, 8, 8]
    assert draw(stratum, 1) != draw(stratum, 2)
    # Where they never disagree, the others are asked in turn.
    assert np.bincount(stratum[8:][draw(stratum[8:])[:12]]).tolist() == [0, 6, 6]


@pytest.mark.parametrize("n", [12, 24, 48])
@pytest.mark.parametrize("size", [30, 300, 2000])
def test_accuracy_is_within_its_interval_at_least_95_times_in_100(n, size):
    """Exact: every outcome of the three strata with its probability; no random numbers."""
    for rate in RATES:
        sizes = sizes_of(size, rate)
        asked = np.bincount(
            np.repeat(range(3), sizes)[draw(np.repeat(range(3), sizes))[:n]], minlength=3
        )
        for accuracies in ACCURACIES:
            right = np.round(sizes * accuracies).astype(int)
            k = np.meshgrid(*(np.arange(m + 1) for m in asked), indexing="ij")
            chance = np.ones(k[0].shape)
            for h in range(3):
                if sizes[h]:
                    chance = chance * hypergeom.pmf(k[h], sizes[h], right[h], asked[h])
            rest = asked < sizes
            exact = sum(k[h] for h in range(3) if not rest[h])
            low = high = mean = exact / size
            if rest.any():
                part = sizes[rest].sum() / size
                p = sum(sizes[h] * k[h] / asked[h] for h in range(3) if rest[h]) / sizes[rest].sum()
                weight = np.repeat((sizes / np.maximum(asked, 1))[rest], asked[rest])
                values, at = np.unique(np.round(p, 12), return_inverse=True)  # far fewer
                bounds = [b[at].reshape(p.shape) for b in share_bounds(values, effective(weight))]
                low, high, mean = low + part * bounds[0], high + part * bounds[1], mean + part * p
            truth = right.sum() / size
            assert (chance * mean).sum() == pytest.approx(truth)  # unbiased
            covered = (chance * ((low <= truth + 1e-9) & (truth - 1e-9 <= high))).sum()
            assert covered >= 0.95 - 1e-9, (rate, accuracies, covered)


@pytest.mark.parametrize("n", [6, 12, 24])
def test_the_lead_of_a_model_is_within_its_interval_at_least_95_times_in_100(n):
    """Exact, as above: of the images on which the models disagree, `up` and `down` favor one."""
    up, down = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    up, down = up[up + down <= n], down[up + down <= n]
    low, high = (2 * v - 1 for v in share_bounds((1 + (up - down) / n) / 2, n))
    for size in (30, 300):
        for p, q in [(0, 0), (0.05, 0), (0.5, 0.5), (0.5, 0.3), (0.8, 0.1), (0.95, 0.05), (1, 0)]:
            of = [round(size * p), round(size * q)]
            of.append(size - sum(of))
            chance = multivariate_hypergeom.pmf(np.stack([up, down, n - up - down], 1), of, n)
            truth = (of[0] - of[1]) / size
            covered = np.nan_to_num(chance)[(low <= truth + 1e-9) & (truth - 1e-9 <= high)].sum()
            assert covered >= 0.95, (size, p, q, covered)


@pytest.mark.parametrize(("rate", "n"), [(0.02, 12), (0.2, 12), (0.2, 24), (0.6, 48)])
def test_samples_that_are_drawn_estimate_without_bias_and_cover_the_truth(rate, n):
    """The way that the page goes: draw, answer, estimate; 400 sets of 200 images, three models."""
    error, held = [], []
    for seed in range(400):
        g = np.random.default_rng(seed)
        truth = g.integers(-1, 4, 200)
        same = np.where(g.random(200) < 0.8, truth, (truth + 2) % 4)
        decisions = np.stack([same, same, same])
        apart = g.random(200) < rate
        decisions[0, apart] = (decisions[0, apart] + 2) % 4
        decisions[1] = np.where(g.random(200) < 0.5, decisions[0], decisions[2])
        stratum = strata(decisions, g.random(200), 0.3)
        images = draw(stratum, seed)[:n]
        # An answer need not tell more than which of the decisions is right.
        told = np.where((decisions == truth).any(0), truth, OTHER)[images]
        sizes = np.bincount(stratum, minlength=3)
        found = estimate(decisions[:, images], told, stratum[images], sizes)
        true = 100 * (decisions == truth).mean(1)
        values = np.array([a.value for a in found.accuracy])
        error.append(values - true)
        held.append(
            [
                a.low <= t + 1e-6 and t - 1e-6 <= a.high
                for a, t in zip(found.accuracy, true, strict=True)
            ]
        )
        leads = true[found.best] - true
        held[-1] += [
            d.low <= t + 1e-6 and t - 1e-6 <= d.high for d, t in zip(found.lead, leads, strict=True)
        ]
    spread = np.std(error, axis=0) / 20
    assert (np.abs(np.mean(error, axis=0)) < 4 * spread).all()
    assert (np.mean(held, axis=0) >= 0.93).all()


def test_an_estimate_by_hand():
    # 10 images disagree, 30 are near the threshold, 60 are sure; 2, 3 and 2 of them are asked.
    stratum = np.array([0, 0, 1, 1, 1, 2, 2])
    truth = np.array([1, OOD, 0, 0, OTHER, 2, 2])
    zero = np.array([0, OOD, 0, 0, 1, 2, 2])
    after = np.array([1, 3, 0, 0, 1, 2, 2])
    found = estimate(np.stack([zero, after]), truth, stratum, [10, 30, 60], preferred=1)
    # both: 10 · 1/2 + 30 · 2/3 + 60 · 1 of 100
    assert [a.value for a in found.accuracy] == pytest.approx([85, 85])
    assert found.best == 1 and not found.certain and not found.complete
    weight = np.array([5, 5, 10, 10, 10, 30, 30])
    by_hand = share(weight, (after == truth).astype(float))
    assert found.accuracy[1].low == pytest.approx(by_hand.low)
    assert found.lead[0].low == pytest.approx(-found.lead[0].high)
    assert -10 <= found.lead[0].low < 0  # no more than the images on which they disagree
    assert estimate(np.stack([zero, after])[:, :5], truth[:5], stratum[:5], [10, 30, 60]) is None


def test_six_of_six_for_the_adapted_model_are_certain_and_five_of_six_are_not():
    stratum = np.repeat([0, 1, 2], [6, 3, 3])
    truth = np.zeros(12, np.int64)
    zero = np.array([1] * 6 + [0] * 6)
    found = estimate(np.stack([zero, truth]), truth, stratum, [40, 80, 180])
    assert found.best == 1 and found.certain
    zero[0], after = 0, truth.copy()
    after[0] = 1
    found = estimate(np.stack([zero, after]), truth, stratum, [40, 80, 180])
    assert found.best == 1 and not found.certain


def test_all_images_asked_are_exact():
    decisions = np.array([[0, 1, OOD, 0], [0, 1, 1, 0]])
    truth = np.array([0, 1, 1, OTHER])
    found = estimate(decisions, truth, np.array([1, 2, 0, 2]), [1, 1, 2])
    assert found.accuracy == (Interval(50.0, 50.0, 50.0), Interval(75.0, 75.0, 75.0))
    assert found.complete and found.certain and found.lead[0] == Interval(25.0, 25.0, 25.0)


def found_with(values, best, lows=(1, 1, 1), complete=False) -> TrustEstimate:
    accuracy = tuple(Interval(v, v - 10, v + 4) for v in values)
    lead = tuple(Interval(5, low, 9) for low in lows)
    return TrustEstimate(12, accuracy, best, lead, complete)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            found_with((75, 80, 91), 2),
            "Use the adapted model: the estimated accuracy of the adapted model is 91 % (95 % interval 81 "
            "to 95), of zero-shot is 75 % (65 to 79) and of the 50 % blend is 80 % (70 to 84).",
        ),
        (
            found_with((75, 86, 80), 1, (-1, 0, 1)),
            "Use the 50 % blend for now, though 12 answers are too few to be certain: the estimated "
            "accuracy of the 50 % blend is 86 % (95 % interval 76 to 90), of zero-shot is 75 % (65 to 79) "
            "and of the adapted model is 80 % (70 to 84).",
        ),
        (
            found_with((90, 80, 60), 0),
            "Keep zero-shot: the estimated accuracy of zero-shot is 90 % (95 % interval 80 to 94), of the "
            "50 % blend is 80 % (70 to 84) and of the adapted model is 60 % (50 to 64).",
        ),
        (
            found_with((90, 80, 60), 0, (0, -1, 1)),
            "Keep zero-shot for now, though 12 answers are too few to be certain: the estimated accuracy "
            "of zero-shot is 90 % (95 % interval 80 to 94), of the 50 % blend is 80 % (70 to 84) and of "
            "the adapted model is 60 % (50 to 64).",
        ),
        (
            found_with((80, 80, 80), 2),
            "Use the adapted model, though 12 answers show no difference: the estimated accuracy of the "
            "adapted model is 80 % (95 % interval 70 to 84), of zero-shot is 80 % (70 to 84) and of the "
            "50 % blend is 80 % (70 to 84).",
        ),
        (
            found_with((80, 80, 80), 2, complete=True),
            "Use the adapted model, though all 12 images show no difference: the estimated accuracy of "
            "the adapted model is 80 % (95 % interval 70 to 84), of zero-shot is 80 % (70 to 84) and of "
            "the 50 % blend is 80 % (70 to 84).",
        ),
    ],
)
def test_the_sentence_says_what_to_do_with_its_numbers(found, sentence):
    assert recommendation(found, NAMES) == sentence


def test_sentences_where_there_is_little_to_choose():
    alike = np.array([[0, 1, OOD]] * 2)
    assert "decide the same for all 3 images" in agreement(alike)
    assert "reject all 3 images as unknown" in agreement(np.full((2, 3), OOD))
    assert "the same class for all 3 images" in agreement(np.ones((2, 3), np.int64))
    assert agreement(np.array([[0, 1], [0, 0]])) == ""
