"""Features of a batch whose loss is not additive over its parts, and their backward pass, part by part."""

import torch
from torch import Tensor

from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.utils.precision import tower_autocast


class EncodedParts:
    """Unit features of images, encoded in parts that fit into memory.

    As in GradCache (Gao et al., 2021): the features of all parts, then the loss on the whole batch, then
    the backward pass of each part from its rows of dL/df. Only the first part keeps its activations;
    the others are encoded a second time. Exact for any size of a part.
    """

    def __init__(self, model: AdaptedCLIP, images: Tensor, chunk: int | None, precision: str):
        """chunk: images in a part; None: one part. precision: the setting of that name."""
        self.model, self.precision = model, precision
        self._first, *self._others = images.split(chunk or max(1, len(images)))
        with torch.no_grad():
            rest = [self._encoded(part) for part in self._others]
        self._kept = self._encoded(self._first)
        self.features = torch.cat([self._kept.detach(), *rest])  # (B, D)

    def _encoded(self, part: Tensor) -> Tensor:
        with tower_autocast(self.precision, self.model.device):
            return self.model.encode_image(part)

    def backward(self, gradient: Tensor) -> None:
        """Add the gradients of the parameters. gradient: (B, D), dL/df"""
        if not self._kept.requires_grad:  # no parameter of the tower trains
            return
        own, *grads = gradient.split([len(self._first), *map(len, self._others)])
        self._kept.backward(own)
        for part, grad in zip(self._others, grads, strict=True):
            self._encoded(part).backward(grad)
