"""Transduction in closed form on cached features: a Gaussian a class, and neighbours that agree.

Source: Zanella, Gérin & Ben Ayed, *Boosting Vision-Language Models with Transduction*, NeurIPS
2024 (TransCLIP, zero-shot). Its constants are its code's: 3 neighbours, 8 images to begin a mean,
10 rounds of 5 inner ones, log-likelihoods divided by 50, λ = 1. Two differences: its code counts
the classes in the labels, this one takes those that were named; and images that come later, which
it has no answer for, are read with the fitted Gaussians and their neighbours in the pool.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

NEIGHBOURS, FIRST_MEAN = 3, 8
ROUNDS, INNER_ROUNDS = 10, 5
SOFTENED = 50.0  # the log-likelihood of a Gaussian in hundreds of dimensions is far too sure
BLOCK = 2048  # rows of an (N, N) matrix that are in memory at once


@dataclass(frozen=True)
class Fitted:
    """What transduction has made of a pool."""

    means: Tensor  # (C, D) unit
    variance: Tensor  # (D,) shared by the classes
    features: Tensor  # (N, D) of the pool
    shares: Tensor  # (N, C), rows sum to 1: the pool's assignments

    def log_shares(self, features: Tensor, cosines: Tensor, logit_scale: float) -> Tensor:
        """Assignments of other images, in logs. features (M, D), cosines (M, C) → (M, C)"""
        index, value = nearest(features, self.features, NEIGHBOURS, itself=False)
        agreeing = (value[:, :, None] * self.shares[index]).sum(1) / index.shape[1]
        return _combined(features, self.means, self.variance, agreeing, logit_scale * cosines)


def log_likelihood(features: Tensor, means: Tensor, variance: Tensor) -> Tensor:
    """−½ Σ_d (f − μ)² / σ², without its constant. (N, D), (C, D), (D,) → (N, C)"""
    scaled, centres = features / variance.sqrt(), means / variance.sqrt()
    return -0.5 * torch.cdist(scaled, centres, compute_mode="donot_use_mm_for_euclid_dist").square()


def nearest(features: Tensor, others: Tensor, k: int, itself: bool) -> tuple[Tensor, Tensor]:
    """Indices and cosines of the k nearest others; with `itself`, an image is not its own.

    (N, D), (M, D) → (N, k), (N, k); fewer where there are fewer.
    """
    k = min(k, len(others) - itself)
    indices, values = [], []
    for first in range(0, len(features), BLOCK):
        cosines = features[first : first + BLOCK] @ others.T
        if itself:
            rows = torch.arange(len(cosines))
            cosines[rows, rows + first] = -torch.inf
        value, index = cosines.topk(k, dim=1)
        indices.append(index)
        values.append(value)
    return torch.cat(indices), torch.cat(values)


def _agreeing(shares: Tensor, index: Tensor, value: Tensor) -> Tensor:
    """(W + Wᵀ) z / 2k: what an image's neighbours say, and those whose neighbour it is. → (N, C)"""
    k = max(index.shape[1], 1)
    own = (value[:, :, None] * shares[index]).sum(1)  # (N, C)
    told = (value[:, :, None] * shares[:, None]).flatten(0, 1)  # (N·k, C)
    return own.index_add(0, index.ravel(), told) / (2 * k)


def _combined(features, means, variance, agreeing, logits) -> Tensor:
    """log of ŷ · exp(log-likelihood / 50 + agreement), rows normalised. → (N, C)"""
    both = log_likelihood(features, means, variance) / SOFTENED + agreeing
    return (logits.log_softmax(1) + both).log_softmax(1)


def transclip(features: Tensor, cosines: Tensor, logit_scale: float) -> Fitted:
    """Fit means, variance and assignments to a pool, from its zero-shot predictions.

    features: (N, D) unit; cosines: (N, C). No class share is estimated and none is assumed, so
    a class that is not in the pool keeps a mean near its likest images and may stay empty.
    """
    features, logits = features.float(), logit_scale * cosines.float()
    n, d = features.shape
    shares = logits.softmax(1)
    index, value = nearest(features, features, NEIGHBOURS, itself=True)
    surest = shares.topk(min(FIRST_MEAN, n), dim=0)  # (8, C): of each class, not of each image
    means = F.normalize(torch.einsum("kc,kcd->cd", surest.values, features[surest.indices]), dim=1)
    variance = torch.full((d,), 1 / d)
    for round_ in range(ROUNDS + 1):
        for _ in range(INNER_ROUNDS):
            shares = _combined(
                features, means, variance, _agreeing(shares, index, value), logits
            ).exp()
        if round_ < ROUNDS:
            means = F.normalize(shares.T @ features, dim=1)
            # Σ_ik z_ik (f_i − μ_k)² / N, expanded so that no (N, C, D) is ever held.
            weight = shares.sum(0)
            squares = features.square().sum(0) - 2 * (means * (shares.T @ features)).sum(0)
            variance = ((squares + weight @ means.square()) / n).clamp(min=1e-8)
    return Fitted(means, variance, features, shares)
