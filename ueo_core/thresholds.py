"""Where to draw the line between known and unknown without a label: a declared guess."""

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture


def mixture_threshold(score: NDArray) -> float:
    """Threshold between the two components of a Gaussian mixture fitted to the scores.

    score: (N,) with higher = more ID. The point between the two means where both
    components are equally likely. Where the scores do not part into two (too few
    values, or all alike) nothing is called unknown: the smallest score is returned.
    """
    values = np.asarray(score, np.float64)
    if len(values) < 4 or np.ptp(values) < 1e-12:
        return float(values.min()) if len(values) else 0.0
    # Scores may span a millionth (unscaled softmax): standardise, so that the fit sees them.
    mean, spread = values.mean(), values.std()
    x = ((values - mean) / spread)[:, None]
    mixture = GaussianMixture(2, n_init=3, random_state=0).fit(x)
    low, high = np.sort(mixture.means_.ravel())
    grid = np.linspace(low, high, 2001)[:, None]
    upper = mixture.predict_proba(grid)[:, int(mixture.means_.argmax())]
    crossing = grid[int(np.abs(upper - 0.5).argmin()), 0]
    return float(crossing * spread + mean)
