"""StatA: TransCLIP's assignments with a Gaussian of its own for every class, held by the class's text.

Source: Zanella, Fuchs, De Vleeschouwer & Ben Ayed, *Realistic Test-Time Adaptation of Vision-Language
Models*, CVPR 2025. The constants are those of its code, α = 1 among them, and so is the likelihood,
which has no determinant. A class's mean and variance are mixed with those of its text by
β = n / (n + α), where n counts the images that are assigned to it: a class without images stays where
its text is. Two differences: the whole pool is one batch, and images outside it are assigned with the
fitted Gaussians and their neighbors in the pool, as for TransCLIP.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Predicted
from ueo_core.methods.transclip import (
    NEIGHBORS,
    ROUNDS,
    Transduction,
    assigned,
    log_likelihood,
    nearest,
)
from ueo_core.models.adapted_clip import AdaptedCLIP

ANCHOR = 1.0  # α: how many images of a class weigh as much as its text


def squared_distances(features: Tensor, assignments: Tensor, means: Tensor) -> Tensor:
    """Σ_i z_ik (f_i − μ_k)² by class and dimension. (N, D), (N, C), (C, D) → (C, D)

    Expanded, so that no (N, C, D) tensor is needed, and in float64 for that.
    """
    f, z, m = features.double(), assignments.double(), means.double()
    squares = z.T @ f.square() - 2 * m * (z.T @ f) + z.sum(0)[:, None] * m.square()
    return squares.clamp(min=0).float()


def stata(features: Tensor, text: Tensor, logit_scale: float) -> Transduction:
    """Fit means, variances and assignments to a pool. features (N, D), text (C, D), both unit."""
    features, text = features.float(), text.float()
    logits = logit_scale * features @ text.T
    assignments = logits.softmax(1)
    neighbors = nearest(features, features, NEIGHBORS, exclude_self=True)
    # Of all classes together around their texts; the start, and what holds each of them.
    anchor = squared_distances(features, assignments, text).sum(0) / len(features)
    anchor = anchor.clamp(min=1e-8)
    means, variance = text, anchor.expand_as(text)
    for round_ in range(ROUNDS + 1):
        likelihood = log_likelihood(features, means, variance)
        assignments = assigned(assignments, neighbors, likelihood, logits)
        if round_ < ROUNDS:
            counts = assignments.argmax(1).bincount(minlength=len(text))
            beta = (counts / (counts + ANCHOR))[:, None]
            own = F.normalize(assignments.T @ features, dim=1)
            means = F.normalize(beta * own + (1 - beta) * text, dim=1)
            size = assignments.sum(0).clamp(min=1e-12)[:, None]
            own = squared_distances(features, assignments, means) / size
            variance = beta * own + (1 - beta) * (anchor + (text - means).square())
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
    fitted = stata(pool, model.encode_text().to(pool.device), model.logit_scale)
    return fitted.predicted(test, model.cosines(test), model.logit_scale)
