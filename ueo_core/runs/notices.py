"""Which runs deserve a word: those under way, those that halted, those nobody has looked at."""

from dataclasses import dataclass
from pathlib import Path

from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager

RECENT = 30  # runs looked through; older ones are in the list of runs, not in the way


@dataclass(frozen=True)
class Notice:
    """One run in a line."""

    run: str
    title: str
    state: str
    step: int
    steps: int
    reason: str
    seen: bool  # someone has looked at it in this state

    @property
    def under_way(self) -> bool:
        return self.state in ("queued", "running", "stopping")

    @property
    def share(self) -> float:
        """Steps done, 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0


def mark_seen(folder: RunFolder) -> None:
    """Remember that someone has looked at the run as it now is."""
    try:
        (folder.path / "seen").touch()
    except OSError:  # a read-only disk costs a reminder, nothing else
        return


def notices(manager: Manager) -> list[Notice]:
    """The recent runs, the newest first. Reads two small files a run."""
    found = []
    for run in manager.ids()[:RECENT]:
        folder = manager.folder(run)
        try:
            state, title = folder.state, folder.config["title"]
        except (OSError, ValueError, KeyError):  # deleted or damaged meanwhile
            continue
        found.append(
            Notice(
                run,
                title,
                state["state"],
                state["step"],
                state["steps"] or 0,
                state["reason"],
                _seen_at(folder.path) >= state["updated"],
            )
        )
    return found


def _seen_at(path: Path) -> float:
    try:
        return (path / "seen").stat().st_mtime
    except OSError:
        return 0.0
