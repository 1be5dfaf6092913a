"""Views of a pool's images as tensors: the evaluation view, and augmented training views."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from ueo_core.data.resample import Crop, resample
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.backbones import Backbone
from ueo_core.utils.errors import UserError
from ueo_core.utils.memory import SHARE, memory_of
from ueo_core.utils.precision import towers

BICUBIC = InterpolationMode.BICUBIC
KEPT_SHARE = 0.25  # of a device's memory that the pixels of one image set may take


def encoded_at_once(device: torch.device) -> int:
    """Images of a batch that is only encoded: on a CPU, more are slower for their memory alone."""
    return 32 if device.type == "cpu" else 256


class Pixels(Protocol):
    """All that training may know of images: how many, and their pixels. No names, no labels."""

    def __len__(self) -> int: ...

    def pixels(self, i: int) -> np.ndarray:
        """Image i, upright RGB, uint8 (H, W, 3)."""


class Views:
    """Normalised model inputs of a set of images.

    Views are made from uint8 pixels with torchvision's antialiased bicubic resize. On a CUDA device
    the pixels go there once and stay, as far as they fit, and are cropped and resized there: a
    processor makes some hundred views a second, and such a device wants thousands.
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
        # While such a device computes, the next views can be queued behind; a processor would
        # gain nothing, for it draws and computes with the same cores.
        self.ahead = self.made_on.type == "cuda"
        total = memory_of(self.device) if self.ahead else None
        self.room = 0 if total is None else int(KEPT_SHARE * total)  # bytes left for pixels
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
        self, batch_size: int | None = None, indices: Sequence[int] | None = None
    ) -> Iterator[Tensor]:
        """The evaluation views of all images, or of `indices`, in order, a batch at a time."""
        batch_size = batch_size or encoded_at_once(self.device)
        indices = range(len(self)) if indices is None else indices
        for start in range(0, len(indices), batch_size):
            yield self.evaluation(indices[start : start + batch_size])

    def training(self, indices: Iterable[int], g: np.random.Generator) -> Tensor:
        """RandomResizedCrop(scale crop_scale–1, bicubic) and mirror, drawn from g. → (n, 3, S, S)"""
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

    def crops(self, indices: Sequence[int], key: tuple[int, ...]) -> Tensor:
        """Training views that `key` alone decides. → (n, 3, S, S)"""
        return self.training(indices, np.random.default_rng(key))


class Kept:
    """Stands in for Views in quick mode: every image's activations, computed once and kept.

    `training` gives the same rows at every step: there is no augmentation. `on_batch(done)` is
    told while the tower runs, which it does at the first use.
    """

    ahead = False  # there is nothing to draw

    def __init__(self, views: Views, model: AdaptedCLIP, precision: str, on_batch=None):
        self.views, self.model, self.precision = views, model, precision
        self.on_batch = on_batch
        self._rows: Tensor | None = None
        self._crops: dict[tuple[int, ...], Tensor] = {}

    def __len__(self) -> int:
        return len(self.views)

    @property
    def rows(self) -> Tensor:
        """Activations of all images, on the model's device. (N, …) float32"""
        if self._rows is None:
            self._rows = self._compute()
        return self._rows

    def _compute(self) -> Tensor:
        rows, done = None, 0
        for images in self.views.batches():
            with towers(self.precision, self.model.device):
                part = self.model.tail.head(images).float()
            if rows is None:
                rows = self._room(part)
            rows[done : done + len(part)] = part
            done += len(part)
            if self.on_batch:
                self.on_batch(done)
        return torch.empty(0) if rows is None else rows

    def _room(self, part: Tensor) -> Tensor:
        """An empty tensor for all images like `part`; UserError when it cannot be held."""
        need = len(self) * part[0].numel() * part.element_size()
        total = memory_of(self.model.device)
        if total is not None and need > SHARE * total:
            raise UserError(
                f"Quick mode keeps {need / 1e9:,.1f} GB of activations of {len(self):,} images, and this "
                f"machine has {total / 1e9:,.1f} GB of memory; take fewer images, or the full mode."
            )
        return torch.empty(len(self), *part.shape[1:], device=part.device)

    def evaluation(self, indices: Iterable[int]) -> Tensor:
        """Activations of some images. → (n, …)"""
        return self.rows[torch.as_tensor(list(indices), device=self.rows.device)]

    def batches(
        self, batch_size: int | None = None, indices: Sequence[int] | None = None
    ) -> Iterator[Tensor]:
        """Activations of all images, or of `indices`, in order, a batch at a time."""
        rows = self.rows if indices is None else self.evaluation(indices)
        yield from rows.split(batch_size or encoded_at_once(rows.device))

    def training(self, indices: Iterable[int], g: np.random.Generator) -> Tensor:
        """What `evaluation` gives: nothing is drawn from g."""
        return self.evaluation(indices)

    def crops(self, indices: Sequence[int], key: tuple[int, ...]) -> Tensor:
        """Activations of other crops, which only the guard asks for: computed once a key. → (n, …)"""
        if key not in self._crops:
            with towers(self.precision, self.model.device):
                self._crops[key] = self.model.tail.head(self.views.crops(indices, key)).float()
        return self._crops[key]


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
    misses the largest centred box of an allowed aspect.
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
