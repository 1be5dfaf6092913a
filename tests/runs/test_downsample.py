"""Long series, shortened for a chart."""

import numpy as np

from ueo_core.runs.downsample import POINTS, TERMS, decimated


def test_decimation_keeps_ends_extremes_and_order():
    g = np.random.default_rng(0)
    series = [
        {"step": i, "loss": v, "entropy": -v, "marginal": v * v}
        for i, v in enumerate(g.normal(0, 1, 20_000))
    ]
    kept = decimated(series)
    assert len(kept) <= POINTS
    assert kept[0] is series[0] and kept[-1] is series[-1]
    assert [p["step"] for p in kept] == sorted(p["step"] for p in kept)
    for key in TERMS:
        for pick in (min, max):
            assert pick(p[key] for p in kept) == pick(p[key] for p in series)
    assert decimated(series[:1500]) == series[:1500]
