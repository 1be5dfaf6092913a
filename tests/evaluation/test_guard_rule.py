"""The guard: its signs by hand, its choice on made-up evidence, and on a run that did harm."""

import numpy as np
import pytest

from ueo_core.evaluation.guard_rule import (
    KEPT_APART,
    KEPT_SPREAD,
    MARGIN,
    TWO_GROUPS,
    Evidence,
    choose,
    consistency,
    rate_hint,
    signs,
    spread,
)


def test_consistency_takes_chance_off():
    predictions = np.array([0, 0, 1, 1])  # chance ½
    assert consistency(predictions, np.array([[0, 0, 1, 1]]), 3) == pytest.approx(1)
    # Three of four agree: (¾ − ½) / ½.
    assert consistency(predictions, np.array([[0, 0, 1, 0]]), 3) == pytest.approx(0.5)
    # Two draws: six of eight agree.
    assert consistency(predictions, np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), 3) == pytest.approx(0.5)


def test_one_answer_to_everything_earns_nothing():
    assert consistency(np.zeros(6, int), np.zeros((2, 6), int), 4) == 0


def test_spread_is_the_entropy_of_the_mean():
    assert spread(np.eye(4)) == pytest.approx(1)
    assert spread(np.tile([1.0, 0, 0, 0], (5, 1))) == 0
    assert spread(np.array([[0.9, 0.1], [0.1, 0.9]])) == pytest.approx(1)
    p = np.array([[0.8, 0.2]])
    assert spread(p) == pytest.approx(-(p * np.log(p)).sum() / np.log(2))


def looked(by_share):
    """A `look` that remembers what it was asked. Scores lie in one group where nothing is said."""
    asked = []

    def look(share):
        asked.append(share)
        return Evidence(*by_share[share], *(() if len(by_share[share]) == 3 else (2.0,)))

    return look, asked


def test_the_last_epoch_is_taken_when_nothing_speaks_against_it_and_no_more_is_looked_at():
    look, asked = looked({0.0: (0.6, 0.9), 1.0: (0.6, 0.9)})
    assert choose(look).share == 1 and asked == [0.0, 1.0]


def test_the_farthest_point_that_is_surer_is_taken_else():
    by_share = {0.0: (0.6, 0.9), 1.0: (0.4, 0.9), 0.75: (0.6 + MARGIN / 2, 0.9), 0.5: (0.66, 0.9)}
    look, asked = looked(by_share)
    choice = choose(look)
    assert choice.share == 0.5 and asked == [0.0, 1.0, 0.75, 0.5]
    assert choice.evidence["0.5"] == {"consistency": 0.66, "spread": 0.9, "parted": 2.0}
    assert "50 %" in choice.reason


def test_zero_shot_stays_when_nothing_is_surer():
    look, _ = looked({0.0: (0.6, 0.9)} | dict.fromkeys((0.25, 0.5, 0.75, 1.0), (0.59, 0.9)))
    choice = choose(look)
    assert choice.share == 0 and "zero-shot model is offered" in choice.reason


@pytest.mark.parametrize("zero, enough", [(0.4, 0.38), (0.6, 0.6), (0.9, 0.93)])
def test_the_surer_zero_shot_is_the_more_has_to_be_shown(zero, enough):
    between = dict.fromkeys((0.25, 0.5, 0.75), (0.0, 0.9))
    for last, share in ((enough + 1e-6, 1.0), (enough - 1e-6, 0.0)):
        look, _ = looked({0.0: (zero, 0.9), 1.0: (last, 0.9)} | between)
        choice = choose(look)
        assert choice.share == share
        assert ("too little more" in choice.reason) == (share == 0 and last > zero)


def test_answers_that_have_narrowed_are_refused_however_sure():
    far = (1.0, KEPT_SPREAD * 0.9 - 0.01)
    look, _ = looked({0.0: (0.5, 0.9)} | dict.fromkeys((0.25, 0.5, 0.75, 1.0), far))
    choice = choose(look)
    assert choice.share == 0 and "narrowed" in choice.reason


def test_known_and_strange_that_were_apart_have_to_stay_apart():
    mixing, apart = (0.9, 0.9, KEPT_APART * 4 - 0.1), (0.6, 0.9, KEPT_APART * 4)
    look, _ = looked({0.0: (0.5, 0.9, 4.0), 0.5: apart, 0.75: mixing, 1.0: mixing})
    choice = choose(look)
    assert choice.share == 0.5
    assert "these mix (they lie 3.3 of their widths apart, before 4.0)" in choice.reason
    # Where there were no two groups, there are none to mix.
    look, _ = looked({0.0: (0.5, 0.9, TWO_GROUPS - 0.01), 1.0: (0.5, 0.9, 1.0)})
    assert choose(look).share == 1


def event(spread, agreement):
    return {"spread": spread, "agreement": agreement}


def test_signs_of_a_run():
    assert signs([event(90, 100)]) == []
    assert signs([event(90, 100), event(88, 80)]) == []
    assert [s.key for s in signs([event(90, 100), event(60, 80)])] == ["narrowing"]
    assert [s.key for s in signs([event(90, 100), event(20, 30)])] == ["collapse", "drift"]


@pytest.mark.parametrize(
    "step_change, steps, word", [(1e-8, 100, "higher"), (1e-3, 100, ""), (0.1, 100, "lower")]
)
def test_a_rate_is_hinted_at_when_it_moves_too_little_or_too_much(step_change, steps, word):
    hint = rate_hint(step_change, steps)
    assert bool(hint) == bool(word) and word in hint
