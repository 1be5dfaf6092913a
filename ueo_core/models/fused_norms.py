"""Normalization layers and pools on a GPU, each in one kernel with what is around it.

The same formulas as torch's, with their own backward pass. Where no kernel runs, the layers' own
operations are used. In bfloat16 a norm reads and writes that type, and is computed in float32.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ueo_core.utils.gpu_kernels import run_kernels

kernels: Any
try:
    from ueo_core.models import fused_kernels as kernels
except ImportError:  # no Triton
    kernels = None

# Programs of a kernel that sums over rows, several for each of a large GPU's 132 processors.
LAYER_PROGRAMS, BATCH_PROGRAMS = 1024, 512
ELEMENTS = 1024  # of a program of an elementwise kernel
TILE = 2048  # values that a program of the batch norm holds at once


def works_on(x: Tensor) -> bool:
    """Whether the kernels take a tensor, of its type and where it is."""
    return x.dtype in (torch.float32, torch.bfloat16) and run_kernels(x.device)


def product_type(x: Tensor) -> torch.dtype:
    """What a matrix product of x computes in: that of autocast, or x's own."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype


def _power(n: int) -> int:
    return 1 << (n - 1).bit_length()


class _AddNorm(torch.autograd.Function):
    """(x + add, layer norm of it); without `add`, the norm alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, add: Tensor | None, weight, bias, eps: float, kind):
        ctx.set_materialize_grads(False)
        x = x.contiguous()
        width = x.shape[-1]
        rows = x.numel() // width
        total = x if add is None else torch.empty_like(x)
        out = torch.empty_like(x, dtype=kind)
        mean, rstd = (torch.empty(rows, device=x.device) for _ in range(2))
        other = x if add is None else add.contiguous()
        block = _power(width)
        kernels.add_norm_forward[(rows,)](
            x, other, weight, bias, total, out, mean, rstd, width, eps, add is not None, block
        )
        ctx.save_for_backward(total, weight, mean, rstd)
        ctx.add_kind = None if add is None else add.dtype
        return out if add is None else (total, out)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None):
        d_out = gradients[-1]
        d_total = gradients[0] if len(gradients) == 2 else None
        total, weight, mean, rstd = ctx.saved_tensors
        assert d_out is not None  # every norm's result is used
        width, rows = total.shape[-1], len(mean)
        needs_x, needs_add, affine = (ctx.needs_input_grad[i] for i in (0, 1, 2))
        both = needs_x or needs_add
        d_x = torch.empty_like(total) if both else total
        two = needs_add and ctx.add_kind != total.dtype
        d_add = torch.empty_like(total, dtype=ctx.add_kind) if two else d_x
        programs = min(LAYER_PROGRAMS, rows)
        partial = torch.empty(2, programs, width, device=total.device) if affine else mean
        kernels.add_norm_backward[(programs,)](
            total,
            total if d_total is None else d_total.contiguous(),
            d_out.contiguous(),
            weight,
            mean,
            rstd,
            d_x,
            d_add,
            partial,
            rows,
            width,
            d_total is not None,
            both,
            two,
            affine,
            _power(width),
        )
        d_weight, d_bias = partial.sum(1) if affine else (None, None)
        return (
            d_x if needs_x else None,
            d_add if needs_add else None,
            d_weight,
            d_bias,
            None,
            None,
        )


def norm(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer norm of x, in the type of the product that follows. (…, W) → (…, W)"""
    if not _fuses(layer, x):
        return layer(x)
    return _AddNorm.apply(x, None, layer.weight, layer.bias, layer.eps, product_type(x))


def add_norm(layer: nn.Module, x: Tensor, add: Tensor) -> tuple[Tensor, Tensor]:
    """x + add in the type of x, and the layer norm of it as from `norm`. (…, W), (…, W)"""
    if not _fuses(layer, x):
        x = x + add
        return x, layer(x)
    return _AddNorm.apply(x, add, layer.weight, layer.bias, layer.eps, product_type(x))


def _fuses(layer: nn.Module, x: Tensor) -> bool:
    plain = isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) == 1
    return plain and layer.bias is not None and works_on(x)


class _BatchNorm(torch.autograd.Function):
    """relu(batch norm of x in eval mode + add), channels last."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, add: Tensor | None, weight, bias, mean, var, eps, relu):
        x = x.contiguous(memory_format=torch.channels_last)
        other = x if add is None else add.contiguous(memory_format=torch.channels_last)
        out = torch.empty_like(x)
        kernels.batch_norm_forward[(-(-x.numel() // ELEMENTS),)](
            x,
            other,
            weight,
            bias,
            mean,
            var,
            out,
            x.numel(),
            x.shape[1],
            eps,
            add is not None,
            relu,
            ELEMENTS,
        )
        # Without a residual the sign of the result follows from x.
        ctx.save_for_backward(x, out if add is not None and relu else None, weight, bias, mean, var)
        ctx.eps, ctx.relu, ctx.add = eps, relu, add is not None
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor):
        x, out, weight, bias, mean, var = ctx.saved_tensors
        d_out = gradients[0].contiguous(memory_format=torch.channels_last)
        channels = x.shape[1]
        rows = x.numel() // channels
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else x
        d_add = torch.empty_like(x) if ctx.add else x
        block = min(_power(channels), 128)
        across, tile = -(-channels // block), TILE // block
        programs = max(1, min(-(-rows // tile), BATCH_PROGRAMS // across))
        partial = torch.empty(2, programs, channels, device=x.device)
        kernels.batch_norm_backward[(across, programs)](
            x,
            x if out is None else out,
            d_out,
            weight,
            bias,
            mean,
            var,
            d_x,
            d_add,
            partial,
            rows,
            channels,
            ctx.eps,
            ctx.add,
            ctx.relu,
            ctx.needs_input_grad[0],
            tile,
            block,
        )
        d_weight, d_bias = partial.sum(1)
        return (
            d_x if ctx.needs_input_grad[0] else None,
            d_add if ctx.add else None,
            d_weight,
            d_bias,
            None,
            None,
            None,
            None,
        )


def batch_norm(layer: nn.BatchNorm2d, x: Tensor, add: Tensor | None = None, relu: bool = True):
    """relu(norm(x) + add) of a batch norm in eval mode. (B, C, H, W) → (B, C, H, W), channels last"""
    if layer.training or not layer.affine or not works_on(x):
        x = layer(x) if add is None else layer(x) + add
        return F.relu(x) if relu else x
    return _BatchNorm.apply(
        x, add, layer.weight, layer.bias, layer.running_mean, layer.running_var, layer.eps, relu
    )


class _AveragePool(torch.autograd.Function):
    """Means of 2 × 2 pixels, channels last. (B, C, 2 h, 2 w) → (B, C, h, w)"""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        b, channels, height, width = x.shape
        out = torch.empty(
            b,
            channels,
            height // 2,
            width // 2,
            dtype=x.dtype,
            device=x.device,
            memory_format=torch.channels_last,
        )
        grid = (-(-out.numel() // ELEMENTS),)
        kernels.average_pool_forward[grid](x, out, out.numel(), channels, width // 2, ELEMENTS)
        ctx.shape = x.shape
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        d_out = gradients[0].contiguous(memory_format=torch.channels_last)
        d_x = torch.empty(
            ctx.shape, dtype=d_out.dtype, device=d_out.device, memory_format=torch.channels_last
        )
        grid = (-(-d_x.numel() // ELEMENTS),)
        kernels.average_pool_backward[grid](
            d_out, d_x, d_x.numel(), ctx.shape[1], ctx.shape[3] // 2, ELEMENTS
        )
        return d_x


def average_pool(layer: nn.Module, x: Tensor) -> Tensor:
    """An average pool of 1 or 2 pixels, or none at all. (B, C, H, W), channels last"""
    if not isinstance(layer, nn.AvgPool2d) or layer.kernel_size == 1:
        return x
    if layer.kernel_size == 2 and x.shape[2] % 2 == x.shape[3] % 2 == 0 and works_on(x):
        return _AveragePool.apply(x)
    return layer(x)
