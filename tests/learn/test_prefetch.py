"""The likely next settings of the triangle are computed in advance."""

from dataclasses import replace

from ueo_core.learn.prefetch import likely_next, prefetch
from ueo_core.learn.simplex import simulate
from ueo_core.learn.triangle_settings import TriangleSettings


def test_the_next_batch_and_both_neighbors_of_the_changed_setting():
    settings = TriangleSettings(seed=999, trade=1.2, share=80)
    assert likely_next(settings, ()) == [replace(settings, seed=0)]
    assert likely_next(settings, ("trade",))[1:] == [
        replace(settings, trade=1.3),
        replace(settings, trade=1.1),
    ]
    # At the end of its range a setting has only one neighbor.
    assert likely_next(settings, ("share",))[1:] == [settings, replace(settings, share=75)]


def test_prefetched_settings_are_not_computed_again():
    settings = TriangleSettings(seed=771, trade=0.7)
    prefetch(settings, ("trade",)).result(timeout=60)
    misses = simulate.cache_info().misses
    for next_settings in likely_next(settings, ("trade",)):
        simulate(next_settings)
    assert simulate.cache_info().misses == misses


def test_a_newer_request_replaces_an_older_one():
    first = prefetch(TriangleSettings(seed=881), ())
    last = prefetch(TriangleSettings(seed=883), ())
    first.result(timeout=60), last.result(timeout=60)
    misses = simulate.cache_info().misses
    simulate(TriangleSettings(seed=884))
    assert simulate.cache_info().misses == misses
    simulate(TriangleSettings(seed=882))
    assert simulate.cache_info().misses == misses + 1
