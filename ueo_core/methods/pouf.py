"""POUF: optimal transport between images and class prompts, plus InfoMax.

Source: Tanwisuth et al., *POUF: Prompt-Oriented Unsupervised Fine-tuning for Large Pre-trained
Models*, ICML 2023; the weights are those of its code.
"""

from torch import Tensor

from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Batch, Loss, Objective
from ueo_core.methods.ueo import infomax, with_entropies


def transport(cosines: Tensor, logit_scale: float) -> Tensor:
    """Cost of moving images to class prompts and prompts to images, POUF's first term. → scalar

    cosines: (B, C). The plans are softmaxes of the logits, over classes for an image and over
    the batch's images for a class; the cost is 1 − cos. The means of both directions are added.
    """
    logits, cost = logit_scale * cosines, 1 - cosines
    to_class = (cost * logits.softmax(1)).sum(1).mean()
    to_image = (cost * logits.softmax(0)).sum(0).mean()
    return to_class + to_image


def pouf(cosines: Tensor, logit_scale: float, information: float = 0.3) -> Tensor:
    """transport + 0.3 · InfoMax. cosines (B, C) → scalar

    UEO's released script computes this transport cost in its own loop, so it is compared here
    with UEO's optimizer and learning rate, not with POUF's.
    """
    return transport(cosines, logit_scale) + information * infomax(logit_scale * cosines)


def build(settings: Settings, start: Tensor | None) -> Objective:
    def objective(batch: Batch) -> Loss:
        cosines = batch.cosines
        return with_entropies(pouf(cosines, batch.scale), batch.scale * cosines)

    return objective
