"""A backbone made from an open_clip model that is already in memory; that model stays untouched."""

import warnings
from typing import Any

import torch
from open_clip.transform import CenterCropOrPad, ResizeKeepRatio
from torchvision import transforms
from torchvision.transforms import v2

from ueo_core.models.backbones import Backbone, Stock, prepare
from ueo_core.models.preprocessing import Preprocessing
from ueo_core.models.shared_copy import shared_copy
from ueo_core.models.tokenizers import Tokenizer, is_usable
from ueo_core.utils.errors import UserError

NORMALIZE = (transforms.Normalize, v2.Normalize)
CROP = (transforms.CenterCrop, v2.CenterCrop)
RANDOM_CROP = (transforms.RandomResizedCrop, v2.RandomResizedCrop)
RESIZE = (transforms.Resize, v2.Resize)
FITTING = ("resize_mode", "interpolation", "fill_color")  # keys of an open_clip preprocess config


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
    Images are fitted as `preprocess` does it: size, resize mode, interpolation, fill, mean and std
    are read from it. UserError for a model, tokenizer or preprocessing that cannot be used.
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
    config = preprocess if isinstance(preprocess, dict) else _read_transform(preprocess, model)
    Preprocessing.from_config(name, config)  # refused before the model is copied
    copied = shared_copy(model)
    if any(p.dtype != torch.float32 for p in copied.parameters()):
        copied.float()
    device = next(copied.parameters()).device
    return prepare(Stock(name, pretrained, copied, tokenizer, config), device, fast)


def _read_transform(transform: Any, model: Any = None) -> dict:
    """What a transform of torchvision or open_clip does, as an open_clip preprocess config.

    What it does not tell is left out. model: where it is given, open_clip's own configuration of it
    tells what a training transform (a random crop) does not: how whole images are fitted.
    """
    found: dict[str, Any] = {}
    resized: Any = None  # the size before a crop
    for step in getattr(transform, "transforms", [transform]):
        if isinstance(step, NORMALIZE):
            found |= {"mean": step.mean, "std": step.std}
        elif isinstance(step, CenterCropOrPad):
            found |= {"size": _sides(step.size), "fill_color": step.fill}
        elif isinstance(step, CROP):
            found["size"] = _sides(step.size)
            if resized is not None and _pair(resized) != _pair(found["size"]):
                shown = " × ".join(map(str, _pair(found["size"])))
                warnings.warn(
                    f"images are resized to {shown} pixels at once: a resize to {resized} and a "
                    "smaller crop are not part of a model's preprocessing in open_clip",
                    stacklevel=5,
                )
        elif isinstance(step, ResizeKeepRatio):
            mode = {0: "shortest", 1: "longest"}.get(step.longest, f"longest={step.longest:g}")
            found |= {"size": _sides(step.size), "resize_mode": mode}
            found["interpolation"] = _interpolation(step)
        elif isinstance(step, RANDOM_CROP):
            own = getattr(getattr(model, "visual", None), "preprocess_cfg", {})
            found |= {"interpolation": _interpolation(step)}
            found |= {k: v for k, v in own.items() if k in FITTING}
            found["size"] = _sides(step.size)
        elif isinstance(step, RESIZE):
            resized = _sides(step.size)
            mode = "shortest" if isinstance(resized, int) else "squash"
            found |= {"size": resized, "resize_mode": mode}
            found["interpolation"] = _interpolation(step)
    return found


def _pair(size: Any) -> tuple:
    return (size, size) if isinstance(size, int) else tuple(size)


def _sides(size: Any) -> Any:
    return size if isinstance(size, int) or len(size) > 1 else size[0]


def _interpolation(step: Any) -> str:
    return getattr(step.interpolation, "value", str(step.interpolation))
