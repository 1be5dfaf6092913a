"""Views of a pool's images as tensors: the evaluation view, and augmented training views."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from ueo_core.data.resample import Crop, resample
from ueo_core.models.backbones import Backbone
from ueo_core.utils.memory import memory_of

BICUBIC = InterpolationMode.BICUBIC
PIXEL_SHARE = 0.25  # of a device's memory that the pixels of one image set may take


def encoded_at_once(device: torch.device) -> int:
    """Batch size where images are only encoded; on a CPU, larger batches are slower."""
    return 32 if device.type == "cpu" else 256


Indices = Sequence[int] | np.ndarray


class Pixels(Protocol):
    """What training knows of images: how many, and their pixels. No names, no labels."""

    def __len__(self) -> int: ...

    def pixels(self, i: int) -> np.ndarray:
        """Image i, upright RGB, uint8 (H, W, 3)."""


class ModelInputs(Protocol):
    """What encoding and training need of a set of images: `Views`, or `CachedActivations`."""

    ahead: bool  # prepare the next batch while the device computes

    def __len__(self) -> int: ...

    def evaluation(self, indices: Iterable[int]) -> Tensor:
        """Inputs of some images, without augmentation. → (n, …)"""

    def batches(
        self, batch_size: int | None = None, indices: Indices | None = None
    ) -> Iterator[Tensor]:
        """Evaluation inputs of all images, or of `indices`, in order, in batches."""

    def training(self, indices: Iterable[int], g: np.random.Generator) -> Tensor:
        """Augmented inputs of some images, drawn from g. → (n, …)"""

    def crops(self, indices: Indices, key: tuple[int, ...]) -> Tensor:
        """Inputs from random crops that depend on `key` only. → (n, …)"""


class Views:
    """Normalized model inputs of a set of images.

    Views are made from uint8 pixels with torchvision's antialiased bicubic resize. On a CUDA device
    the pixels are copied there once, as far as they fit, and are cropped and resized there: a CPU
    makes some hundred views per second, and the GPU needs thousands.
    """

    def __init__(
        self, images: Pixels, backbone: Backbone, crop_scale: float = 0.5, flip: bool = True
    ):
        self.images = images
        self.size = backbone.image_size
        self.mean, self.std = list(backbone.mean), list(backbone.std)
        self.device = backbone.device
        self.crop_scale = crop_scale
        self.flip = flip
        self.made_on = self.device if self.device.type == "cuda" else torch.device("cpu")
        # While a GPU computes, the next views can be queued; on a CPU, views and training use the
        # same cores, so nothing would be gained.
        self.ahead = self.made_on.type == "cuda"
        total = memory_of(self.device) if self.ahead else None
        self.room = 0 if total is None else int(PIXEL_SHARE * total)  # bytes left for pixels
        self._held: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.images)

    def _pixels(self, i: int) -> Tensor:
        """Image i where views are made. → (3, H, W) uint8"""
        if i in self._held:
            return self._held[i]
        # A copy, because the store's memory map is read-only and torch wants to own it.
        image = torch.from_numpy(np.array(self.images.pixels(i))).permute(2, 0, 1).to(self.made_on)
        if image.nbytes <= self.room:
            self.room -= image.nbytes
            self._held[i] = image
        return image

    def _finish(self, batch: Tensor) -> Tensor:
        """Values 0 to 255 to normalized model inputs, on the model's device."""
        batch = batch.to(self.device).float().div_(255)
        return tv.normalize(batch, self.mean, self.std)

    def evaluation(self, indices: Iterable[int]) -> Tensor:
        """Resize of the short side and center crop, CLIP's own view. → (n, 3, S, S) float32"""
        images = [self._pixels(int(i)) for i in indices]
        square = [self.size, self.size]
        if self.made_on.type == "cuda":
            crops = [centered(i.shape[1], i.shape[2], self.size) for i in images]
            return self._finish(resample(images, crops, (self.size, self.size)))
        resized = (tv.resize(image, [self.size], BICUBIC) for image in images)
        return self._finish(torch.stack([tv.center_crop(image, square) for image in resized]))

    def batches(
        self, batch_size: int | None = None, indices: Indices | None = None
    ) -> Iterator[Tensor]:
        """Evaluation views of all images, or of `indices`, in order, in batches."""
        batch_size = batch_size or encoded_at_once(self.device)
        indices = range(len(self)) if indices is None else indices
        for start in range(0, len(indices), batch_size):
            yield self.evaluation(indices[start : start + batch_size])

    def training(self, indices: Iterable[int], g: np.random.Generator) -> Tensor:
        """RandomResizedCrop(scale crop_scale–1, bicubic) and horizontal flip, drawn from g. → (n, 3, S, S)"""
        images, crops = [self._pixels(int(i)) for i in indices], []
        for image in images:
            box = crop_box(image.shape[1], image.shape[2], self.crop_scale, g)
            mirror = g.random() < 0.5
            crops.append(Crop(*box, self.size, self.size, mirrored=mirror and self.flip))
        if self.made_on.type == "cuda":
            return self._finish(resample(images, crops, (self.size, self.size)))
        views = []
        for image, crop in zip(images, crops, strict=True):
            view = tv.resized_crop(image, *crop[:4], [self.size, self.size], BICUBIC)
            views.append(view.flip(-1) if crop.mirrored else view)
        return self._finish(torch.stack(views))

    def crops(self, indices: Indices, key: tuple[int, ...]) -> Tensor:
        """Training views that depend on `key` only. → (n, 3, S, S)"""
        return self.training(indices, np.random.default_rng(key))


def centered(height: int, width: int, size: int) -> Crop:
    """torchvision's resize of the short side to `size` and center crop, as one crop."""
    short = min(height, width)
    rows, columns = (int(size * side / short) for side in (height, width))
    y, x = (round((side - size) / 2) for side in (rows, columns))
    return Crop(0, 0, height, width, rows, columns, y, x)


def crop_box(
    height: int, width: int, smallest: float, g: np.random.Generator
) -> tuple[int, int, int, int]:
    """torchvision's RandomResizedCrop box from a NumPy generator. → top, left, height, width

    Area share uniform in [smallest, 1], aspect log-uniform in [3/4, 4/3]; after ten
    misses the largest centered box of an allowed aspect.
    """
    for _ in range(10):
        area = height * width * g.uniform(smallest, 1)
        aspect = np.exp(g.uniform(np.log(3 / 4), np.log(4 / 3)))
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            return int(g.integers(0, height - h + 1)), int(g.integers(0, width - w + 1)), h, w
    ratio = width / height
    if ratio < 3 / 4:
        w, h = width, min(height, round(width / (3 / 4)))
    elif ratio > 4 / 3:
        w, h = min(width, round(height * 4 / 3)), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w
