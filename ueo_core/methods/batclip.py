"""BATCLIP: sharp predictions, class means that point to their text, and means far from each other.

Source: Maharana et al., *BATCLIP: Bimodal Online Test-Time Adaptation for CLIP*, ICCV 2025; the three
terms have equal weights, as in its code. It takes the prediction of every image as its class, so it is
meant for pools without unknown images. What is changed: the stream is the pool, run over in epochs and
then frozen; the class means are of unit features, in its code of features before normalization; it
trains what UEO trains (affine parameters of the image tower and the prompt) by SGD at UEO's rate, where
the paper trains the normalization of both towers by AdamW. Adam does not see the size of a loss and SGD
does, so the sum of the terms is divided by the number of pairs of classes, which its size grows with.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Batch, Loss, Objective
from ueo_core.methods.ueo import entropy, with_entropies


def class_means(features: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Mean feature of the images predicted as each class. (B, D), (B, C) → (C, D), present (C,)

    A class that is predicted for no image has zeros and is not present.
    """
    classes = torch.arange(logits.shape[1], device=logits.device)
    one_hot = (logits.argmax(1)[:, None] == classes).to(features.dtype)
    counts = one_hot.sum(0)
    return one_hot.T @ features / counts.clamp(min=1)[:, None], counts > 0


def matching(means: Tensor, present: Tensor, text: Tensor) -> Tensor:
    """Projection matching: how far the mean of a class reaches along its text. → scalar

    means and text (C, D), the text unit; the average over the classes that are present (C,).
    """
    return ((means * text).sum(1) * present).sum() / present.sum()


def pairs(present: Tensor) -> Tensor:
    """Which ordered pairs are of two present classes. (C,) bool → (C, C) bool"""
    itself = torch.eye(len(present), dtype=torch.bool, device=present.device)
    return present[:, None] & present & ~itself


def separation(means: Tensor, present: Tensor) -> Tensor:
    """Inter-class separability: Σ (1 − cos) over all ordered pairs of present classes. → scalar"""
    unit = F.normalize(means, dim=1)
    return ((1 - unit @ unit.T) * pairs(present)).sum()


def batclip(features: Tensor, text: Tensor, logits: Tensor) -> Tensor:
    """(mean H(p) − matching − separation) / pairs. (B, D), (C, D), (B, C) scaled → scalar"""
    means, present = class_means(features, logits)
    terms = entropy(logits).mean() - matching(means, present, text) - separation(means, present)
    return terms / pairs(present).sum().clamp(min=1)


def build(settings: Settings, start: Tensor | None) -> Objective:
    def objective(batch: Batch) -> Loss:
        logits = batch.logits
        return with_entropies(batclip(batch.features, batch.text, logits), logits)

    return objective
