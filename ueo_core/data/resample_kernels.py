"""Triton kernels for crops of many images: only the pixels that a filter reaches are read."""

import triton
import triton.language as tl


@triton.jit
def _weights(distance, BILINEAR: tl.constexpr):
    """The filter's value at a distance from its center, in pixels of the smaller picture."""
    x = tl.abs(distance)
    if BILINEAR:
        w = tl.where(x < 1, 1 - x, 0.0)
    else:
        near = ((1.5 * x - 2.5) * x) * x + 1
        far = ((-0.5 * x + 2.5) * x - 4) * x + 2
        w = tl.where(x < 1, near, tl.where(x < 2, far, 0.0))
    return w


@triton.jit
def across(
    images,
    crops,
    out,
    tallest,
    width,
    taps,
    BILINEAR: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The rows of each crop, resized to the columns that are seen.

    images: (B, 4) int64, address and strides of each uint8 image; crops: (B, 9), see `Crop`;
    out: (B, 3, tallest, width) float32. One program for ROWS rows of one channel.
    """
    image, channel = tl.program_id(1) // 3, tl.program_id(1) % 3
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    crop = crops + image * 9
    top, left = tl.load(crop), tl.load(crop + 1)
    height, length = tl.load(crop + 2), tl.load(crop + 3)
    columns, x, mirrored = tl.load(crop + 5), tl.load(crop + 7), tl.load(crop + 8)
    place = tl.where(mirrored > 0, width - 1 - column, column) + x
    scale = length.to(tl.float64) / columns.to(tl.float64)
    reach = tl.where(scale > 1, scale, 1.0) * (1.0 if BILINEAR else 2.0)
    center = left.to(tl.float64) + scale * (place.to(tl.float64) + 0.5)
    lowest = tl.floor(center - reach - 0.5)
    # Places in float64, distances in float32: a crop may begin far from the image's first pixel.
    nearest = (lowest + 0.5 - center).to(tl.float32)
    shrink = 1 / tl.where(scale > 1, scale, 1.0).to(tl.float32)
    first = lowest.to(tl.int32)
    line = tl.load(images + image * 4).to(tl.pointer_type(tl.uint8))
    line += channel * tl.load(images + image * 4 + 1)
    line += (top + row)[:, None] * tl.load(images + image * 4 + 2)
    step = tl.load(images + image * 4 + 3)
    value = tl.zeros([ROWS, BLOCK], tl.float32)
    total = tl.zeros([BLOCK], tl.float32)
    for tap in range(taps):
        at = first + tap
        inside = (at >= left) & (at < left + length)
        w = tl.where(inside, _weights((nearest + tap) * shrink, BILINEAR), 0.0)
        pixel = tl.load(
            line + at[None, :] * step, mask=inside[None, :] & (row < height)[:, None], other=0
        )
        value += w[None, :] * pixel.to(tl.float32)
        total += w
    to = (tl.program_id(1).to(tl.int64) * tallest + row)[:, None] * width + column[None, :]
    seen = (row < tallest)[:, None] & (column < width)[None, :]
    total = tl.where(total == 0, 1.0, total)  # outside the crop
    tl.store(out + to, value / total[None, :], mask=seen)


@triton.jit
def down(
    lines,
    crops,
    out,
    tallest,
    height,
    width,
    taps,
    fill,
    BILINEAR: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The result of `across`, resized to the rows that are seen. out: (B, 3, height, width) float32

    fill: the value outside the resized crop.
    """
    image = tl.program_id(1) // 3
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    crop = crops + image * 9
    length, rows, columns = tl.load(crop + 2), tl.load(crop + 4), tl.load(crop + 5)
    y, x, mirrored = tl.load(crop + 6), tl.load(crop + 7), tl.load(crop + 8)
    place = row + y
    scale = length.to(tl.float64) / rows.to(tl.float64)
    reach = tl.where(scale > 1, scale, 1.0) * (1.0 if BILINEAR else 2.0)
    center = scale * (place.to(tl.float64) + 0.5)
    lowest = tl.floor(center - reach - 0.5)
    # Places in float64, distances in float32: a crop may begin far from the image's first pixel.
    nearest = (lowest + 0.5 - center).to(tl.float32)
    shrink = 1 / tl.where(scale > 1, scale, 1.0).to(tl.float32)
    first = lowest.to(tl.int32)
    plane = lines + tl.program_id(1).to(tl.int64) * tallest * width + column[None, :]
    value = tl.zeros([ROWS, BLOCK], tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    known = column < width
    for tap in range(taps):
        at = first + tap
        inside = (at >= 0) & (at < length)
        w = tl.where(inside, _weights((nearest + tap) * shrink, BILINEAR), 0.0)
        value += w[:, None] * tl.load(
            plane + at[:, None] * width, mask=inside[:, None] & known[None, :], other=0.0
        )
        total += w
    beside = tl.where(mirrored > 0, width - 1 - column, column) + x
    shown = ((place >= 0) & (place < rows))[:, None] & ((beside >= 0) & (beside < columns))[None, :]
    total = tl.where(total == 0, 1.0, total)
    value = tl.where(shown, value / total[:, None], fill)
    to = (tl.program_id(1).to(tl.int64) * height + row)[:, None] * width + column[None, :]
    tl.store(out + to, value, mask=(row < height)[:, None] & known[None, :])
