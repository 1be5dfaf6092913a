"""The schedule: even batches, one cosine a leg, and what an extension does to both."""

import math

import numpy as np
import pytest

from ueo_core.config.lr_schedule import images_seen, learning_rate, split_epoch, steps_in_all
from ueo_core.config.settings import Settings


def chosen(**changes) -> Settings:
    return Settings(**{"epochs": 5, "batch_size": 5, "lr": 0.3} | changes)


def rates(n: int, settings: Settings) -> list[float]:
    return [learning_rate(step, n, settings) for step in range(steps_in_all(n, settings))]


def test_batches_are_even():
    assert split_epoch(12, 5) == [4, 4, 4]
    assert split_epoch(65, 64) == [33, 32]
    assert split_epoch(3, 64) == [3]


def test_the_rate_is_a_cosine_from_the_peak_towards_zero():
    assert steps_in_all(10, chosen()) == 10
    expected = 0.3 * (1 + np.cos(np.pi * np.arange(10) / 10)) / 2
    np.testing.assert_allclose(rates(10, chosen()), expected)


def test_an_extension_has_a_cosine_of_its_own_and_leaves_the_past_alone():
    longer = chosen(extensions=((10, 3),))
    assert steps_in_all(10, longer) == 16
    found = rates(10, longer)
    assert found[:10] == rates(10, chosen())
    np.testing.assert_allclose(found[10:], rates(10, chosen(epochs=3)))


def test_an_extension_of_a_run_that_was_stopped_early_drops_what_was_planned():
    longer = chosen(extensions=((7, 1), (9, 2)))
    assert steps_in_all(10, longer) == 9 + 4
    found = rates(10, longer)
    assert found[:7] == rates(10, chosen())[:7]  # as they were taken, on their way to step 10
    assert found[7] == pytest.approx(0.3) and found[8] == pytest.approx(0.15)
    assert found[9] == pytest.approx(0.3)
    assert found[12] == pytest.approx(0.3 * (1 + math.cos(0.75 * math.pi)) / 2)


def test_images_seen_counts_uneven_batches():
    assert [images_seen(step, 7, 3) for step in range(5)] == [0, 3, 5, 7, 10]
