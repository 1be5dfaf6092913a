"""Memory: what a step will hold, what there is of it, and keeping what was freed."""

import contextlib
import ctypes
import gc
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

# glibc's malloc.h: M_TRIM_THRESHOLD as high as an int goes, and no block from mmap (M_MMAP_MAX),
# because M_MMAP_THRESHOLD itself ends at 32 MB; one arena, because others cannot hold large blocks.
_KEEP = ((-1, 2**31 - 1), (-4, 0), (-8, 1))
_AS_BEFORE = ((-1, 128 * 1024), (-4, 65_536), (-8, 0))  # glibc's own defaults
_inside = 0  # of `kept`, in all threads
_counting = threading.Lock()
SHARE = 0.5  # of a device's memory that activations may take; weights, images, app: the rest
# Of a CPU's, for a step: glibc's heap grows to about twice what a step holds at once, because a freed
# block is seldom reused by an aligned one of its own size (RN50, 2 cores: 64 images at once 4.1 s and
# 11 GB, 32 at once 4.5 to 5.0 s and 6 GB, 16 at once 5.0 to 5.2 s and 4 GB), and other programs live, too.
STEP_SHARE = 0.06


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


def largest_chunk(
    batch: int, bytes_per_image: int, memory: int | None, share: float = SHARE
) -> int | None:
    """Images whose activations fit into their share of the memory; None: the whole batch does.

    A batch is cut into parts of one size, for a small rest takes longer than its share.
    """
    if memory is None or batch * bytes_per_image <= share * memory:
        return None
    most = max(1, int(share * memory / bytes_per_image))
    return math.ceil(batch / math.ceil(batch / most))


@contextlib.contextmanager
def kept(device: torch.device) -> Iterator[None]:
    """On a CPU, keep what is freed in the process while anyone is inside; the last one gives it back.

    A step frees gigabytes and asks for them again: at 32 images of RN50 faulting them in anew took
    a fifth of all processor time (5.5 → 4.4 s), for 20 % more resident memory; encoding 128 images
    of 256 px with a MobileNet, three quarters (8.9 → 3.3 s). Whoever does several such things in
    turn goes around all of them.
    """
    global _inside
    if device.type != "cpu":
        yield
        return
    with _counting:
        _inside += 1
        _tell(_KEEP)
    try:
        yield
    finally:
        with _counting:
            _inside -= 1
            if not _inside:
                give_back()


def give_back() -> None:
    """Hand what is freed to the system now, and go on as the C library does by itself."""
    _tell(_AS_BEFORE)
    if trim := _libc("malloc_trim"):
        trim(0)


def _tell(options: tuple[tuple[int, int], ...]) -> None:
    if mallopt := _libc("mallopt"):
        for option, value in options:
            mallopt(option, value)


def release_memory() -> None:
    """Give what nobody holds any more back to the device and to the system, whatever was kept."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    with _counting:
        give_back()
        if _inside:
            _tell(_KEEP)


def _libc(name: str):
    """A function of glibc, or None on systems with another C library."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)
