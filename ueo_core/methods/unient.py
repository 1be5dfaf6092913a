"""UniEnt: sharp predictions for images that look known, uniform ones for the others.

Source: Gao, Zhang & Liu, *Unified Entropy Optimization for Open-Set Test-Time Adaptation*, CVPR
2024.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from torch import Tensor

from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Batch, Loss, Objective
from ueo_core.methods.ueo import entropy, infomax, with_entropies


def two_gaussians(score: NDArray) -> NDArray[np.bool_]:
    """Which images of a batch belong to the Gaussian of higher scores. score (B,) → (B,) bool

    All of them where two groups cannot be fitted: fewer than three images, or equal scores.
    """
    x = np.asarray(score, np.float64)
    if len(x) < 3 or np.ptp(x) < 1e-9:
        return np.ones(len(x), bool)
    x = ((x - x.min()) / np.ptp(x))[:, None]
    # A fixed seed, so that a step is a function of its batch alone.
    mixture = GaussianMixture(2, random_state=0).fit(x)
    return mixture.predict(x) == int(mixture.means_.ravel().argmax())


def unient(logits: Tensor, known: Tensor, marginal: float = 0.5, unknown: float = 0.5) -> Tensor:
    """mean H(p | known) − ½ mean H(p | unknown) − ½ H(p̄). → scalar

    logits (B, C), scaled; known (B,) bool, from `two_gaussians` of each image's largest cosine.
    p̄ is the mean over the whole batch. The authors try 1, 0.5, 0.2 and 0.1 for both factors;
    0.5 is the default of their code.
    """
    h = entropy(logits)
    # infomax = mean H − H(p̄), so this is H(p̄) without a second formula for it.
    spread = h.mean() - infomax(logits)
    of_known = h[known].mean() if known.any() else h.sum() * 0
    of_unknown = h[~known].mean() if (~known).any() else h.sum() * 0
    return of_known - unknown * of_unknown - marginal * spread


def build(settings: Settings, start: Tensor) -> Objective:
    """An image is known when its zero-shot feature is near one of the current class prompts."""

    def objective(batch: Batch) -> Loss:
        nearest = (start[batch.index] @ batch.text.detach().T).amax(1)
        known = torch.from_numpy(two_gaussians(nearest.cpu().numpy())).to(nearest.device)
        logits = batch.logits
        return with_entropies(unient(logits, known), logits)

    return objective
