"""What the viewer will ask for next, computed while they look at what they have."""

import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from ueo_core.learn.knobs import Knobs
from ueo_core.learn.simplex import simulate

PAUSE = 0.15  # seconds; what has been asked for is on its way to the screen first
_pool = ThreadPoolExecutor(1, thread_name_prefix="learn-ahead")
_newest: object = None  # whoever began later makes the earlier wishes void


def likely(knobs: Knobs, turned: Collection[str]) -> list[Knobs]:
    """The next batch, and a step up and down of the knobs that were turned last."""
    found = [knobs.with_seed(knobs.seed + 1)]
    for name, (_, _, step) in Knobs.RANGES.items():
        if name in turned:
            value = getattr(knobs, name)
            found += [replace(knobs, **{name: round(value + by, 6)}) for by in (step, -step)]
    return [k.within() for k in found]


def get_ready(knobs: Knobs, turned: Collection[str]) -> Future:
    """Simulate what is likely to follow, in the background, unless there is another request meanwhile."""
    global _newest
    mine = _newest = object()

    def work() -> None:
        if mine is not _newest:  # a slider under way leaves many behind
            return
        time.sleep(PAUSE)
        for following in likely(knobs, turned):
            if mine is not _newest:
                return
            simulate(following)

    return _pool.submit(work)
