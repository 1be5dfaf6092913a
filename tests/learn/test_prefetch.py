"""The triangle's next setting is computed before it is asked for."""

from dataclasses import replace

from ueo_core.learn.knobs import Knobs
from ueo_core.learn.prefetch import get_ready, likely
from ueo_core.learn.simplex import simulate


def test_the_next_batch_and_both_neighbors_of_the_knob_that_was_turned():
    knobs = Knobs(seed=999, trade=1.2, share=80)
    assert likely(knobs, ()) == [replace(knobs, seed=0)]
    assert likely(knobs, ("trade",))[1:] == [replace(knobs, trade=1.3), replace(knobs, trade=1.1)]
    # At the end of its range a knob has one neighbor only.
    assert likely(knobs, ("share",))[1:] == [knobs, replace(knobs, share=75)]


def test_what_was_made_ready_is_not_computed_again():
    knobs = Knobs(seed=771, trade=0.7)
    get_ready(knobs, ("trade",)).result(timeout=60)
    misses = simulate.cache_info().misses
    for following in likely(knobs, ("trade",)):
        simulate(following)
    assert simulate.cache_info().misses == misses


def test_a_later_wish_makes_the_earlier_one_void():
    first = get_ready(Knobs(seed=881), ())
    last = get_ready(Knobs(seed=883), ())
    first.result(timeout=60), last.result(timeout=60)
    misses = simulate.cache_info().misses
    simulate(Knobs(seed=884))
    assert simulate.cache_info().misses == misses
    simulate(Knobs(seed=882))
    assert simulate.cache_info().misses == misses + 1
