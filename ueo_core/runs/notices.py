"""The recent runs in short: in progress, paused, failed, or finished and not yet seen."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.runs.stored import DamagedRun
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes

SEEN = "seen"  # a file in the run's folder
RECENT = 30  # newest runs that are considered


@dataclass(frozen=True)
class Notice:
    """The summary of one run."""

    run: str
    title: str
    state: str
    step: int
    steps: int
    reason: str
    seen: bool  # it has been viewed in its current state

    @property
    def under_way(self) -> bool:
        return self.state in ("queued", "running", "stopping")

    @property
    def share(self) -> float:
        """Steps done, 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0


def mark_seen(folder: RunFolder) -> None:
    """Store that the run has been viewed in its current state.

    By the time in the state itself, not by the clock now: that may have been set back since.
    """
    updated = folder.state["updated"]
    if not _seen(folder.path, updated):
        with contextlib.suppress(OSError):  # on a read-only disk the run only stays unseen
            write_bytes(folder.path / SEEN, str(updated).encode())


def notices(manager: Manager) -> list[Notice]:
    """The recent runs, newest first. Reads two small files per run."""
    found = []
    for run in manager.ids()[:RECENT]:
        try:
            folder = manager.folder(run)
            state, title = folder.state, folder.config["title"]
        except UserError:  # deleted in the meantime, or damaged
            continue
        found.append(
            Notice(
                run,
                title,
                state["state"],
                state["step"],
                state["steps"] or 0,
                state["reason"],
                _seen(folder.path, state["updated"]),
            )
        )
    return found


def damaged_runs(manager: Manager) -> list[str]:
    """A sentence about every recent run that `notices` leaves out because a file is damaged."""
    found = []
    for run in manager.ids()[:RECENT]:
        try:
            _ = manager.folder(run).config
        except DamagedRun as error:
            found.append(str(error))
        except UserError:  # deleted in the meantime
            continue
    return found


def _seen(path: Path, updated: float) -> bool:
    """Whether the state of that time has been viewed; earlier versions left an empty file."""
    try:
        with open(path / SEEN, "rb") as file:
            return (
                file.read() == str(updated).encode() or os.fstat(file.fileno()).st_mtime >= updated
            )
    except OSError:
        return False
