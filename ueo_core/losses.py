"""From a method's name to its loss over a batch: what the loop minimises."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from ueo_core.methods import METHODS
from ueo_core.objectives import terms
from ueo_core.settings import Settings


class Batch(NamedTuple):
    """All that a method's loss may look at: no label, no name, nothing of the shift."""

    features: Tensor  # (B, D) unit image features, with gradient
    text: Tensor  # (C, D) unit text features, with gradient
    scale: float  # s in z = s · cos
    confidence: Tensor  # (B,) zero-shot confidences w_i, fixed
    index: Tensor  # (B,) places in the pool

    @property
    def logits(self) -> Tensor:
        """z = s · cos. → (B, C)"""
        return self.scale * self.features @ self.text.T


class Loss(NamedTuple):
    """What is minimised, and the two entropies that are watched whatever it is; in nats."""

    total: Tensor
    entropy: Tensor  # Σ w̃ H(p), by the method's own weights
    marginal: Tensor  # H(p̄)


Objective = Callable[[Batch], Loss]


def build(settings: Settings, start: Tensor | None = None) -> Objective:
    """The loss of the settings' method.

    start: (N, D) zero-shot features of the pool, for a method that keeps a memory of them.
    """
    return _two_terms(settings)


def _two_terms(settings: Settings) -> Objective:
    """UEO and its limits: Σ w̃ H(p) − λ H(p̄)."""
    method = METHODS[settings.method]
    trade = method.trade(settings.trade)

    def objective(batch: Batch) -> Loss:
        both = terms(batch.logits, method.weights(batch.confidence))
        return Loss(both.entropy - trade * both.marginal, *both)

    return objective
