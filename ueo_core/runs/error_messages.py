"""The sentence shown for an error that ended a run, by what can be done about it."""

import errno

import torch

from ueo_core.utils.errors import UserError

_PEER = ("closed by peer", "connection reset", "connection refused")
KEPT = "everything up to the last checkpoint is kept"
_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # CUDA and MPS; the CPU's
_DEVICE = ("cuda error", "cudnn", "cublas", "hip error", "mps backend", "device-side")


def out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, so that smaller batches may work.

    The CPU's allocator raises a plain RuntimeError, recognized by its message.
    """
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error).lower() for w in _MEMORY)


def sentence(error: Exception) -> str:
    """The error that ended a run as a sentence: what, why, and the way out."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"The disk is full{where}: free some space and resume; {KEPT}."
        what = error.strerror or str(error)
        return f"A file could not be read or written{where}: {what}; fix this and resume, {KEPT}."
    first = next(iter(str(error).splitlines()), "")
    if isinstance(error, RuntimeError) and any(w in first.lower() for w in _DEVICE):
        return (
            f"The GPU stopped working ({first}): restart the app and resume, or start the run again "
            f"on the CPU; {KEPT}."
        )
    if isinstance(error, RuntimeError) and any(w in str(error).lower() for w in _PEER):
        return (
            "Another process of this run has ended, perhaps for lack of memory: resume, with as many "
            f"processes or fewer; {KEPT}."
        )
    return f"The run stopped with {type(error).__name__} ({first}): resume to try again; {KEPT}."
