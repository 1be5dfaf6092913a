"""Long series made short without losing what a reader looks for."""

from collections.abc import Sequence

import numpy as np

POINTS = 1500  # a chart's series are never longer
TERMS = ("loss", "entropy", "marginal")


def decimated(series: Sequence[dict], keys: Sequence[str] = TERMS, points: int = POINTS) -> list:
    """At most `points` of the series' items, in order; every bucket keeps each key's extremes."""
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
