"""A backbone made from an open_clip model that is already in memory; that model stays untouched."""

from typing import Any

import torch
from torchvision import transforms
from torchvision.transforms import v2

from ueo_core.models.backbones import Backbone, Stock, prepare
from ueo_core.models.shared_copy import shared_copy
from ueo_core.models.tokenizers import Tokenizer, is_usable
from ueo_core.utils.errors import UserError

NORMALIZE = (transforms.Normalize, v2.Normalize)
# In the order in which they decide: a crop sets the size that a resize before it does not.
SIZED = (
    (transforms.CenterCrop, v2.CenterCrop),
    (transforms.RandomResizedCrop, v2.RandomResizedCrop),
    (transforms.Resize, v2.Resize),
)


def backbone_from(
    model: Any,
    tokenizer: Tokenizer,
    preprocess: Any,
    *,
    name: str,
    pretrained: str = "in memory",
    fast: bool = False,
) -> Backbone:
    """A backbone from an open_clip model, on the device where the model is.

    tokenizer: from `open_clip.get_tokenizer`; preprocess: an open_clip preprocess config (dict
    with size, mean and std), or a transform from `open_clip.create_model_and_transforms`; name,
    pretrained: how error messages and saved adapters name the model and its weights; fast: use
    the faster forms of attention and MLP (equal to rounding), in the copy only.

    The model itself is not changed: the backbone is a frozen copy in eval mode that shares its
    weights. A model in half precision is converted, which needs memory for float32 weights.
    Images are always resized at the short side (bicubic) and center-cropped. UserError for a
    model, tokenizer or preprocessing that cannot be used.
    """
    if not all(hasattr(model, part) for part in ("visual", "logit_scale")):
        raise UserError(
            f"Model “{name}”: {type(model).__name__} has no `visual` and `logit_scale`; "
            "give a CLIP model made by open_clip."
        )
    if not is_usable(tokenizer):
        raise UserError(
            f"Tokenizer of “{name}”: {type(tokenizer).__name__} is none of open_clip's; "
            "give the one that open_clip.get_tokenizer returns for this model."
        )
    config = preprocess if isinstance(preprocess, dict) else _read_transform(preprocess)
    _check_preprocess(config)
    copied = shared_copy(model)
    if any(p.dtype != torch.float32 for p in copied.parameters()):
        copied.float()
    device = next(copied.parameters()).device
    return prepare(Stock(name, pretrained, copied, tokenizer, config), device, fast)


def _read_transform(transform: Any) -> dict:
    """Size, mean and std of a torchvision transform; what it does not tell is left out."""
    steps = getattr(transform, "transforms", [transform])
    found: dict[str, Any] = {}
    for step in steps:
        if isinstance(step, NORMALIZE):
            found |= {"mean": tuple(map(float, step.mean)), "std": tuple(map(float, step.std))}
    sized = (step for kinds in SIZED for step in steps if isinstance(step, kinds))
    if (step := next(sized, None)) is not None:
        size = step.size
        found["size"] = size if isinstance(size, int) or len(size) > 1 else size[0]
    return found


def _check_preprocess(config: dict) -> None:
    """Raise a UserError for missing values or wrong shapes."""
    missing = [key for key in ("size", "mean", "std") if config.get(key) is None]
    if missing:
        raise UserError(
            f"Preprocessing: {' and '.join(missing)} cannot be read from it; give the transform that "
            "open_clip.create_model_and_transforms returns, or a dict with size, mean and std."
        )
    for key in ("mean", "std"):
        if not hasattr(config[key], "__len__") or len(config[key]) != 3:
            raise UserError(
                f"Preprocessing: its {key} is {config[key]!r}; give three numbers, one per color channel."
            )
