"""The bytes of one file of a source, within the limits, and the reason where there are none."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable

from ueo_core.data.decode import HEAD_BYTES, sniff
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.source_entries import Entry

_SMALL = 1 << 16  # bytes: a file up to this size is read at once
_CHUNK = 1 << 20  # bytes, maximum per read
_RATIO_FROM = 1 << 20  # bytes; below this size a high compression ratio is harmless
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
# What reading or keeping a file may raise; `read_reason` has the words for each.
READ_ERRORS = (RejectedFile, *_DAMAGED, OSError, ValueError, MemoryError)


def read_entry(entry: Entry, limits: Limits, count: Callable[[int], object]) -> bytes:
    """The whole file. Limits apply to the bytes read, as the size in an archive may be false.

    count(bytes) is called for what was read. Raises one of `READ_ERRORS`.
    """
    limit = limits.max_file_bytes
    if entry.size > limit:
        raise RejectedFile(f"{entry.size:,} bytes, over the limit max_file_bytes = {limit:,}")
    with entry.open() as file:
        part = file.read(entry.size + 1 if entry.size < _SMALL else HEAD_BYTES)
        sniff(part[:HEAD_BYTES])  # before the rest of a large file: a folder may contain videos
        parts, total = [], 0
        while part:
            parts.append(part)
            total += len(part)
            if total > limit:
                raise RejectedFile(f"over the limit max_file_bytes = {limit:,}")
            packed = entry.packed
            ratio = limits.max_zip_ratio
            if packed is not None and total > max(_RATIO_FROM, ratio * packed):
                raise RejectedFile(f"uncompressed size over the limit max_zip_ratio = {ratio:g}")
            count(len(part))
            # To the end and one byte more, to see that it is the end; an archive may tell a false one.
            left = entry.size + 1 - total
            part = file.read(min(_CHUNK, left) if left > 0 else _CHUNK)
    return b"".join(parts)


def read_reason(error: BaseException) -> str:
    """Why a file could not be read or kept, for a person. error: one of `READ_ERRORS`"""
    if isinstance(error, RejectedFile):
        return str(error)
    if isinstance(error, _DAMAGED):
        return "its data in the archive is damaged"
    if isinstance(error, MemoryError):
        return "reading it needs more memory than is available"
    return f"cannot be read or stored ({getattr(error, 'strerror', error)})"
