"""Folders, zip archives and uploads as lists of files to read; all of them are untrusted."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ueo_core.data.decode import HEAD_BYTES, sniff
from ueo_core.data.folder_walk import list_folder
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.safe_names import UniqueNames, hidden_reason, printable, relative_name
from ueo_core.data.source_entries import Entry, Source
from ueo_core.data.zip_archive import list_zip
from ueo_core.utils.errors import UserError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Upload = tuple[str, "BinaryIO | bytes | Path"]


def open_path(path: Path, limits: Limits, avoid: Path) -> Source:
    """List the files of a folder or zip archive, without those of the store at `avoid`.

    Raises `UserError` for a missing or empty source and for a file that is not a zip archive.
    """
    path = Path(path)
    shown = printable(str(path))
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise UserError(
            f"Source “{shown}”: there is no such folder or zip file; check the path and its "
            "permissions."
        ) from error
    resolved = path.resolve()
    source = Source(name=printable(resolved.name or str(path)), path=resolved)
    if stat.S_ISDIR(kind):
        list_folder(source, resolved, limits, avoid)
    elif stat.S_ISREG(kind) and zipfile.is_zipfile(path):
        info = path.stat()
        opened = source.closing.enter_context(path.open("rb"))
        identity = (info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        try:
            list_zip(source, opened, shown, limits, UniqueNames(), identity=identity)
        except BaseException:
            source.closing.close()
            raise
    else:
        raise UserError(
            f"Source “{shown}”: it is neither a folder nor a zip file; give the folder with the "
            "images, or a zip file of it."
        )
    if not source.entries and not source.skipped:
        source.closing.close()
        raise UserError(
            f"Source “{shown}”: it contains no files; add images or choose another one."
        )
    return source


def open_uploads(files: Iterable[Upload], name: str, limits: Limits) -> Source:
    """List uploaded files. A zip file among other files becomes a folder of the same name.

    Raises `UserError` if there are none.
    """
    source, names = Source(name=name), UniqueNames()
    uploads = list(files)
    if not uploads:
        raise UserError("Upload: no files were given; choose images, a folder or a zip file.")
    for raw, content in uploads:
        if source.full(limits):
            source.left_out += 1
            continue
        try:
            safe = relative_name(raw, limits)
            size, opener = _upload(content)
        except (RejectedFile, OSError, ValueError) as error:
            source.skip(raw, str(error) if isinstance(error, RejectedFile) else "cannot be read")
            continue
        if reason := hidden_reason(safe):
            source.skip(safe, reason)
        elif _starts_as_zip(opener):
            file = source.closing.enter_context(opener())
            prefix = "" if len(uploads) == 1 else safe.removesuffix(".zip") + "/"
            try:
                list_zip(source, file, printable(raw), limits, names, prefix)
            except UserError as error:
                source.skip(safe, str(error))
        elif safe.casefold().endswith(".zip") and not _starts_as_image(opener):
            source.skip(
                safe, "has the name of a zip file but is not one: damaged, or not completely copied"
            )
        else:
            source.entries.append(Entry(names.unique(safe), opener, size))
    return source


def within_roots(path: str | Path, roots: Sequence[Path]) -> Path:
    """Resolve `path`. Raises `UserError` unless it is inside one of the folders `roots`."""
    shown = printable(str(path))
    try:
        resolved = Path(path).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"Path “{shown}”: it is not a valid path; check its spelling.") from error
    if not any(resolved.is_relative_to(Path(root).resolve()) for root in roots):
        allowed = ", ".join(str(root) for root in roots) or "none"
        raise UserError(
            f"Path “{shown}”: it is outside the folders that may be read ({allowed}); choose a path "
            "inside them, or start the app with another root."
        )
    return resolved


def _upload(content: BinaryIO | bytes | Path) -> tuple[int, Callable[[], BinaryIO]]:
    if isinstance(content, (bytes, bytearray, memoryview)):
        return len(content), lambda: io.BytesIO(content)
    if isinstance(content, (str, Path)):
        path = Path(content)
        return path.stat().st_size, lambda: path.open("rb")
    size = content.seek(0, os.SEEK_END)
    return size, lambda: io.BufferedReader(_Rewound(content))


class _Rewound(io.RawIOBase):
    """A caller's open file, read from its start and left open afterwards."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0)

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._file.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _starts_as_zip(opener: Callable[[], BinaryIO]) -> bool:
    try:
        with opener() as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def _starts_as_image(opener: Callable[[], BinaryIO]) -> bool:
    try:
        with opener() as file:
            return bool(sniff(file.read(HEAD_BYTES)))
    except (OSError, RejectedFile):
        return False
