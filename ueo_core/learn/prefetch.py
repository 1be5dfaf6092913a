"""Computes the trajectories that the viewer will probably request next, in the background."""

import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from ueo_core.learn.simplex import simulate
from ueo_core.learn.triangle_settings import TriangleSettings

PAUSE = 0.15  # seconds; first the requested trajectory must reach the screen
_pool = ThreadPoolExecutor(1, thread_name_prefix="learn-prefetch")
_newest: object = None  # the latest request; earlier ones are dropped


def likely_next(settings: TriangleSettings, changed: Collection[str]) -> list[TriangleSettings]:
    """The next batch, and one step up and down of each setting that was changed last."""
    found = [settings.with_seed(settings.seed + 1)]
    for name, (_, _, step) in TriangleSettings.RANGES.items():
        if name in changed:
            value = getattr(settings, name)
            found += [replace(settings, **{name: round(value + by, 6)}) for by in (step, -step)]
    return [k.within() for k in found]


def prefetch(settings: TriangleSettings, changed: Collection[str]) -> Future:
    """Simulate the likely next settings in the background, unless a newer request arrives."""
    global _newest
    request = _newest = object()

    def work() -> None:
        if request is not _newest:  # a moving slider sends many requests
            return
        time.sleep(PAUSE)
        for next_settings in likely_next(settings, changed):
            if request is not _newest:
                return
            simulate(next_settings)

    return _pool.submit(work)
