"""Triton kernels for what a GPU's memory bounds between the products of a tower.

Each reads and writes every value once, where separate operations do so several times: a
residual and the layer norm after it; a batch norm in eval mode, a residual and the ReLU after it. They
compute in float32 inside, on inputs of any floating-point type; parameters stay float32. Sums over
rows have a fixed order, so that results repeat bit by bit on one card.
"""

import triton
import triton.language as tl


@triton.jit
def add_norm_forward(
    x, add, weight, bias, total, out, mean, rstd, width, eps, ADD: tl.constexpr, BLOCK: tl.constexpr
):
    """total = x + add (where ADD), out = layer norm of it; one row of `width` per program."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    at = row * width + columns
    v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
    if ADD:
        v += tl.load(add + at, mask=inside, other=0.0).to(tl.float32)
        rounded = v.to(total.dtype.element_ty)
        tl.store(total + at, rounded, mask=inside)
        v = rounded.to(tl.float32)
    center = tl.sum(v, 0) / width
    v = tl.where(inside, v - center, 0.0)
    scale = 1 / tl.sqrt(tl.sum(v * v, 0) / width + eps)
    w = tl.load(weight + columns, mask=inside, other=0.0)
    b = tl.load(bias + columns, mask=inside, other=0.0)
    tl.store(out + at, (v * scale * w + b).to(out.dtype.element_ty), mask=inside)
    tl.store(mean + row, center)
    tl.store(rstd + row, scale)


@triton.jit
def add_norm_backward(
    total,
    d_total,
    d_out,
    weight,
    mean,
    rstd,
    d_x,
    d_add,
    partial,
    rows,
    width,
    TOTAL: tl.constexpr,
    INPUT: tl.constexpr,
    TWO: tl.constexpr,
    AFFINE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Gradients of `add_norm_forward`; each program takes every n-th row.

    d_total: of the sum (where TOTAL); d_x: of x (where INPUT), and once more in the type of `add`
    (where TWO); partial: (2, programs, width) sums for weight and bias (where AFFINE).
    """
    program, programs = tl.program_id(0), tl.num_programs(0)
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    w = tl.load(weight + columns, mask=inside, other=0.0)
    d_weight = tl.zeros([BLOCK], tl.float32)
    d_bias = tl.zeros([BLOCK], tl.float32)
    at = program.to(tl.int64) * width + columns
    for row in range(program, rows, programs):
        scale = tl.load(rstd + row)
        v = tl.load(total + at, mask=inside, other=0.0).to(tl.float32)
        v = tl.where(inside, (v - tl.load(mean + row)) * scale, 0.0)
        g = tl.load(d_out + at, mask=inside, other=0.0).to(tl.float32)
        if AFFINE:
            d_weight += g * v
            d_bias += g
        if INPUT:
            g *= w
            d = (g - v * (tl.sum(g * v, 0) / width) - tl.sum(g, 0) / width) * scale
            if TOTAL:
                d += tl.load(d_total + at, mask=inside, other=0.0).to(tl.float32)
            tl.store(d_x + at, d.to(d_x.dtype.element_ty), mask=inside)
            if TWO:
                tl.store(d_add + at, d.to(d_add.dtype.element_ty), mask=inside)
        at += programs * width
    if AFFINE:
        at = program * width + columns
        tl.store(partial + at, d_weight, mask=inside)
        tl.store(partial + programs * width + at, d_bias, mask=inside)


@triton.jit
def batch_norm_forward(
    x,
    add,
    weight,
    bias,
    mean,
    variance,
    out,
    size,
    channels,
    eps,
    ADD: tl.constexpr,
    RELU: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """out = relu(norm(x) + add), channels last; ADD and RELU: whether there are these parts."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    c = at % channels
    scale = tl.load(weight + c) / tl.sqrt(tl.load(variance + c) + eps)
    shift = tl.load(bias + c) - tl.load(mean + c) * scale
    v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32) * scale + shift
    if ADD:
        v += tl.load(add + at, mask=inside, other=0.0).to(tl.float32)
    if RELU:
        v = tl.where(v < 0, 0.0, v)  # NaN stays
    tl.store(out + at, v.to(out.dtype.element_ty), mask=inside)


@triton.jit
def batch_norm_backward(
    x,
    out,
    d_out,
    weight,
    bias,
    mean,
    variance,
    d_x,
    d_add,
    partial,
    rows,
    channels,
    eps,
    ADD: tl.constexpr,
    RELU: tl.constexpr,
    INPUT: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Gradients of `batch_norm_forward`; partial: (2, programs of axis 1, channels) sums."""
    columns = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    program, programs = tl.program_id(1), tl.num_programs(1)
    known = columns < channels
    w = tl.load(weight + columns, mask=known, other=0.0)
    center = tl.load(mean + columns, mask=known, other=0.0)
    inverse = 1 / tl.sqrt(tl.load(variance + columns, mask=known, other=1.0) + eps)
    scale = w * inverse
    shift = tl.load(bias + columns, mask=known, other=0.0) - center * scale
    d_weight = tl.zeros([ROWS, BLOCK], tl.float32)
    d_bias = tl.zeros([ROWS, BLOCK], tl.float32)
    row = program.to(tl.int64) * ROWS + tl.arange(0, ROWS)
    for _ in range(program * ROWS, rows, programs * ROWS):
        inside = (row < rows)[:, None] & known[None, :]
        at = row[:, None] * channels + columns[None, :]
        v = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        g = tl.load(d_out + at, mask=inside, other=0.0).to(tl.float32)
        if RELU:
            if ADD:
                above = tl.load(out + at, mask=inside, other=0.0).to(tl.float32)
            else:
                above = v * scale[None, :] + shift[None, :]
            g = tl.where(above <= 0, 0.0, g)
        if ADD:
            tl.store(d_add + at, g.to(d_add.dtype.element_ty), mask=inside)
        if INPUT:
            tl.store(d_x + at, (g * scale[None, :]).to(d_x.dtype.element_ty), mask=inside)
        d_weight += g * (v - center[None, :]) * inverse[None, :]
        d_bias += g
        row += programs * ROWS
    at = program * channels + columns
    tl.store(partial + at, tl.sum(d_weight, 0), mask=known)
    tl.store(partial + programs * channels + at, tl.sum(d_bias, 0), mask=known)


@triton.jit
def average_pool_forward(x, out, size, channels, columns, BLOCK: tl.constexpr):
    """Means of 2 × 2 pixels, channels last, of images with 2 · columns in each row."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    c, pixel = at % channels, at // channels
    first = ((pixel // columns * 2) * (2 * columns) + pixel % columns * 2) * channels + c
    total = tl.zeros([BLOCK], tl.float32)
    for i in tl.static_range(4):
        other = first + (i // 2 * 2 * columns + i % 2) * channels
        total += tl.load(x + other, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + at, (0.25 * total).to(out.dtype.element_ty), mask=inside)


@triton.jit
def average_pool_backward(d_out, d_x, size, channels, columns, BLOCK: tl.constexpr):
    """Gradient of `average_pool_forward`; columns: of its result."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    c, pixel = at % channels, at // channels
    row, column = pixel // (2 * columns) // 2, pixel % (2 * columns) // 2
    g = tl.load(d_out + (row * columns + column) * channels + c, mask=inside, other=0.0)
    tl.store(d_x + at, (0.25 * g.to(tl.float32)).to(d_x.dtype.element_ty), mask=inside)
