"""The files of a tar archive in WebDataset's layout, read in place, with one header in memory at a time."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ueo_core.data.bounded_reads import BoundedReads
from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.safe_names import hidden_reason, printable, relative_name
from ueo_core.data.source_entries import Entry

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TAR = ".tar"
# What WebDataset keeps beside an image under the same key: labels, texts, metadata. None is read here.
_BESIDE = (".cls", ".cls2", ".id", ".idx", ".index", ".inx", ".json", ".jsonl", ".text", ".txt")
_LARGEST_HEADER = (
    1 << 20
)  # bytes of a long name or of extended headers, of which names need some hundred


def tar_files(path: Path, limits: Limits, prefix: str = "") -> Iterator[Entry | SkippedFile]:
    """The images of an uncompressed tar archive in their order; UTF-8 names.

    prefix: before each name. What is no regular file, or leads elsewhere by its name, is skipped with
    the reason, and so is the rest of a damaged archive.
    """
    name, found = prefix.rstrip("/") or printable(path.name), 0
    try:
        info = path.stat()
        identity = (info.st_size, info.st_mtime_ns)
        with path.open("rb") as file:
            bounded = BoundedReads(file, _LARGEST_HEADER, "a header", "header_bytes")
            # The archive is not closed, which would do nothing but close the file.
            archive = tarfile.open(fileobj=bounded, mode="r:", encoding="utf-8")  # noqa: SIM115
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it would keep every header
                if not member.isdir() and not member.name.casefold().endswith(_BESIDE):
                    yield _member(path, member, prefix, identity, limits)
                    found += 1
            file.seek(archive.offset)
            if any(file.read(tarfile.BLOCKSIZE)):  # where the end should be, which is zeros
                raise tarfile.ReadError("bad header")
    except RejectedFile as error:
        yield SkippedFile(name, f"{error}; what follows in this archive is not read")
    except (tarfile.TarError, ValueError, EOFError, OverflowError):
        yield SkippedFile(name, f"the archive is damaged after {found:,} of its files")
    except OSError as error:
        yield SkippedFile(name, f"cannot be read ({error.strerror or error})")


def _member(
    path: Path, member: tarfile.TarInfo, prefix: str, archive: tuple[int, int], limits: Limits
) -> Entry | SkippedFile:
    try:
        name = prefix + relative_name(member.name, limits)
        if reason := hidden_reason(name):
            raise RejectedFile(reason)
        if member.issym() or member.islnk():
            raise RejectedFile("a link inside the archive")
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise RejectedFile("not a regular file")
    except RejectedFile as error:
        return SkippedFile(prefix + printable(member.name), str(error))
    start, size = member.offset_data, member.size
    return Entry(name, partial(_open_part, path, start, size), size, identity=(*archive, start))


def _open_part(path: Path, start: int, size: int) -> IO[bytes]:
    return io.BufferedReader(_Part(path, start, size))


class _Part(io.RawIOBase):
    """A range of bytes of a file, for reading from its start to its end."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._file.seek(start)
        self._left = size

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._file.read(min(len(view), self._left)) or b""
        self._left -= len(data)
        view[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()
