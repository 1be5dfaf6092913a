"""TransCLIP: transduction on cached features with one Gaussian per class and neighbor agreement.

Source: Zanella, Gérin & Ben Ayed, *Boosting Vision-Language Models with Transduction*, NeurIPS
2024 (TransCLIP, zero-shot). The constants are those of its code: 3 neighbors, 8 images for the
first mean of a class, 10 rounds of 5 inner rounds, log-likelihoods divided by 50, λ = 1. Two
differences: its code takes the number of classes from the labels, this one from the class names;
and images outside the pool, which it does not handle, are assigned with the fitted Gaussians and
their neighbors in the pool.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Predicted
from ueo_core.models.adapted_clip import AdaptedCLIP

NEIGHBORS, FIRST_MEAN = 3, 8
ROUNDS, INNER_ROUNDS = 10, 5
# Divides the log-likelihood, because a Gaussian in hundreds of dimensions is far too confident.
SOFTENING = 50.0
BLOCK = 2048  # rows of an (N, N) matrix that are in memory at once


@dataclass(frozen=True)
class Transduction:
    """Gaussians and assignments fitted to a pool."""

    means: Tensor  # (C, D) unit
    variance: Tensor  # (D,) shared by the classes, or (C, D) one of each
    features: Tensor  # (N, D) of the pool
    assignments: Tensor  # (N, C) of the pool, rows sum to 1

    def log_assignments(self, features: Tensor, cosines: Tensor, logit_scale: float) -> Tensor:
        """Log-assignments of other images. features (M, D), cosines (M, C) → (M, C)"""
        index, value = nearest(features, self.features, NEIGHBORS)
        agreement = (value[:, :, None] * self.assignments[index]).sum(1) / index.shape[1]
        likelihood = log_likelihood(features, self.means, self.variance)
        return combined(likelihood, agreement, logit_scale * cosines)

    def predicted(
        self, test: Tensor, cosines: Tensor, logit_scale: float
    ) -> tuple[Predicted, Predicted]:
        """Pool and test as a `FeatureMethod` returns them: log-assignments over the logit scale.

        test (M, D) features and cosines (M, C), zero-shot.
        """
        pool = self.assignments.clamp(min=1e-30).log()
        later = self.log_assignments(test, cosines, logit_scale)
        return Predicted(pool / logit_scale), Predicted(later / logit_scale)


def log_likelihood(features: Tensor, means: Tensor, variance: Tensor) -> Tensor:
    """−½ Σ_d (f − μ)² / σ², without its constant. (N, D), (C, D), (D,) or (C, D) → (N, C)"""
    if variance.ndim == 2:  # expanded, so that no (N, C, D) tensor is needed; in float64 for that
        f, m, v = features.double(), means.double(), variance.double()
        squares = f.square() @ (1 / v).T - 2 * f @ (m / v).T + (m.square() / v).sum(1)
        return (-0.5 * squares).float()
    scaled, centers = features / variance.sqrt(), means / variance.sqrt()
    return -0.5 * torch.cdist(scaled, centers, compute_mode="donot_use_mm_for_euclid_dist").square()


def nearest(
    features: Tensor, others: Tensor, k: int, exclude_self: bool = False
) -> tuple[Tensor, Tensor]:
    """Indices and cosines of the k nearest others; fewer where there are fewer.

    exclude_self: `others` are the same images, and none is its own neighbor.
    (N, D), (M, D) → (N, k), (N, k)
    """
    k = min(k, len(others) - exclude_self)
    indices, values = [], []
    for first in range(0, len(features), BLOCK):
        cosines = features[first : first + BLOCK] @ others.T
        if exclude_self:
            rows = torch.arange(len(cosines))
            cosines[rows, rows + first] = -torch.inf
        value, index = cosines.topk(k, dim=1)
        indices.append(index)
        values.append(value)
    return torch.cat(indices), torch.cat(values)


def neighbors_agreement(assignments: Tensor, index: Tensor, value: Tensor) -> Tensor:
    """(W + Wᵀ) z / 2k: assignments of an image's neighbors, and of those it is a neighbor of.

    assignments z (N, C); index, value (N, k): neighbors and cosines, the rows of W. → (N, C)
    """
    k = max(index.shape[1], 1)
    of_neighbors = (value[:, :, None] * assignments[index]).sum(1)  # (N, C)
    to_neighbors = (value[:, :, None] * assignments[:, None]).flatten(0, 1)  # (N·k, C)
    return of_neighbors.index_add(0, index.ravel(), to_neighbors) / (2 * k)


def combined(likelihood: Tensor, agreement: Tensor, logits: Tensor) -> Tensor:
    """log of ŷ · exp(log-likelihood / 50 + agreement), rows normalized. All (N, C) → (N, C)"""
    return (logits.log_softmax(1) + likelihood / SOFTENING + agreement).log_softmax(1)


def assigned(
    assignments: Tensor, neighbors: tuple[Tensor, Tensor], likelihood: Tensor, logits: Tensor
) -> Tensor:
    """Assignments after the inner rounds, in which neighbors agree. All (N, C) → (N, C)

    neighbors: indices and cosines from `nearest`.
    """
    for _ in range(INNER_ROUNDS):
        agreement = neighbors_agreement(assignments, *neighbors)
        assignments = combined(likelihood, agreement, logits).exp()
    return assignments


def transclip(features: Tensor, cosines: Tensor, logit_scale: float) -> Transduction:
    """Fit means, variance and assignments to a pool, from its zero-shot predictions.

    features: (N, D) unit; cosines: (N, C). No class proportions are estimated or assumed, so a
    class that is not in the pool keeps a mean near its most likely images and may stay empty.
    """
    features, logits = features.float(), logit_scale * cosines.float()
    n, d = features.shape
    assignments = logits.softmax(1)
    neighbors = nearest(features, features, NEIGHBORS, exclude_self=True)
    # (8, C) most confident images of each class
    first = assignments.topk(min(FIRST_MEAN, n), dim=0)
    means = F.normalize(torch.einsum("kc,kcd->cd", first.values, features[first.indices]), dim=1)
    variance = torch.full((d,), 1 / d)
    for round_ in range(ROUNDS + 1):
        likelihood = log_likelihood(features, means, variance)
        assignments = assigned(assignments, neighbors, likelihood, logits)
        if round_ < ROUNDS:
            means = F.normalize(assignments.T @ features, dim=1)
            # Σ_ik z_ik (f_i − μ_k)² / N, expanded so that no (N, C, D) tensor is needed.
            weight = assignments.sum(0)
            squares = features.square().sum(0) - 2 * (means * (assignments.T @ features)).sum(0)
            variance = ((squares + weight @ means.square()) / n).clamp(min=1e-8)
    return Transduction(means, variance, features, assignments)


@torch.no_grad()
def adapt_features(
    model: AdaptedCLIP,
    pool: Tensor,
    test: Tensor,
    settings: Settings,
    check: Callable[[], None],
) -> tuple[Predicted, Predicted]:
    """Log-assignments over the logit scale; see `build_loss.FeatureMethod`."""
    fitted = transclip(pool, model.cosines(pool), model.logit_scale)
    return fitted.predicted(test, model.cosines(test), model.logit_scale)
