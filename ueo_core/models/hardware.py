"""Device, cores, memory and backbones of this machine. Imports torch, which takes seconds."""

import os
from dataclasses import dataclass

import torch

from ueo_core.models.backbones import pick_device
from ueo_core.models.catalog import available


@dataclass(frozen=True)
class Machine:
    """Hardware and available backbones, for display."""

    device: str  # chosen by `auto`: cuda, mps or cpu
    name: str  # of the accelerator; empty on a CPU
    cores: int  # available to this process
    memory_gb: float | None  # of the accelerator, else of the machine; None where unknown
    backbones: tuple[dict, ...]  # all supported ones, rows of `catalog.available`

    @property
    def here(self) -> list[dict]:
        """The backbones whose weights are on this machine."""
        return [row for row in self.backbones if row["available"]]


def this_machine() -> Machine:
    """Inspect devices, cores, memory and the local cache of weights, without network access."""
    device = pick_device("auto").type
    name, memory = "", _memory_gb()
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        name, memory = properties.name, properties.total_memory / 1e9
    return Machine(device, name, _cores(), memory, tuple(available(every=True)))


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not available on macOS and Windows
        return os.cpu_count() or 1


def _memory_gb() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return None
