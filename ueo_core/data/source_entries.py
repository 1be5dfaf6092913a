"""What a source lists: the files to read, and those it passes over with the reason."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits
from ueo_core.data.safe_names import printable


@dataclass(frozen=True)
class Entry:
    """One file of a source."""

    name: str  # safe relative posix name, unique in the source
    open: Callable[[], BinaryIO]
    size: int  # bytes it claims to have
    packed: int | None = None  # bytes in its archive, None outside one
    identity: tuple[int, ...] | None = None  # equal later: the file has not changed since


@dataclass
class Source:
    """What an intake reads: a context manager that closes its archives."""

    name: str
    path: Path | None = None  # where the identities hold
    entries: list[Entry] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    left_out: int = 0  # files beyond max_files
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.close()

    def skip(self, raw: str, reason: str) -> None:
        self.skipped.append(SkippedFile(printable(raw), reason))

    def full(self, limits: Limits) -> bool:
        return len(self.entries) + len(self.skipped) >= limits.max_files
