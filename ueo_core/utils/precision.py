"""Number format of training steps: float32, or bfloat16 where it is faster."""

import torch


def resolve_precision(precision: str, device: torch.device) -> str:
    """The format that a setting means on a device: `float32` or `bfloat16`.

    `auto` is bfloat16 where the hardware multiplies it faster: NVIDIA GPUs since Ampere, CPUs with
    AVX512-BF16 or AMX. Elsewhere it is emulated and slower than float32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        faster = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        faster = device.type == "cpu" and (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        )
    return "bfloat16" if faster else "float32"


def tower_autocast(precision: str, device: torch.device) -> torch.autocast:
    """A context in which the towers compute at `precision`; features, loss and norms stay float32.

    Weights, context vectors and their gradients are always float32, and so are the inside of every
    normalization layer and the residual stream of the text tower. Matrix products and convolutions are
    not, nor is the residual stream of an image tower, which begins with a convolution.
    """
    bfloat16 = resolve_precision(precision, device) == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16)
