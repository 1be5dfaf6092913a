"""Memory: what a step will hold, what there is of it, and keeping what was freed."""

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

# glibc's malloc.h: M_TRIM_THRESHOLD as high as an int goes, and no block from mmap (M_MMAP_MAX),
# because M_MMAP_THRESHOLD itself ends at 32 MB; one arena, because others cannot hold large blocks.
_KEEP = ((-1, 2**31 - 1), (-4, 0), (-8, 1))
_AS_BEFORE = ((-1, 128 * 1024), (-4, 65_536), (-8, 0))  # glibc's own defaults
SHARE = 0.5  # of all memory that one batch's activations may take; weights, images, app: the rest


def saved_bytes(forward: Callable[[], Tensor]) -> int:
    """Bytes that autograd keeps for the backward pass of `forward()`, each storage counted once.

    What trains is not counted, being there anyway; frozen weights are, where the pass needs them.
    """
    held: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        if not (value.is_leaf and value.requires_grad) and value.device.type != "meta":
            storage = value.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        result = forward()
    del result
    return sum(held.values())


def memory_of(device: torch.device) -> int | None:
    """Bytes of memory that this process may use on a device; None where the system does not tell.

    All of it and not what is free just now, so that a run and its resumption choose alike.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):  # no such file, or “max”
            continue
    return total


def largest_chunk(batch: int, bytes_per_image: int, memory: int | None) -> int | None:
    """Images whose activations fit into their share of the memory; None: the whole batch does."""
    if memory is None or batch * bytes_per_image <= SHARE * memory:
        return None
    return max(1, int(SHARE * memory / bytes_per_image))


def keep_freed() -> bool:
    """Let glibc keep what is freed instead of giving it back to the system after every step.

    A CPU step frees gigabytes and asks for them again: at 32 images of RN50 faulting them in
    anew took a fifth of all processor time (5.5 → 4.4 s), for 20 % more resident memory. To be
    called before the first large tensor. → whether there was a glibc to tell
    """
    mallopt = _libc("mallopt")
    if mallopt is None:
        return False
    return all(mallopt(option, value) for option, value in _KEEP)


def give_back() -> None:
    """Hand what is freed to the system now: a run is over, and the server goes on."""
    mallopt, trim = _libc("mallopt"), _libc("malloc_trim")
    if mallopt and trim:
        for option, value in _AS_BEFORE:
            mallopt(option, value)
        trim(0)


def release_memory() -> None:
    """Give what nobody holds any more back to the device and to the system, whatever was kept."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    give_back()


def _libc(name: str):
    """A function of glibc, or None on systems with another C library."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
