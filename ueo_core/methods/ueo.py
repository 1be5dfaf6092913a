"""Universal Entropy Optimization (UEO) and its two limits, InfoMax and EntMin.

Source: Liang et al., *Realistic Unsupervised CLIP Fine-tuning with Universal
Entropy Optimization*, ICML 2024 (arXiv 2308.12919).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Batch, Loss, Objective


class Terms(NamedTuple):
    """The two terms of the loss in nats, scalars (one per batch where there are several)."""

    entropy: Tensor  # Σ w̃_i H(p_i), minimized
    marginal: Tensor  # H(p̄), maximized


def entropy(logits: Tensor) -> Tensor:
    """H(softmax(logits)) of each row in nats. logits (B, C) → (B,)"""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def terms(logits: Tensor, weights: Tensor) -> Terms:
    """The two entropies of UEO.

    logits: (B, C), already times the logit scale; weights: (B,) > 0, the fixed
    confidences w_i, which carry no gradient. With w̃ = w/Σw and q = w⁻¹/Σw⁻¹:
    entropy = Σ w̃_i H(p_i), marginal = H(Σ q_i p_i). Always computed in float32: a
    float16 Σ w⁻¹ overflows for long class lists. Several batches at once, (M, B, C)
    and (M, B), give one value each, (M,).
    """
    log_p = logits.float().log_softmax(-1)  # (B, C)
    w = weights.detach().float()
    each = -(log_p.exp() * log_p).sum(-1)  # (B,)
    q = (1 / w) / (1 / w).sum(-1, keepdim=True)
    # In log space, because p̄_c underflows to 0 for confident batches, where log has no gradient.
    log_mean = (log_p + q.log()[..., None]).logsumexp(-2)  # (C,)
    share = w / w.sum(-1, keepdim=True)
    return Terms((share * each).sum(-1), -(log_mean.exp() * log_mean).sum(-1))


def ueo(logits: Tensor, weights: Tensor, trade: float = 1.0) -> Tensor:
    """UEO's loss Σ w̃_i H(p_i) − λ H(p̄), a scalar (the paper's Eq. for universal entropy).

    logits: (B, C), already scaled; weights: (B,) confidences; trade: λ. The loss is
    not additive over parts of a batch; at B = 1 with λ = 1 it is 0 and has no gradient.
    """
    both = terms(logits, weights)
    return both.entropy - trade * both.marginal


def infomax(logits: Tensor) -> Tensor:
    """Information maximization: UEO with equal weights. logits (B, C), scaled → scalar"""
    return ueo(logits, logits.new_ones(len(logits)))


def entmin(logits: Tensor) -> Tensor:
    """Entropy minimization: the mean entropy alone. logits (B, C), scaled → scalar"""
    return ueo(logits, logits.new_ones(len(logits)), trade=0.0)


def confidence_weights(
    cosines: Tensor, logit_scale: float, weight_temperature: str = "scaled"
) -> Tensor:
    """w_i = max_c softmax(z_i / T_w)_c of the zero-shot model.

    cosines: (N, C); `scaled` uses z = s · cos as the paper writes it, `released` the
    plain cosines as the released script does. → (N,) float32 in [1/C, 1]
    """
    scale = logit_scale if weight_temperature == "scaled" else 1.0
    return (cosines.float() * scale).softmax(1).amax(1)


def build(settings: Settings, start: Tensor | None = None) -> Objective:
    """Σ w̃ H(p) − λ H(p̄) with the weights and the λ of the settings' method."""
    method = METHODS[settings.method]
    trade = method.trade(settings.trade)

    def objective(batch: Batch) -> Loss:
        both = terms(batch.logits, method.weights(batch.confidence))
        return Loss(both.entropy - trade * both.marginal, *both)

    return objective


def with_entropies(total: Tensor, logits: Tensor) -> Loss:
    """The loss of another method with the two entropies, equally weighted and without gradient."""
    with torch.no_grad():
        return Loss(total, *terms(logits, logits.new_ones(len(logits))))
