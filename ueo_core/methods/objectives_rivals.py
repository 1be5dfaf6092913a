"""The losses of UEO's rivals, as pure functions; each names its paper and its defaults.

Where a paper trains on labelled source data as well, that term has nothing to stand on here
and is left out. All logits are scaled, z = s · cos, and all losses are scalars.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from torch import Tensor

from ueo_core.methods.ueo import entropy, infomax


def transport(cosines: Tensor, logit_scale: float) -> Tensor:
    """Cost of moving images to class prompts and prompts to images, POUF's first term.

    cosines: (B, C). The plans are softmaxes of the logits, over classes for an image and over
    the batch's images for a class; the cost is 1 − cos. Both directions are averaged and added.
    """
    logits, cost = logit_scale * cosines, 1 - cosines
    to_class = (cost * logits.softmax(1)).sum(1).mean()
    to_image = (cost * logits.softmax(0)).sum(0).mean()
    return to_class + to_image


def pouf(cosines: Tensor, logit_scale: float, information: float = 0.3) -> Tensor:
    """transport + 0.3 · InfoMax (Tanwisuth et al., ICML 2023; the weights are their code's).

    UEO's released script holds this transport cost in its own loop, so it is compared here with
    UEO's optimiser and rate, not with POUF's.
    """
    return transport(cosines, logit_scale) + information * infomax(logit_scale * cosines)


def neighbourhood(
    features: Tensor, logits: Tensor, memory: Tensor, index: Tensor, temperature: float = 0.05
) -> Tensor:
    """DANCE's neighbourhood clustering: the mean entropy of each image's likeness to all others.

    features (B, D) unit; logits (B, C); memory (N, D) unit features of the pool; index (B,)
    places of the batch in it. The batch's own places in the memory, and each image itself, are
    put out of the running by a likeness of −1. Prompts are among the neighbours, at CLIP's own
    scale, which takes the place of the classifier's 1/0.05.
    """
    to_memory = features @ memory.T / temperature  # (B, N)
    to_memory = to_memory.index_fill(1, index, -1 / temperature)
    to_batch = features @ features.T / temperature  # (B, B)
    own = torch.eye(len(features), dtype=torch.bool, device=features.device)
    to_batch = to_batch.masked_fill(own, -1 / temperature)
    return entropy(torch.cat([logits, to_memory, to_batch], 1)).mean()


def separation(logits: Tensor, margin: float = 0.5) -> Tensor:
    """DANCE's entropy separation: −mean max(|H(p) − ρ|, margin) with ρ = log(C) / 2, in nats.

    Entropies already further than the margin from ρ are pushed on, the unclear ones are left.
    """
    middle = np.log(logits.shape[1]) / 2
    return -(entropy(logits) - middle).abs().clamp(min=margin).mean()


def dance(features: Tensor, logits: Tensor, memory: Tensor, index: Tensor) -> Tensor:
    """neighbourhood + separation (Saito et al., NeurIPS 2020), temperature 0.05, margin 0.5.

    The paper's common factor of 0.05 sets them against a supervised loss; without one it would
    only shrink the learning rate, and is left out. How UEO's authors carried DANCE over to CLIP
    could not be verified.
    """
    return neighbourhood(features, logits, memory, index) + separation(logits)


def two_gaussians(score: NDArray) -> NDArray[np.bool_]:
    """Which of a batch's images belong to the Gaussian of higher scores. score (B,) → (B,) bool

    All do where the scores do not part: fewer than three images, or all alike.
    """
    x = np.asarray(score, np.float64)
    if len(x) < 3 or np.ptp(x) < 1e-9:
        return np.ones(len(x), bool)
    x = ((x - x.min()) / np.ptp(x))[:, None]
    # A fixed start, so that a step is a function of its batch alone.
    mixture = GaussianMixture(2, random_state=0).fit(x)
    return mixture.predict(x) == int(mixture.means_.ravel().argmax())


def unient(logits: Tensor, known: Tensor, marginal: float = 0.5, strange: float = 0.5) -> Tensor:
    """mean H(p | known) − ½ mean H(p | strange) − ½ H(p̄) (UniEnt; Gao et al., CVPR 2024).

    logits (B, C); known (B,) bool, from `two_gaussians` of each image's largest cosine. p̄ is
    the mean over the whole batch. The authors try 1, 0.5, 0.2 and 0.1 for both factors; 0.5
    is their code's own default.
    """
    h = entropy(logits)
    # infomax = mean H − H(p̄), so this is H(p̄) without a second formula for it.
    spread = h.mean() - infomax(logits)
    sharp = h[known].mean() if known.any() else h.sum() * 0
    blurred = h[~known].mean() if (~known).any() else h.sum() * 0
    return sharp - strange * blurred - marginal * spread
