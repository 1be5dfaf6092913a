"""The list of a source: the files to read, and the skipped files with the reason."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits
from ueo_core.data.safe_names import printable


@dataclass(frozen=True)
class Entry:
    """One file of a source."""

    name: str  # safe relative posix name, unique in the source
    open: Callable[[], IO[bytes]]  # a read may give fewer bytes than asked for; none: the end
    size: int  # bytes, as listed by its source
    packed: int | None = None  # compressed bytes in its archive, None outside one
    identity: tuple[int, ...] | None = None  # if equal later, the file has not changed
    path: Path | None = None  # of a file by itself; None in an archive and of an upload


@dataclass
class Source:
    """The input of an intake; a context manager that closes its archives."""

    name: str
    path: Path | None = None  # None for uploads, whose files have no identity
    entries: list[Entry] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    left_out: int = 0  # files beyond max_files
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.close()

    def skip(self, raw: str, reason: str) -> None:
        """Add a skipped file, by its unchecked name."""
        self.skipped.append(SkippedFile(printable(raw), reason))

    def full(self, limits: Limits) -> bool:
        """Whether the limit max_files is reached."""
        return len(self.entries) + len(self.skipped) >= limits.max_files
