"""95 % intervals of shares and of paired differences, from small weighted samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, norm

Z95 = float(norm.ppf(0.975))  # half the width of a 95 % interval in standard deviations


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def effective(weight: NDArray) -> float:
    """Effective sample size (Kish, 1965): (Σw)² / Σw²."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def share_bounds(p: ArrayLike, n: ArrayLike) -> tuple[NDArray, NDArray]:
    """Exact bounds of a share (Clopper and Pearson, 1934). p: 0 to 1; n: (effective) sample size"""
    p, n = np.asarray(p, np.float64), np.asarray(n, np.float64)
    hits, misses = p * n, (1 - p) * n
    none, all_ = hits < 1e-9, misses < 1e-9
    low = beta.ppf(0.025, np.where(none, 1, hits), misses + 1)
    high = beta.ppf(0.975, hits + 1, np.where(all_, 1, misses))
    return np.where(none, 0.0, low), np.where(all_, 1.0, high)


def share(weight: NDArray, flag: NDArray) -> Interval:
    """The weighted share of images with a flag, in percent. weight, flag (or 0 to 1): (n,)"""
    p = float(np.average(flag, weights=weight))
    low, high = share_bounds(p, effective(weight))
    return Interval(100 * p, 100 * float(low), 100 * float(high))


def paired(weight: NDArray, before: NDArray, after: NDArray) -> Interval:
    """Difference of two shares of the same images (Bonett and Price, 2012: adds one to each cell)."""
    n = effective(weight)
    up = float(np.average(after & ~before, weights=weight))
    down = float(np.average(before & ~after, weights=weight))
    a, b = (up * n + 1) / (n + 2), (down * n + 1) / (n + 2)
    half = Z95 * np.sqrt(max(a + b - (a - b) ** 2, 0) / (n + 2))
    low, high = max(-1.0, a - b - half), min(1.0, a - b + half)
    return Interval(100 * (up - down), 100 * float(low), 100 * float(high))
