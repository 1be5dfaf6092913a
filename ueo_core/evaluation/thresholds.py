"""Where to draw the line between known and unknown without a label: a declared guess."""

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture


def _two(score: NDArray) -> tuple[GaussianMixture, float, float] | None:
    """A mixture of two Gaussians, fitted to standardised scores. → mixture, mean, spread

    None where the scores do not part into two: too few values, or all alike.
    """
    values = np.asarray(score, np.float64)
    if len(values) < 4 or np.ptp(values) < 1e-12:
        return None
    # Scores may span a millionth (unscaled softmax): standardise, so that the fit sees them.
    mean, spread = float(values.mean()), float(values.std())
    x = ((values - mean) / spread)[:, None]
    return GaussianMixture(2, n_init=3, random_state=0).fit(x), mean, spread


def mixture_threshold(score: NDArray) -> float:
    """Threshold between the two components of a Gaussian mixture fitted to the scores.

    score: (N,) with higher = more ID. The point between the two means where both
    components are equally likely. Where the scores do not part into two, nothing is called
    unknown: the smallest score is returned.
    """
    found = _two(score)
    if found is None:
        return float(np.min(score)) if len(score) else 0.0
    mixture, mean, spread = found
    low, high = np.sort(mixture.means_.ravel())
    grid = np.linspace(low, high, 2001)[:, None]
    upper = mixture.predict_proba(grid)[:, int(mixture.means_.argmax())]
    crossing = grid[int(np.abs(upper - 0.5).argmin()), 0]
    return float(crossing * spread + mean)


def parted(score: NDArray) -> float:
    """How far apart the two components lie, in their widths: Ashman's D, 0 where there are no two.

    score: (N,). D = |μ₁ − μ₂| / √((σ₁² + σ₂²)/2); two clear groups have more than 2 (Ashman, Bird &
    Zepf, *Detecting Bimodality in Astronomical Datasets*, 1994).
    """
    found = _two(score)
    if found is None:
        return 0.0
    mixture, _, _ = found
    return float(np.ptp(mixture.means_) / np.sqrt(mixture.covariances_.mean()))
