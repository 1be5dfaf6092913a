"""The rule of the safety check on made-up evidence, and the signs during a run."""

import numpy as np
import pytest

from ueo_core.evaluation.guard_rule import (
    TOO_LITTLE,
    TOO_MUCH,
    Evidence,
    choose,
    consistency,
    draws_of,
    rate_hint,
    signs,
    spread,
)


def test_consistency_is_corrected_for_chance():
    predictions = np.array([0, 0, 1, 1])  # chance ½
    assert consistency(predictions, np.array([[0, 0, 1, 1]]), 3) == pytest.approx(1)
    # Three of four agree: (¾ − ½) / ½.
    assert consistency(predictions, np.array([[0, 0, 1, 0]]), 3) == pytest.approx(0.5)
    # Two draws: six of eight agree.
    assert consistency(predictions, np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), 3) == pytest.approx(0.5)


def test_one_class_for_everything_has_no_consistency():
    assert consistency(np.zeros(6, int), np.zeros((2, 6), int), 4) == 0


def test_spread_is_the_entropy_of_the_mean():
    assert spread(np.eye(4)) == pytest.approx(1)
    assert spread(np.tile([1.0, 0, 0, 0], (5, 1))) == 0
    assert spread(np.array([[0.9, 0.1], [0.1, 0.9]])) == pytest.approx(1)
    p = np.array([[0.8, 0.2]])
    assert spread(p) == pytest.approx(-(p * np.log(p)).sum() / np.log(2))


def measured(by_share):
    """A function for `choose` and the list of its calls; scores form one group unless given."""
    calls = []

    def evidence_of(share):
        calls.append(share)
        values = by_share[share]
        return Evidence(*values, *(() if len(values) == 3 else (2.0,)))

    return evidence_of, calls


BLENDS = (0.25, 0.5, 0.75)


def test_the_last_epoch_is_recommended_without_signs_and_no_blend_is_measured():
    evidence_of, calls = measured({0.0: (0.58, 0.9), 1.0: (0.69, 0.9)})
    choice = choose(evidence_of)
    assert choice.share == 1 and calls == [0.0, 1.0]
    assert choice.reason == (
        "Predictions on random crops agree 69 % (chance-corrected; zero-shot 58 %). "
        "No sign of degradation."
    )


def test_otherwise_the_largest_blend_that_is_more_consistent():
    by_share = {0.0: (0.6, 0.9), 1.0: (0.4, 0.9), 0.75: (0.61, 0.9), 0.5: (0.6201, 0.9)}
    evidence_of, calls = measured(by_share)
    choice = choose(evidence_of)
    assert choice.share == 0.5 and calls == [0.0, 1.0, 0.75, 0.5]
    assert choice.evidence["0.5"] == {"consistency": 0.6201, "spread": 0.9, "parted": 2.0}
    assert choice.reason == (
        "Predictions on random crops agree 40 % (chance-corrected; zero-shot 60 %): a sign of "
        "degradation. Recommended: a 50 % blend of the adapted and the original model."
    )


@pytest.mark.parametrize(("gain", "share"), [(0.0199, 0.0), (0.0201, 0.75)])
def test_a_blend_has_to_gain_two_points(gain, share):
    blends = dict.fromkeys(BLENDS, (0.6 + gain, 0.9))
    assert choose(measured({0.0: (0.6, 0.9), 1.0: (0.5, 0.9)} | blends)[0]).share == share


def test_zero_shot_is_recommended_when_no_blend_is_more_consistent():
    evidence_of, _ = measured({0.0: (0.6, 0.9)} | dict.fromkeys((*BLENDS, 1.0), (0.59, 0.9)))
    choice = choose(evidence_of)
    assert choice.share == 0
    assert choice.reason.endswith("Recommended: the original (zero-shot) model.")


@pytest.mark.parametrize("zero, enough", [(0.4, 0.38), (0.6, 0.6), (0.9, 0.93)])
def test_a_reliable_zero_shot_model_needs_a_larger_gain(zero, enough):
    blends = dict.fromkeys(BLENDS, (0.0, 0.9))
    for last, share in ((enough + 1e-6, 1.0), (enough - 1e-6, 0.0)):
        evidence_of, _ = measured({0.0: (zero, 0.9), 1.0: (last, 0.9)} | blends)
        choice = choose(evidence_of)
        assert choice.share == share
        assert ("not enough of a gain" in choice.reason) == (share == 0 and last > zero)


@pytest.mark.parametrize(("left", "share"), [(0.89, 0.0), (0.91, 1.0)])
def test_fewer_predicted_classes_are_rejected_whatever_the_agreement(left, share):
    """Nine tenths of the spread of zero-shot have to remain."""
    last = (1.0, 0.8 * left)
    evidence_of, _ = measured({0.0: (0.5, 0.8)} | dict.fromkeys((*BLENDS, 1.0), last))
    choice = choose(evidence_of)
    assert choice.share == share
    if share == 0:
        expected = "Predictions cover fewer classes: 89 % of the zero-shot spread remains."
        assert choice.reason.startswith(expected)


def test_a_collapse_onto_one_class_is_named():
    evidence_of, _ = measured({0.0: (0.5, 0.8)} | dict.fromkeys((*BLENDS, 1.0), (0.0, 0.0)))
    assert choose(evidence_of).reason == (
        "Predictions have collapsed onto one class. Recommended: the original (zero-shot) model."
    )


def test_two_groups_of_scores_have_to_stay_separate():
    """85 % of their distance has to remain: 3.4 of 4."""
    merging, separate = (0.9, 0.9, 3.39), (0.6, 0.9, 3.41)
    evidence_of, _ = measured({0.0: (0.5, 0.9, 4.0), 0.5: separate, 0.75: merging, 1.0: merging})
    choice = choose(evidence_of)
    assert choice.share == 0.5
    assert choice.reason.startswith(
        "Zero-shot scores form two clear groups, known and unknown, and adaptation merges them "
        "(distance 3.4 group widths; zero-shot 4.0)."
    )


@pytest.mark.parametrize(("distance", "share"), [(2.99, 1.0), (3.01, 0.0)])
def test_scores_in_one_group_have_nothing_to_separate(distance, share):
    """Two groups are those at a distance of 3 widths."""
    merged = dict.fromkeys((*BLENDS, 1.0), (0.9, 0.9, 1.0))
    assert choose(measured({0.0: (0.5, 0.9, distance)} | merged)[0]).share == share


def event(spread, agreement):
    return {"spread": spread, "agreement": agreement}


def test_signs_of_a_run():
    assert signs([event(20, 30)]) == []  # a single one has nothing to be compared with
    assert signs([event(90, 100), event(88, 80)]) == []
    assert [s.key for s in signs([event(90, 100), event(60, 80)])] == ["narrowing"]
    assert [s.key for s in signs([event(90, 100), event(20, 30)])] == ["collapse", "drift"]


@pytest.mark.parametrize(
    ("spread", "agreement", "keys"),
    [(75.1, 40.1, []), (74.9, 50, ["narrowing"]), (39.9, 50, ["collapse"]), (90, 39.9, ["drift"])],
)
def test_limits_of_the_signs(spread, agreement, keys):
    assert [s.key for s in signs([event(100, 100), event(spread, agreement)])] == keys


@pytest.mark.parametrize(
    ("reach", "word"), [(0.99e-4, "higher"), (1.01e-4, ""), (0.99, ""), (1.01, "lower")]
)
def test_a_rate_that_changes_too_little_or_too_much_gets_a_hint(reach, word):
    """The parameters change by `reach` of their size: the mean rate is half the peak rate."""
    hint = rate_hint(reach / 100, steps=200)
    assert bool(hint) == bool(word) and word in hint


def test_what_each_sign_says():
    first = event(50, 100)
    (narrowing,) = signs([first, event(50, 100), event(30, 80)])
    assert narrowing.sentence == (
        "Predictions cover fewer classes: 60 % of the initial spread remains."
    )
    collapse, drift = signs([first, event(10, 30)])
    assert collapse.sentence == (
        "Predictions are collapsing onto few classes: 20 % of the initial spread remains. "
        "Stop the run, and use a lower learning rate or a method with a marginal term."
    )
    assert drift.sentence == (
        "Only 30 % of the images still have their zero-shot prediction. This is "
        "expected where zero-shot was poor, and harmful where it was good."
    )


def test_signs_at_their_limits_and_without_any_spread_at_first():
    assert [s.key for s in signs([event(100, 100), event(40, 40)])] == ["narrowing"]
    assert signs([event(100, 100), event(75, 100)]) == []
    assert signs([event(0, 100), event(0, 100)]) == []


def test_what_a_hint_says():
    assert rate_hint(2 * 0.5e-4 / 100, steps=100) == (
        "At this learning rate, the run changes the trained parameters by at most 0.005 %, so "
        "hardly anything will change. Use a higher rate or more epochs."
    )
    assert rate_hint(2 * 1.5 / 100, steps=100) == (
        "At this learning rate, the run can change the trained parameters by 150 % of their "
        "size, which usually degrades the model. Use a lower rate."
    )
    assert rate_hint(TOO_LITTLE, 2) == rate_hint(TOO_MUCH, 2) == ""


@pytest.mark.parametrize(
    ("zero", "now", "share"),
    [
        ((0.6, 1.0), (0.6, 0.9), 1.0),  # nine tenths of the spread is enough
        ((0.6, 0.9, 3.0), (0.6, 0.9, 2.0), 0.0),  # a distance of three is two groups
        ((0.6, 0.9, 4.0), (0.6, 0.9, 3.4), 1.0),  # 85 % of the distance is enough
    ],
)
def test_limits_belong_to_what_is_allowed(zero, now, share):
    evidence_of, _ = measured({0.0: zero} | dict.fromkeys((*BLENDS, 1.0), now))
    assert choose(evidence_of).share == share


def test_a_remaining_percent_is_no_collapse_and_equal_agreement_no_degradation():
    lost = dict.fromkeys((*BLENDS, 1.0), (0.9, 0.01))
    reason = choose(measured({0.0: (0.5, 1.0)} | lost)[0]).reason
    assert reason.startswith("Predictions cover fewer classes: 1 % of the zero-shot spread")
    same = dict.fromkeys((*BLENDS, 1.0), (0.7, 0.9))
    reason = choose(measured({0.0: (0.7, 0.9)} | same)[0]).reason
    assert "70 % (chance-corrected; zero-shot 70 %): not enough of a gain" in reason


def test_a_choice_is_stored_as_plain_data_with_four_digits():
    evidence_of, _ = measured({0.0: (0.5, 0.123456), 1.0: (0.7, 0.9, 0.000049)})
    assert choose(evidence_of).to_json() == {
        "share": 1.0,
        "reason": "Predictions on random crops agree 70 % (chance-corrected; zero-shot 50 %). "
        "No sign of degradation.",
        "evidence": {
            "0": {"consistency": 0.5, "spread": 0.1235, "parted": 2.0},
            "1": {"consistency": 0.7, "spread": 0.9, "parted": 0.0},
        },
        "model": "",
    }


def test_the_spread_of_half_precision_probabilities_is_measured_in_float64():
    p = np.full((4096, 3), 1 / 3, np.float16)
    assert spread(p) == spread(p.astype(np.float64)) != 1


def test_each_image_is_cropped_twice_and_once_in_quick_mode():
    assert (draws_of("full"), draws_of("quick")) == (2, 1)
