"""Sources that are read in place, file by file: nothing is copied, and no list of all files is held."""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
import sys
import zipfile
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ueo_core.data.folder_walk import walk_folder
from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits
from ueo_core.data.path_list import LISTS, listed_files
from ueo_core.data.safe_names import UniqueNames, printable
from ueo_core.data.source_entries import Entry, Source
from ueo_core.data.tar_archive import TAR, tar_files
from ueo_core.data.zip_archive import list_zip
from ueo_core.utils.errors import UserError

Found = Entry | SkippedFile  # a file to read, or one that cannot be used, with the reason
_TELL_EACH = 1000  # files between two calls that tell how many were listed


@dataclass(frozen=True)
class Stream:
    """A source whose files can be gone through again and again, each time in the same order.

    A context manager: files of a zip can be read until it is left.

    path: a folder (tar archives in it are opened), a zip, a tar in WebDataset's layout, or a table of
    paths. The limits of one file hold; those of a whole source (max_files, max_total_bytes) do not,
    as nothing is kept.
    """

    path: Path
    limits: Limits
    avoid: Path  # a folder that is no part of the source: where results are written
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.close()

    @property
    def is_plain(self) -> bool:
        """Whether it is a folder or zip, which an intake reads as well; tars inside count as no images."""
        return self.path.suffix.casefold() not in (TAR, *LISTS) or self.path.is_dir()

    def files(self) -> Generator[Found, None, None]:
        """Every file of the source."""
        if self.path.is_dir():
            avoided = "the folder of the results itself"
            for found in walk_folder(self.path, self.limits, self.avoid, avoided):
                path = found.path if isinstance(found, Entry) else None
                if path and found.name.casefold().endswith(TAR):
                    yield from tar_files(path, self.limits, found.name + "/")
                else:
                    yield found
        elif self.path.suffix.casefold() == TAR:
            yield from tar_files(self.path, self.limits)
        elif self.path.suffix.casefold() in LISTS:
            yield from listed_files(self.path, self.limits)
        else:
            yield from self._zip()

    def _zip(self) -> Generator[Found, None, None]:
        info = self.path.stat()
        # Open until the stream is closed: files are read after the last one was listed.
        source = self.closing.enter_context(Source(self.path.name, self.path))
        file = source.closing.enter_context(self.path.open("rb"))
        limits = replace(self.limits, max_files=sys.maxsize)
        identity = (info.st_size, info.st_mtime_ns)
        list_zip(source, file, printable(str(self.path)), limits, UniqueNames(), "", identity)
        yield from source.entries
        yield from source.skipped

    def survey(self, tell: Callable[[int], object] = lambda n: None) -> tuple[int, str]:
        """How many files there are, and a fingerprint of them all, without reading one.

        tell(n): called now and then. UserError for a source without files.
        """
        mark = Fingerprint()
        with contextlib.closing(self.files()) as files:
            for found in files:
                mark.add(found)
                if mark.files % _TELL_EACH == 0:
                    tell(mark.files)
        if not mark.files:
            raise UserError(
                f"Source “{printable(str(self.path))}”: it contains no files; add images or choose another one."
            )
        return mark.files, mark.hex


class Fingerprint:
    """sha256 over names, sizes and times of files, one after the other."""

    def __init__(self) -> None:
        self.files = 0
        self._digest = hashlib.sha256()

    def add(self, found: Found) -> None:
        """The next file."""
        about = found.reason if isinstance(found, SkippedFile) else [found.size, found.identity]
        self._digest.update(json.dumps([found.name, about]).encode())
        self.files += 1

    @property
    def hex(self) -> str:
        return self._digest.hexdigest()


def open_stream(path: Path, limits: Limits, avoid: Path) -> Stream:
    """A source to be read in place, without the folder `avoid`. UserError where it is none of the kinds, or is not there."""
    shown = printable(str(path))
    try:
        kind = Path(path).stat().st_mode
        resolved = Path(path).resolve()
    except (OSError, ValueError) as error:
        raise UserError(
            f"Source “{shown}”: there is no such folder or file; check the path and its permissions."
        ) from error
    suffix = resolved.suffix.casefold()
    known = suffix in (TAR, *LISTS) or zipfile.is_zipfile(resolved)
    if not stat.S_ISDIR(kind) and not (stat.S_ISREG(kind) and known):
        raise UserError(
            f"Source “{shown}”: it is no folder, zip, .tar archive, or list of paths (.csv, .parquet); "
            "give one of these."
        )
    return Stream(resolved, limits, avoid)
