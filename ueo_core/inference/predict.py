"""An adapted model on new images: loaded, checked against its delta, asked image by image."""

from collections.abc import Callable

import numpy as np
import torch

from ueo_core.data.transforms import Pixels, Views
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP, read_adapter
from ueo_core.training.loop import image_features
from ueo_core.utils.errors import UserError


def fitted(adapter_file: AdapterFile, device: str = "auto") -> AdaptedCLIP:
    """The offered model with its delta in place.

    UserError when its backbone cannot be loaded here, or is not the one that it was made
    with: other weights, other parameters, other shapes.
    """
    backbone = backbones.load(
        adapter_file.settings.backbone, adapter_file.settings.pretrained, device
    )
    made_with = adapter_file.metadata.get("weights")
    if made_with and made_with != backbone.fingerprint:
        raise UserError(
            f"Delta “{adapter_file.path}”: the weights of {backbone.name} ({backbone.pretrained}) are not those "
            "it was made with, so its answers would mean nothing; give the right ones with --pretrained."
        )
    model = AdaptedCLIP(backbone, adapter_file.classes, adapter_file.settings.prompt)
    adapter, _ = read_adapter(adapter_file.path)
    broken = [name for name, value in adapter.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise UserError(
            f"Delta “{adapter_file.path}”: “{broken[0]}” holds values that are not finite; export it again."
        )
    model.load_adapter(adapter)
    return model


@torch.no_grad()
def cosines(
    model: AdaptedCLIP,
    images: Pixels,
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Cosines of every image with every class under the model as it is. → (N, C) float32

    on_batch: told how many images are done; it may raise to leave early.
    """
    features = image_features(model, Views(images, model.backbone), on_batch=on_batch)
    return (features @ model.encode_text().cpu().T).numpy()
