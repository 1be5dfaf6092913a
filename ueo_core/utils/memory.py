"""Memory: what a training step needs, what a device has, and reuse of freed memory on a CPU."""

import contextlib
import ctypes
import gc
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

# glibc's malloc.h: M_TRIM_THRESHOLD at the largest int, no blocks from mmap (M_MMAP_MAX), because
# M_MMAP_THRESHOLD itself ends at 32 MB; one arena, because others cannot hold large blocks.
_REUSE = ((-1, 2**31 - 1), (-4, 0), (-8, 1))
_DEFAULTS = ((-1, 128 * 1024), (-4, 65_536), (-8, 0))  # glibc's own
_users = 0  # of `reuse_freed_memory`, in all threads
_users_lock = threading.Lock()
# Share of a device's memory that activations may take; the rest is for weights, images and the app.
SHARE = 0.5
# The same for a training step on a CPU: glibc's heap grows to about twice what a step needs, because
# a freed block is seldom reused by an aligned one of the same size (RN50, 2 cores: 64 images at once
# 4.1 s and 11 GB, 32 at once 4.5 to 5.0 s and 6 GB, 16 at once 5.0 to 5.2 s and 4 GB), and other
# programs need memory as well.
STEP_SHARE = 0.06


def saved_bytes(forward: Callable[[], Tensor]) -> int:
    """Bytes that autograd saves for the backward pass of `forward()`, each storage counted once.

    Parameters that train are not counted, because they exist anyway; frozen weights are, where
    the backward pass needs them.
    """
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(value: Tensor) -> None:
        # The storage, so that its address stays its own, and not the tensor: a node that keeps its own
        # result through a hook is never freed.
        if not (value.is_leaf and value.requires_grad) and value.device.type != "meta":
            storage = value.untyped_storage()
            saved[storage.data_ptr()] = storage

    def unpack(_: None) -> Tensor:
        raise RuntimeError("there is no backward pass")

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        result = forward()
    del result
    return sum(storage.nbytes() for storage in saved.values())


def memory_of(device: torch.device) -> int | None:
    """Bytes of memory that this process may use on a device; None where it is unknown.

    The total and not what is currently free, so that a resumed run makes the same choice.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text(encoding="utf-8")))
        except (OSError, ValueError):  # no such file, or “max”
            continue
    return total


def largest_chunk(
    batch: int, bytes_per_image: int, memory: int | None, share: float = SHARE
) -> int | None:
    """Images whose activations fit into their share of the memory; None: the whole batch fits.

    A batch is split evenly, because a small last part takes longer per image.
    """
    if memory is None or batch * bytes_per_image <= share * memory:
        return None
    most = max(1, int(share * memory / bytes_per_image))
    return math.ceil(batch / math.ceil(batch / most))


@contextlib.contextmanager
def reuse_freed_memory(device: torch.device) -> Iterator[None]:
    """On a CPU with glibc, keep freed memory in the process until the last user leaves.

    This changes the allocator of the whole process, so only applications use it (the run worker,
    the protocol, classification, the benchmark), around everything they do.

    A step frees gigabytes and allocates them again: with 32 images of RN50, page faults took a
    fifth of all processor time (5.5 → 4.4 s) and resident memory grows by 20 %; encoding 128 images
    of 256 px with a MobileNet, three quarters (8.9 → 3.3 s).
    """
    global _users
    if device.type != "cpu":
        yield
        return
    with _users_lock:
        _users += 1
        _set_allocator(_REUSE)
    try:
        yield
    finally:
        with _users_lock:
            _users -= 1
            if not _users:
                _return_to_system()


def _return_to_system() -> None:
    """Restore glibc's defaults and return freed memory to the system."""
    _set_allocator(_DEFAULTS)
    if trim := _libc("malloc_trim"):
        trim(0)


def _set_allocator(options: tuple[tuple[int, int], ...]) -> None:
    if mallopt := _libc("mallopt"):
        for option, value in options:
            mallopt(option, value)


def release_memory() -> None:
    """Return unused memory to the device and to the system, also inside `reuse_freed_memory`."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    with _users_lock:
        _return_to_system()
        if _users:
            _set_allocator(_REUSE)


def _libc(name: str) -> Any:
    """A function of glibc, or None on systems with another C library."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
