"""Histograms and densities whose range comes from the data, so that a small range stays visible."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 30
DENSITY_POINTS = 96


@dataclass(frozen=True)
class Bars:
    """Counts by bin and group; `edges` has one value more than there are bins."""

    edges: NDArray[np.float64]
    counts: dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Densities:
    """Kernel density estimates by group on a common axis; each integrates to 1."""

    x: NDArray[np.float64]
    density: dict[str, NDArray[np.float64]]


def data_range(values: NDArray) -> tuple[float, float]:
    """Smallest and largest value; a constant gets a margin on both sides, no values give 0 to 1."""
    values = np.asarray(values, np.float64)
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(1.0, abs(low)):
        margin = max(abs(low) * 1e-3, 1e-6)
        return low - margin, high + margin
    return low, high


def digits(low: float, high: float) -> int:
    """Decimals that resolve a hundredth of the range, for axis labels and sliders."""
    return int(np.clip(np.ceil(2 - np.log10(max(high - low, 1e-12))), 0, 9))


def score_digits(low: float, high: float) -> int:
    """Decimals for the score of one image: three digits, more where those would not tell scores apart.

    low, high: the range of the scores. The decimals resolve at least a tenth of it.
    """
    largest = max(abs(low), abs(high), 1e-12)
    return int(np.clip(max(2 - np.floor(np.log10(largest)), digits(low, high) - 1), 0, 9))


def histogram(
    groups: dict[str, NDArray], bins: int = BINS, limits: tuple[float, float] | None = None
) -> Bars:
    """Counts of every group in common bins; by default the bins span exactly the data."""
    together = _together([np.asarray(g, np.float64) for g in groups.values()])
    edges = np.linspace(*(limits or data_range(together)), bins + 1)
    return Bars(edges, {k: np.histogram(v, edges)[0] for k, v in groups.items()})


def _together(groups: list[NDArray]) -> NDArray:
    return np.concatenate(groups) if groups else np.empty(0)


def counts_below(values: NDArray, limits: NDArray) -> list[int]:
    """The number of values below each of the limits."""
    return np.searchsorted(np.sort(values), limits, side="left").tolist()


def densities(groups: dict[str, NDArray], points: int = DENSITY_POINTS) -> Densities:
    """Gaussian kernel density estimates (Silverman's rule) of every group on one axis.

    The bandwidth is at least a hundredth of the common range, so that a group of equal values is a
    narrow peak and not a division by zero. Empty groups are left out.
    """
    kept = {k: np.asarray(v, np.float64) for k, v in groups.items() if len(v)}
    low, high = data_range(_together(list(kept.values())))
    width = {k: _bandwidth(v, (high - low) / 100) for k, v in kept.items()}
    margin = 2 * max(width.values(), default=0.0)
    x = np.linspace(low - margin, high + margin, points)
    density = {}
    for name, values in kept.items():
        z = (x[:, None] - values) / width[name]  # (points, N)
        density[name] = np.exp(-z * z / 2).mean(1) / (width[name] * np.sqrt(2 * np.pi))
    return Densities(x, density)


def _bandwidth(values: NDArray, least: float) -> float:
    spread = min(values.std(), np.subtract(*np.percentile(values, [75, 25])) / 1.34)
    spread = spread or values.std()
    return max(0.9 * spread * len(values) ** -0.2, least)
