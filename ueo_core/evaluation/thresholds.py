"""Unsupervised threshold between known and unknown images (heuristic)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # scikit-learn takes a second to import
    from sklearn.mixture import GaussianMixture


def _fit(score: NDArray) -> tuple["GaussianMixture", float, float] | None:
    """A mixture of two Gaussians, fitted to standardized scores. → mixture, mean, deviation

    None where two components cannot be fitted: too few values, or all equal.
    """
    from sklearn.mixture import GaussianMixture

    values = np.asarray(score, np.float64)
    if len(values) < 4 or np.ptp(values) < 1e-12:
        return None
    # Scores may differ by a millionth (unscaled softmax); without standardizing, the fit fails.
    mean, deviation = float(values.mean()), float(values.std())
    x = ((values - mean) / deviation)[:, None]
    return GaussianMixture(2, n_init=3, random_state=0).fit(x), mean, deviation


def mixture_threshold(score: NDArray) -> float:
    """Threshold between the two components of a Gaussian mixture fitted to the scores.

    score: (N,), higher = more ID. The point between the two means where both components are
    equally likely. Where two components cannot be fitted, no image is unknown: the smallest
    score is returned.
    """
    found = _fit(score)
    if found is None:
        return float(np.min(score)) if len(score) else 0.0
    mixture, mean, deviation = found
    low, high = np.sort(mixture.means_.ravel())
    grid = np.linspace(low, high, 2001)[:, None]
    upper = mixture.predict_proba(grid)[:, int(mixture.means_.argmax())]
    crossing = grid[int(np.abs(upper - 0.5).argmin()), 0]
    return float(crossing * deviation + mean)


def ashman_d(score: NDArray) -> float:
    """Distance of the two components of a mixture in their widths; 0 where there are no two.

    score: (N,). D = |μ₁ − μ₂| / √((σ₁² + σ₂²)/2); two clear groups have more than 2 (Ashman, Bird &
    Zepf, *Detecting Bimodality in Astronomical Datasets*, 1994).
    """
    found = _fit(score)
    if found is None:
        return 0.0
    mixture, _, _ = found
    return float(np.ptp(mixture.means_) / np.sqrt(mixture.covariances_.mean()))


def least_variance_threshold(score: NDArray) -> float:
    """The threshold that leaves the least variance within the two groups of scores that it makes.

    score: (N,), N ≥ 1, higher = more ID → the lowest score of the upper group; the lowest of all, so
    that there is one group, where all are equal. Source: Otsu, *A Threshold Selection Method from
    Gray-Level Histograms*, 1979, over all values in place of a histogram's.
    """
    ordered = np.sort(np.asarray(score, np.float64))
    values = ordered - ordered[0]  # sums of scores that nearly equal each other keep their digits
    below = np.arange(1, len(values))  # sizes of the lower group
    sums = values.cumsum()[:-1]
    above = len(values) - below
    distance = (values.sum() - sums) / above - sums / below
    # The least variance within the groups is the largest between them.
    between = np.where(np.diff(values) > 0, below * above * distance**2, 0.0)
    return float(ordered[int(between.argmax()) + 1 if between.any() else 0])
