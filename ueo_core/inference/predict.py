"""Prediction: load an adapted model from its file, and compute cosines of new images."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from ueo_core.data.feature_cache import zero_shot_features
from ueo_core.data.image_set import ImageSet
from ueo_core.data.transforms import Pixels, Views
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP, read_adapter
from ueo_core.training.loop import image_features
from ueo_core.training.ranks import Shared
from ueo_core.utils.errors import UserError

LARGEST = 1e5  # of a trained parameter; CLIP's own are below 100


def load_model(adapter_file: AdapterFile, device: str = "auto") -> AdaptedCLIP:
    """The adapted model of a file, with its backbone loaded on a device.

    UserError when the backbone cannot be loaded on this machine or is not the one of the
    adapter: other weights, other parameters, other shapes.
    """
    backbone = backbones.load(
        adapter_file.settings.backbone, adapter_file.settings.pretrained, device
    )
    made_with = adapter_file.metadata.get("weights")
    if made_with and made_with != backbone.fingerprint:
        raise UserError(
            f"Adapter “{adapter_file.path}”: it was made with other weights than those of {backbone.name} "
            f"({backbone.pretrained}), so its predictions would be meaningless; give the right ones with "
            "--pretrained."
        )
    made = backbone.preprocessing.as_adapted(adapter_file.metadata)
    backbones.check_size(backbone.name, backbone.model, made)
    backbone = replace(backbone, preprocessing=made)
    model = AdaptedCLIP(
        backbone,
        adapter_file.classes,
        adapter_file.settings.prompt,
        templates=adapter_file.settings.templates,
        synonyms=adapter_file.synonyms,
    )
    adapter, _ = read_adapter(adapter_file.path)
    # Not ≤ is also true of NaN.
    broken = [n for n, v in adapter.items() if v.numel() and not bool((v.abs() <= LARGEST).all())]
    if broken:
        raise UserError(
            f"Adapter “{adapter_file.path}”: “{broken[0]}” has values that are not finite, or larger than "
            f"{LARGEST:,.0f}; export it again."
        )
    model.load_adapter(adapter)
    return model


@torch.no_grad()
def cosines(
    model: AdaptedCLIP,
    images: Pixels,
    on_batch: Callable[[int], object] | None = None,
    text: torch.Tensor | None = None,
    shared: Shared | None = None,
) -> np.ndarray:
    """Cosines of every image with every class under the model as it is. → (N, C) float32

    text: (C, D) features in place of those of the classes; on_batch, shared: as in `features`.
    """
    return model.cosines(features(model, images, on_batch, shared), text).numpy()


@torch.no_grad()
def cosine_batches(
    model: AdaptedCLIP, images: Pixels, on_batch: Callable[[int], object]
) -> Iterator[np.ndarray]:
    """`cosines` of batches of images in turn: neither features nor cosines of all are in memory. (n, C) each

    on_batch(done) is called after every batch and may raise to cancel.
    """
    text, done = model.encode_text(), 0
    for inputs in Views(images, model.backbone).batches():
        found = model.cosines(model.encode_image(inputs).cpu(), text).numpy()
        done += len(found)
        on_batch(done)
        yield found


@torch.no_grad()
def features(
    model: AdaptedCLIP,
    images: Pixels,
    on_batch: Callable[[int], object] | None = None,
    shared: Shared | None = None,
) -> torch.Tensor:
    """Unit features of every image under the model as it is, on the CPU. → (N, D) float32

    on_batch(done) is called after every batch and may raise to cancel; shared: where other processes
    have the images, too.
    """
    views = Views(images, model.backbone)
    views.shared = shared
    return image_features(model, views, on_batch=on_batch)


@torch.no_grad()
def zero_shot(
    model: AdaptedCLIP, images: ImageSet, on_batch: Callable[[int], object] | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit features of images and of classes under a model as it starts, on the CPU. → (N, D), (C, D)

    Those of the images are computed once for an image set and a model; on_batch as in `features`.
    """
    found, _ = zero_shot_features(images, model.backbone, lambda: features(model, images, on_batch))
    return found, model.encode_text().cpu()
