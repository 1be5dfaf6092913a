"""Crops of many images at once, in a few kernels per batch, for a GPU.

Resampling with antialiasing is linear and separable, so a crop of an image is
Wy · image · Wxᵀ with two small matrices that hold the filter. Kernels of our own leave out the zeros of
these matrices; where they do not run, two batched products are computed. torchvision resizes one image at a
time, with about ten kernels each, and a fast device then waits for a thousand launches per batch.
Source of the filters: the antialiased bicubic (a = −0.5) and bilinear of Pillow and PyTorch, their
support scaled with the reduction, clipped to the crop, and normalized.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ueo_core.utils.gpu_kernels import run_kernels

kernels: Any
try:
    from ueo_core.data import resample_kernels as kernels
except ImportError:  # no Triton
    kernels = None

TILE = 2048  # values that a program holds at once
SUPPORT = 2.0  # of the bicubic filter, in input pixels where nothing is reduced; bilinear: 1


class Crop(NamedTuple):
    """A box of an image, resized to (rows, columns), of which a window from (y, x) on is seen.

    Where the window is outside the resized box, it shows a gray value.
    """

    top: int
    left: int
    height: int
    width: int
    rows: int
    columns: int
    y: int = 0
    x: int = 0
    mirrored: bool = False


def filter_matrix(
    starts: Tensor,
    lengths: Tensor,
    resized: Tensor,
    first: Tensor,
    out: int,
    size: int,
    kind: str = "bicubic",
) -> Tensor:
    """The resampling along one axis of `size` input pixels to `out`. → (B, out, size) float32

    starts, lengths: (B,) first pixel and number of pixels of each crop; resized: (B,) how many
    pixels the crop becomes; first: (B,) the first of these that is seen; kind: bicubic or bilinear.
    A row that is outside the crop is 0.
    """
    scale = (lengths.double() / resized)[:, None, None]  # input pixels per output pixel
    places = torch.arange(out, device=starts.device, dtype=torch.float64)[None, :, None]
    centers = starts[:, None, None] + scale * (places + first[:, None, None] + 0.5)
    inputs = torch.arange(size, device=starts.device, dtype=torch.float64)[None, None, :]
    x = ((inputs + 0.5 - centers) / scale.clamp(min=1)).abs().float()
    if kind == "bilinear":
        weights = (1 - x).clamp(min=0)
    else:
        near = ((1.5 * x - 2.5) * x) * x + 1
        far = ((-0.5 * x + 2.5) * x - 4) * x + 2
        weights = torch.where(x < 1, near, torch.where(x < SUPPORT, far, torch.zeros_like(x)))
    inside = (inputs >= starts[:, None, None]) & (inputs < (starts + lengths)[:, None, None])
    weights = weights * inside
    weights = weights / weights.sum(-1, keepdim=True)
    place = places + first[:, None, None]
    return torch.where((place >= 0) & (place < resized[:, None, None]), weights, 0)


def resample(
    images: Sequence[Tensor],
    crops: Sequence[Crop],
    size: tuple[int, int],
    kind: str = "bicubic",
    fill: int = 0,
) -> Tensor:
    """One crop of each image, with the values that an 8-bit picture would have.

    images: B tensors (3, H, W), uint8, of any sizes, on one device; crops: what of each is seen;
    size: rows and columns of the result; kind: bicubic or bilinear; fill: the gray value outside a
    crop. → (B, 3, *size) float32, 0 to 255
    """
    device, b = images[0].device, len(images)
    if run_kernels(device):
        return by_kernels(images, crops, size, kind, fill).round_().clamp_(0, 255)
    height, width = (max(image.shape[d] for image in images) for d in (1, 2))
    padded = torch.zeros(b, 3, height, width, device=device)
    for (h, w), members in _by_size(images).items():
        padded[members, :, :h, :w] = torch.stack([images[i] for i in members]).float()
    numbers = torch.tensor(crops, dtype=torch.int64).T.to(device, non_blocking=True)
    top, left, h, w, rows, columns, y, x, mirrored = numbers
    down = filter_matrix(top, h, rows, y, size[0], height, kind)
    across = filter_matrix(left, w, columns, x, size[1], width, kind)
    across = torch.where(mirrored[:, None, None] > 0, across.flip(1), across)
    wide = torch.bmm(padded.view(b, 3 * height, width), across.transpose(1, 2))
    views = torch.matmul(down[:, None], wide.view(b, 3, height, size[1]))
    if fill:  # a row of zeros is outside
        outside = (down.sum(2) == 0)[:, None, :, None] | (across.sum(2) == 0)[:, None, None, :]
        views.masked_fill_(outside, fill)
    return views.round_().clamp_(0, 255)


def by_kernels(
    images: Sequence[Tensor], crops: Sequence[Crop], size: tuple[int, int], kind: str, fill: int
) -> Tensor:
    """`resample` before rounding, by kernels that read the images where they are."""
    device, b = images[0].device, len(images)
    places = [(image.data_ptr(), *image.stride()) for image in images]
    table = torch.tensor([(*p, *c) for p, c in zip(places, crops, strict=True)], dtype=torch.int64)
    table = table.to(device, non_blocking=True)
    addresses, numbers = table[:, :4].contiguous(), table[:, 4:].contiguous()
    bilinear = kind == "bilinear"
    (height, width), tallest = size, max(crop.height for crop in crops)
    block = 1 << (width - 1).bit_length()
    tile = max(1, TILE // block)

    def taps(reduction: float) -> int:
        return math.ceil((2 if bilinear else 2 * SUPPORT) * max(1, reduction)) + 2

    lines = torch.empty(b, 3, tallest, width, device=device)
    kernels.across[(-(-tallest // tile), 3 * b)](
        addresses,
        numbers,
        lines,
        tallest,
        width,
        taps(max(c.width / c.columns for c in crops)),
        bilinear,
        tile,
        block,
    )
    views = torch.empty(b, 3, height, width, device=device)
    kernels.down[(-(-height // tile), 3 * b)](
        lines,
        numbers,
        views,
        tallest,
        height,
        width,
        taps(max(c.height / c.rows for c in crops)),
        float(fill),
        bilinear,
        tile,
        block,
    )
    return views


def _by_size(images: Sequence[Tensor]) -> dict[tuple[int, int], list[int]]:
    """Indices of the images of each height and width: photos of one camera go in one kernel."""
    groups: dict[tuple[int, int], list[int]] = {}
    for i, image in enumerate(images):
        groups.setdefault((image.shape[1], image.shape[2]), []).append(i)
    return groups
