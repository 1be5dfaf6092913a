"""Whether a faster way to compute features is exact for a model, asked of the model itself."""

from typing import Any

import torch
from torch import Tensor


def equal_features(ours: Tensor, own: Tensor) -> bool:
    """Whether two computations of the same features agree to rounding."""
    if ours.shape != own.shape:
        return False
    # A GPU may multiply in TF32, which keeps 10 bits.
    tolerance = 1e-4 if own.device.type == "cpu" else 1e-2
    return bool((ours - own).abs().max() <= tolerance * own.abs().max())


def pooled(features: Any) -> Tensor:
    """The features alone, of a tower that gives its tokens as well."""
    return features[0] if isinstance(features, tuple) else features


def random_image(visual: Any, size: int | tuple[int, int] | None = None) -> Tensor:
    """An image of noise in the size that a tower takes, where it is. → (1, 3, H, W)

    size: for a tower that does not say its own.
    """
    size = getattr(visual, "image_size", size)
    height, width = (size, size) if isinstance(size, int) else size or (224, 224)
    noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    return noise.to(next(visual.parameters()).device)
