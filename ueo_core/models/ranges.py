"""Ranges of what a model config and a checkpoint may hold: a typing error must not take all memory."""

import math
from collections.abc import Mapping
from typing import Any

from ueo_core.utils.errors import UserError

# By key, in any part of an open_clip config: several times what its largest models have.
_LARGEST = {
    "embed_dim": 16_384,
    "width": 16_384,
    "layers": 256,
    "heads": 1_024,
    "head_width": 16_384,
    "image_size": 4_096,
    "patch_size": 4_096,
    "context_length": 16_384,
    "vocab_size": 4_000_000,
}
MOST_SCALE = 1_000.0  # CLIP is trained with a logit scale of up to 100, SigLIP reaches 120


def check_sizes(source: str, config: Mapping[str, Any]) -> None:
    """Raise a UserError for a size that no model has. source: of the config, for the message"""
    for key, value in config.items():
        if isinstance(value, Mapping):
            check_sizes(source, value)
        elif (largest := _LARGEST.get(key)) is not None:
            for size in value if isinstance(value, list) else [value]:
                if isinstance(size, int) and not 0 < size <= largest:
                    raise UserError(
                        f"Backbone config “{source}”: its {key} is {size}, and models have 1 to "
                        f"{largest:,}; correct it."
                    )


def check_logit_scale(name: str, scale: float) -> None:
    """Raise a UserError for a logit scale (not its logarithm) that no trained model has."""
    if not math.isfinite(scale) or not 0 < scale <= MOST_SCALE:
        raise UserError(
            f"Weights of “{name}”: their logit scale is {scale:g}, and a trained model has one of up to "
            f"{MOST_SCALE:,.0f}; a checkpoint stores its logarithm. Use the weights as they were published."
        )
