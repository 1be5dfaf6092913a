"""Whether kernels written in Triton run on a device."""

import logging
from functools import cache

import torch

try:  # Triton comes with torch's CUDA builds for Linux
    import triton
    import triton.language as tl

    FOUND = True
except ImportError:
    FOUND = False

log = logging.getLogger(__name__)

if FOUND:

    @triton.jit
    def _one(out):
        tl.store(out, 1.0)


@cache
def run_kernels(device: torch.device) -> bool:
    """Whether kernels can be compiled for a device and run there; tried once, False on a CPU."""
    if not FOUND or device.type != "cuda":
        return False
    try:
        out = torch.zeros(1, device=device)
        _one[(1,)](out)
        return bool(out.item() == 1)
    except Exception as error:  # no C compiler, or a card that this Triton does not know
        log.warning("Separate operations are used in place of fused ones: %s", error)
        return False
