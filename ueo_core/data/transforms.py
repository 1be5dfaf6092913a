"""Views of a pool's images as tensors: the evaluation view, and augmented training views."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from ueo_core.data.resample import Crop, resample
from ueo_core.models.backbones import Backbone
from ueo_core.models.preprocessing import Preprocessing
from ueo_core.utils.memory import memory_of

PIXEL_SHARE = 0.25  # of a device's memory that the pixels of one image set may take


def encoded_at_once(device: torch.device) -> int:
    """Batch size where images are only encoded; on a CPU, larger batches are slower."""
    return 32 if device.type == "cpu" else 256


Indices = Sequence[int] | np.ndarray


class Pixels(Protocol):
    """What training knows of images: how many, and their pixels. No names, no labels.

    Reduced images also have `size(i)`, width and height of the original: see `fitted`.
    """

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
    """Normalized model inputs of a set of images, fitted as the model's own preprocessing does.

    Views are made from uint8 pixels with torchvision's antialiased resize. On a CUDA device
    the pixels are copied there once, as far as they fit, and are cropped and resized there: a CPU
    makes some hundred views per second, and the GPU needs thousands.
    """

    def __init__(
        self, images: Pixels, backbone: Backbone, crop_scale: float = 0.5, flip: bool = True
    ):
        self.images = images
        self.own = backbone.preprocessing
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
        # A `training.ranks.Shared`, where other processes have these images, too.
        self.shared: Any = None

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

    def _natural(self, i: int) -> tuple[int, int] | None:
        """Height and width of the original of image i, where the images know it."""
        size = getattr(self.images, "size", None)
        if size is None:
            return None
        width, height = size(i)
        return height, width

    def _finish(self, batch: Tensor) -> Tensor:
        """Values 0 to 255 to normalized model inputs, on the model's device."""
        batch = batch.to(self.device).float().div_(255)
        return tv.normalize(batch, list(self.own.mean), list(self.own.std))

    def _seen(self, images: list[Tensor], crops: list[Crop]) -> Tensor:
        """One crop of each image. → (n, 3, H, W), values 0 to 255"""
        own = self.own
        if self.made_on.type == "cuda":
            return resample(images, crops, own.size, own.filter, own.fill)
        how = InterpolationMode(own.filter)
        views = []
        for image, crop in zip(images, crops, strict=True):
            box = tv.crop(image, crop.top, crop.left, crop.height, crop.width)
            view = tv.resize(box, [crop.rows, crop.columns], how)
            view = window(view, crop.y, crop.x, own.size, own.fill)
            views.append(view.flip(-1) if crop.mirrored else view)
        return torch.stack(views)

    def evaluation(self, indices: Iterable[int]) -> Tensor:
        """The model's own evaluation view, see `fitted`. → (n, 3, H, W) float32"""
        if self.own.resize_mode == "squash" and self.made_on.type == "cpu":
            return self._finish(self._squashed(indices))
        indices = list(indices)
        images = [self._pixels(int(i)) for i in indices]
        crops = [
            fitted(image.shape[1], image.shape[2], self.own, self._natural(int(i)))
            for i, image in zip(indices, images, strict=True)
        ]
        return self._finish(self._seen(images, crops))

    def _squashed(self, indices: Iterable[int]) -> Tensor:
        """Whole images, resized on both sides. → (n, 3, H, W), values 0 to 255

        By Pillow, as in open_clip's transform: it and torch round to whole gray values between the
        two directions, and where one side shrinks much more than the other, Pillow resizes that
        one first and torch does not.
        """
        (height, width), how = self.own.size, Image.Resampling[self.own.filter.upper()]
        views = [
            np.array(
                Image.fromarray(np.asarray(self.images.pixels(int(i)))).resize((width, height), how)
            )
            for i in indices
        ]
        return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)

    def batches(
        self, batch_size: int | None = None, indices: Indices | None = None
    ) -> Iterator[Tensor]:
        """Evaluation views of all images, or of `indices`, in order, in batches."""
        batch_size = batch_size or encoded_at_once(self.device)
        indices = range(len(self)) if indices is None else indices
        for start in range(0, len(indices), batch_size):
            yield self.evaluation(indices[start : start + batch_size])

    def training(
        self, indices: Iterable[int], g: np.random.Generator, part: slice = slice(None)
    ) -> Tensor:
        """RandomResizedCrop(scale crop_scale–1) and horizontal flip, drawn from g. → (n, 3, H, W)

        A crop is stretched by up to 4 : 3 against the evaluation view, and is never of its padding.
        part: only these of the images are made; all are drawn, so that each is the same in any part.
        """
        images, crops = [self._pixels(int(i)) for i in indices], []
        for image in images:
            height, width = image.shape[1:]
            box = crop_box(
                height, width, self.crop_scale, g, natural_aspect(height, width, self.own)
            )
            mirror = g.random() < 0.5
            crops.append(Crop(*box, *self.own.size, mirrored=mirror and self.flip))
        return self._finish(self._seen(images[part], crops[part]))

    def crops(self, indices: Indices, key: tuple[int, ...]) -> Tensor:
        """Training views that depend on `key` only. → (n, 3, S, S)"""
        return self.training(indices, np.random.default_rng(key))


def fitted(
    height: int, width: int, own: Preprocessing, natural: tuple[int, int] | None = None
) -> Crop:
    """An image as the model's own evaluation transform places it, as one crop.

    natural: height and width of the original, where the image is a reduced one. Its sides were
    rounded, so that the same transform on it would place the window up to a pixel beside.

    The sizes and the rounding are those of open_clip's `image_transform` (torchvision's Resize and
    CenterCrop for square inputs; ResizeKeepRatio and CenterCropOrPad else). A window that begins
    before the first row or column is padded there.
    """
    tall, wide = natural or (height, width)
    if own.resize_mode == "squash":
        rows, columns = own.size
    elif own.resize_mode == "shortest" and own.is_square:
        side, short = own.size[0], min(tall, wide)
        rows, columns = (int(side * length / short) for length in (tall, wide))
    else:
        among = max if own.resize_mode == "longest" else min
        ratio = among(tall / own.size[0], wide / own.size[1])
        # open_clip's transform fails where a very long image would have no row or column left.
        rows, columns = (max(1, round(length / ratio)) for length in (tall, wide))
    y, x = (
        round((length - seen) / 2) if length >= seen else -((seen - length) // 2)
        for length, seen in zip((rows, columns), own.size, strict=True)
    )
    return Crop(0, 0, height, width, rows, columns, y, x)


def window(view: Tensor, y: int, x: int, size: tuple[int, int], fill: int) -> Tensor:
    """A part of a view from (y, x) on; what is outside the view has the gray value `fill`."""
    height, width = view.shape[1:]
    if y < 0 or x < 0 or y + size[0] > height or x + size[1] > width:
        around = (-min(x, 0), -min(y, 0), size[1] - width + min(x, 0), size[0] - height + min(y, 0))
        view = tv.pad(view, [max(0, n) for n in around], fill=fill)
        y, x = max(y, 0), max(x, 0)
    return view[:, y : y + size[0], x : x + size[1]]


def natural_aspect(height: int, width: int, own: Preprocessing) -> float:
    """Width : height of a part of an image that the model sees without other distortion than always."""
    return width / height if own.resize_mode == "squash" else own.size[1] / own.size[0]


def crop_box(
    height: int, width: int, smallest: float, g: np.random.Generator, natural: float = 1.0
) -> tuple[int, int, int, int]:
    """torchvision's RandomResizedCrop box from a NumPy generator. → top, left, height, width

    Area share uniform in [smallest, 1], aspect log-uniform in [3/4, 4/3] times `natural`; after
    ten misses the largest centered box of an allowed aspect.
    """
    narrow, wide = 3 / 4 * natural, 4 / 3 * natural
    for _ in range(10):
        area = height * width * g.uniform(smallest, 1)
        aspect = np.exp(g.uniform(np.log(3 / 4), np.log(4 / 3))) * natural
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            return int(g.integers(0, height - h + 1)), int(g.integers(0, width - w + 1)), h, w
    ratio = width / height
    if ratio < narrow:
        w, h = width, min(height, round(width / narrow))
    elif ratio > wide:
        w, h = min(width, round(height * wide)), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w
