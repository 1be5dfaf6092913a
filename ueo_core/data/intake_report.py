"""The progress of an intake and its report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """State of a running intake after each file."""

    done: int  # files processed
    total: int  # files to process
    name: str  # relative name of the last one
    seconds: float  # since the intake started

    @property
    def images_per_second(self) -> float:
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None until the first file is done."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None


@dataclass(frozen=True)
class SkippedFile:
    """A file that was skipped."""

    name: str
    reason: str


@dataclass(frozen=True)
class FileWarning:
    """A warning about a usable file; `name` is empty if it is about the whole set."""

    name: str
    reason: str


@dataclass(frozen=True)
class IntakeReport:
    """The result of one intake.

    Every file of the source is counted once: usable, skipped or duplicate. The report of a
    canceled intake covers the files processed so far; running it again continues.
    """

    set_id: str | None  # None if no image was usable
    name: str
    usable: int
    skipped: list[SkippedFile]
    duplicates: int
    duplicate_names: list[tuple[str, str]]  # (name, the image with the same bytes that is used)
    warnings: list[FileWarning]
    folders: dict[str, int]  # usable images per folder name, without those at the top level
    cancelled: bool = False
    seconds: float = 0.0
    short_side: int = 0  # pixels; the size stored for training
    srgb: bool = False  # colors are converted by the files' profiles
    decoded: int = 0  # images decoded by this intake; the others were already stored

    @property
    def limited(self) -> bool:
        """Whether a file was skipped because of a limit; see `limits.py`."""
        return any(" limit " in skipped.reason for skipped in self.skipped)

    def to_json(self) -> dict[str, Any]:
        return {
            "set_id": self.set_id,
            "name": self.name,
            "usable": self.usable,
            "skipped": [asdict(s) for s in self.skipped],
            "duplicates": self.duplicates,
            "duplicate_names": [{"name": n, "same_as": s} for n, s in self.duplicate_names],
            "classes": self.folders,
            "warnings": [asdict(w) for w in self.warnings],
            "cancelled": self.cancelled,
            "seconds": round(self.seconds, 3),
            "short_side": self.short_side,
            "srgb": self.srgb,
            "decoded": self.decoded,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> IntakeReport:
        """The inverse of `to_json`."""
        fields = dict(data)
        fields["folders"] = fields.pop("classes")
        fields["skipped"] = [SkippedFile(**s) for s in fields["skipped"]]
        fields["warnings"] = [FileWarning(**w) for w in fields["warnings"]]
        fields["duplicate_names"] = [(d["name"], d["same_as"]) for d in fields["duplicate_names"]]
        return IntakeReport(**fields)


@dataclass(frozen=True)
class SetInfo:
    """One line of the list of image sets."""

    id: str
    name: str
    n: int  # images
    bytes: int  # on disk, counting objects shared with other sets
    created: float  # seconds since the epoch
    last_used: float  # seconds since the epoch
    short_sides: list[int] = field(default_factory=list)  # pixels; sizes it was ingested at


@dataclass(frozen=True)
class Usage:
    """The disk usage of a store, in bytes."""

    total: int
    unreferenced: int  # `Store.prune` would free these
    free: int  # left on the disk
