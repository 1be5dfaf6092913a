"""Many files as one folder or one zip archive: all of them, or nothing."""

import contextlib
import errno
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ueo_core.data.safe_names import shortened
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import TEMPORARY, unique_name

# The whole export ends where the disk cannot take more; another error concerns one file.
_ENDS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV}


class NotWritten(Exception):
    """One file could not be written; others can. The message is the reason."""


class Writer(Protocol):
    """Writes files by their relative POSIX paths."""

    def write(self, place: str, data: bytes) -> None:
        """Raises `NotWritten` for what concerns this file, `OSError` for what concerns all."""


@contextlib.contextmanager
def whole_tree(out: Path) -> Iterator[Writer]:
    """Write below a folder beside `out`, or to an archive there, and rename it into place at the end.

    `out` becomes an archive when it ends in .zip, in any case, else a new folder. Nothing is left on
    disk after an exception. UserError when `out` exists and is not a .zip file, or cannot be written.
    """
    archive = is_archive(out)
    if out.exists() and (not archive or out.is_dir()):
        raise UserError(f"Folder “{out}”: it exists already; choose the name of a new one.")
    beside = out.with_name(shortened(f".{out.name}", 200) + f".{unique_name()}{TEMPORARY}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if archive:
            # Photos are compressed already: storing them as they are is many times faster.
            with zipfile.ZipFile(beside, "x", zipfile.ZIP_STORED) as opened:
                yield _ToArchive(opened)
        else:
            beside.mkdir()
            yield ToFolder(beside)
        os.replace(beside, out)
    except OSError as error:
        raise cannot_be_written(out, error) from None
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                beside.unlink()


def is_archive(out: Path) -> bool:
    """Whether a path is to become a zip archive."""
    return out.suffix.casefold() == ".zip"


def cannot_be_written(out: Path, error: OSError) -> UserError:
    return UserError(
        f"Export “{out}”: it cannot be written ({error.strerror}); choose another place or free space."
    )


class _ToArchive:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def write(self, place: str, data: bytes) -> None:
        self._archive.writestr(place, data)


class ToFolder:
    """Files below a folder that is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, place: str, data: bytes) -> None:
        path = self._folder / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink()
            if error.errno in _ENDS:
                raise
            raise NotWritten(error.strerror) from error
