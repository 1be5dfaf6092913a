"""Memory: what a step will hold, what there is of it, and keeping what was freed."""

import contextlib
import ctypes
import gc
import logging
import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEEP_BYTES = 2**31 - 1  # mallopt takes an int; the mmap threshold itself ends at 32 MB
SHARE = 0.5  # of all memory that one batch's activations may take; weights, images, app: the rest


def saved_bytes(forward: Callable[[], Tensor]) -> int:
    """Bytes that autograd keeps for the backward pass of `forward()`, each storage counted once.

    Parameters are not counted: they are there anyway.
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


def keep_freed_memory() -> bool:
    """Let glibc keep what is freed instead of giving it back to the system after every step.

    A step frees gigabytes and asks for them again; faulting them in anew takes a fifth of a CPU
    step. To be called before the first large tensor. → whether there was a glibc to tell
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    done = [mallopt(option, KEEP_BYTES) for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD)]
    return all(done)


def release_memory() -> None:
    """Give what nobody holds any more back to the device and to the system, whatever was kept."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)
