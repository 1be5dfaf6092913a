"""From a method's name to its loss over a batch: what the loop minimises."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.methods import objectives_rivals as baselines
from ueo_core.methods.ueo import terms
from ueo_core.utils.errors import UserError


class Batch(NamedTuple):
    """All that a method's loss may look at: no label, no name, nothing of the shift."""

    features: Tensor  # (B, D) unit image features, with gradient
    text: Tensor  # (C, D) unit text features, with gradient
    scale: float  # s in z = s · cos
    confidence: Tensor  # (B,) zero-shot confidences w_i, fixed
    index: Tensor  # (B,) places in the pool

    @property
    def cosines(self) -> Tensor:
        """Images against prompts. → (B, C)"""
        return self.features @ self.text.T


class Loss(NamedTuple):
    """What is minimised, and the two entropies that are watched whatever it is; in nats."""

    total: Tensor
    entropy: Tensor  # Σ w̃ H(p), by the method's own weights
    marginal: Tensor  # H(p̄)


Objective = Callable[[Batch], Loss]


def build(settings: Settings, start: Tensor | None = None) -> Objective:
    """The loss of the settings' method.

    start: (N, D) zero-shot features of the pool, for a method that keeps a memory of them or
    compares with them.
    """
    method = METHODS[settings.method]
    if method.on_features:
        raise UserError(
            f"Method {method.title}: it works on cached features and has no loss for the loop; "
            "run it with the command protocol."
        )
    if not method.loss:
        return _two_terms(settings)
    if method.needs_start and start is None:
        raise ValueError(f"{method.title} needs the pool's zero-shot features")
    return {"pouf": _pouf, "dance": _dance, "unient": _unient}[settings.method](start)


def _two_terms(settings: Settings) -> Objective:
    """UEO and its limits: Σ w̃ H(p) − λ H(p̄)."""
    method = METHODS[settings.method]
    trade = method.trade(settings.trade)

    def objective(batch: Batch) -> Loss:
        both = terms(batch.scale * batch.cosines, method.weights(batch.confidence))
        return Loss(both.entropy - trade * both.marginal, *both)

    return objective


def _watched(total: Tensor, logits: Tensor) -> Loss:
    """A rival's loss with the entropies beside it, which carry no gradient."""
    with torch.no_grad():
        return Loss(total, *terms(logits, logits.new_ones(len(logits))))


def _pouf(start: Tensor | None) -> Objective:
    def objective(batch: Batch) -> Loss:
        cosines = batch.cosines
        return _watched(baselines.pouf(cosines, batch.scale), batch.scale * cosines)

    return objective


def _unient(start: Tensor) -> Objective:
    """Known are those whose zero-shot feature lies near one of the prompts as they are now."""

    def objective(batch: Batch) -> Loss:
        nearest = (start[batch.index] @ batch.text.detach().T).amax(1)
        known = torch.from_numpy(baselines.two_gaussians(nearest.cpu().numpy())).to(nearest.device)
        logits = batch.scale * batch.cosines
        return _watched(baselines.unient(logits, known), logits)

    return objective


def _dance(start: Tensor) -> Objective:
    """The memory begins with the zero-shot features; a batch's features replace its own."""
    memory = F.normalize(start.clone(), dim=-1)

    def objective(batch: Batch) -> Loss:
        logits = batch.scale * batch.cosines
        # A copy, because the backward pass still needs what the memory was.
        loss = baselines.dance(batch.features, logits, memory.clone(), batch.index)
        memory[batch.index] = batch.features.detach()
        return _watched(loss, logits)

    return objective
