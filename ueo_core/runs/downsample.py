"""Shorten long series for charts and keep their extremes."""

from collections.abc import Sequence

import numpy as np

POINTS = 1500  # longest series of a chart
TERMS = ("loss", "entropy", "marginal")


def decimated(series: Sequence[dict], keys: Sequence[str] = TERMS, points: int = POINTS) -> list:
    """At most `points` items of the series, in order; each bucket keeps the extremes of each key."""
    n = len(series)
    if n <= points:
        return list(series)
    buckets = max(1, (points - 2) // (2 * len(keys)))
    kept = {0, n - 1}
    values = np.array([[item[key] for key in keys] for item in series])  # (n, keys)
    for part in np.array_split(np.arange(n), buckets):
        own = values[part]
        kept.update(part[own.argmin(0)].tolist(), part[own.argmax(0)].tolist())
    return [series[i] for i in sorted(kept)]
