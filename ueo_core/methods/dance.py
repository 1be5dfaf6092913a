"""DANCE: neighborhood clustering and entropy separation on target images.

Source: Saito et al., *Universal Domain Adaptation through Self Supervision*, NeurIPS 2020. Its
supervised loss on labeled source images has no counterpart here and is left out.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Batch, Loss, Objective
from ueo_core.methods.ueo import entropy, with_entropies


def neighborhood(
    features: Tensor, logits: Tensor, memory: Tensor, index: Tensor, temperature: float = 0.05
) -> Tensor:
    """Neighborhood clustering: mean entropy of each image's similarity to all others. → scalar

    features (B, D) unit; logits (B, C), scaled; memory (N, D) unit features of the pool; index
    (B,) places of the batch in it. The memory's entries of the batch, and each image itself, are
    excluded by a similarity of −1. Class prompts are among the neighbors, at CLIP's own scale,
    which replaces the classifier's 1/0.05.
    """
    to_memory = features @ memory.T / temperature  # (B, N)
    to_memory = to_memory.index_fill(1, index, -1 / temperature)
    to_batch = features @ features.T / temperature  # (B, B)
    own = torch.eye(len(features), dtype=torch.bool, device=features.device)
    to_batch = to_batch.masked_fill(own, -1 / temperature)
    return entropy(torch.cat([logits, to_memory, to_batch], 1)).mean()


def separation(logits: Tensor, margin: float = 0.5) -> Tensor:
    """Entropy separation: −mean max(|H(p) − ρ|, margin) with ρ = log(C) / 2, in nats. → scalar

    Entropies further than the margin from ρ are pushed away from it, the others get no gradient.
    """
    middle = np.log(logits.shape[1]) / 2
    return -(entropy(logits) - middle).abs().clamp(min=margin).mean()


def dance(features: Tensor, logits: Tensor, memory: Tensor, index: Tensor) -> Tensor:
    """neighborhood + separation, with temperature 0.05 and margin 0.5. → scalar

    The paper's common factor of 0.05 weighs them against the supervised loss; without one it
    would only scale the learning rate, so it is left out. How UEO's authors applied DANCE to
    CLIP could not be verified.
    """
    return neighborhood(features, logits, memory, index) + separation(logits)


def build(settings: Settings, start: Tensor) -> Objective:
    """The memory starts with the zero-shot features; each batch replaces its own entries."""
    memory = F.normalize(start.clone(), dim=-1)

    def objective(batch: Batch) -> Loss:
        logits = batch.logits
        # A copy, because the backward pass still needs the memory as it was.
        loss = dance(batch.features, logits, memory.clone(), batch.index)
        memory[batch.index] = batch.features.detach()
        return with_entropies(loss, logits)

    return objective
