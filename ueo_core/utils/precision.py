"""In which numbers a training step computes, and where the shorter ones pay."""

import torch

PAYS = "bfloat16"


def in_force(precision: str, device: torch.device) -> str:
    """What a setting comes to on a device: `float32` or `bfloat16`.

    `auto` takes bfloat16 where the processor multiplies it faster: NVIDIA cards since Ampere,
    CPUs with AVX512-BF16 or AMX. Elsewhere it is emulated and slower than float32.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        pays = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        pays = device.type == "cpu" and (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        )
    return PAYS if pays else "float32"


def towers(precision: str, device: torch.device):
    """A context in which the towers run at `precision`; features, loss and norms stay float32.

    Weights, context vectors and their gradients are float32 throughout; the residual stream and
    the normalisations of both towers are, too. Matrix products and convolutions are not.
    """
    bfloat16 = in_force(precision, device) == PAYS
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16)
