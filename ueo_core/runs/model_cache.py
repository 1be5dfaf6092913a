"""The last model used stays loaded for the next run, and is let go of when nobody comes."""

import ctypes
import gc

import torch

from ueo_core import backbones
from ueo_core.settings import Settings


class ModelCache:
    """One backbone, so that a pause and resume does not load it again."""

    def __init__(self) -> None:
        self._key, self._backbone = None, None

    def get(self, settings: Settings) -> backbones.Backbone:
        """The backbone of these settings."""
        key = (settings.backbone, settings.pretrained, settings.device)
        if key != self._key:
            self.clear()
            self._backbone = backbones.load(*key)
            self._key = key
        return self._backbone

    def clear(self) -> None:
        """Let go of it, and give its memory back."""
        if self._key is not None:
            self._key, self._backbone = None, None
            release_memory()


def release_memory() -> None:
    """Return what nobody holds any more to the device and to the operating system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    # glibc keeps freed memory in the process until it is asked; other C libraries do not know this.
    trim = getattr(ctypes.CDLL(None) if hasattr(ctypes, "CDLL") else None, "malloc_trim", None)
    if trim is not None:
        trim(0)
