"""Number format of the towers while a model adapts: float32, or bfloat16 where it is faster."""

import torch


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has it: NVIDIA GPUs since Ampere, CPUs with AVX512-BF16 or AMX. Else it is emulated."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and (
        torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    )


def resolve_precision(precision: str, device: torch.device) -> str:
    """The format that a setting means on a device: `float32` or `bfloat16`.

    `auto` is bfloat16 on a GPU that has it. On a CPU its flags do not tell which is faster, so `auto`
    is float32 there, unless a run measures its own tower before it begins (`models.measured_form`).
    """
    if precision != "auto":
        return precision
    return "bfloat16" if device.type == "cuda" and multiplies_bfloat16(device) else "float32"


def tower_autocast(precision: str, device: torch.device) -> torch.autocast:
    """A context in which the towers compute at `precision`; features, loss and norms stay float32.

    Weights, context vectors and their gradients are always float32, and so are the inside of every
    normalization layer and the residual stream of the text tower. Matrix products and convolutions are
    not, nor is the residual stream of an image tower, which begins with a convolution.
    """
    bfloat16 = resolve_precision(precision, device) == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16)


def precision_here(device: torch.device) -> str:
    """The format in which a tower computes where this is called: that of the `tower_autocast` around it."""
    return "bfloat16" if torch.is_autocast_enabled(device.type) else "float32"
