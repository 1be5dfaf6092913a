"""Which runs there are to compare, and which of them to begin with."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ueo_core.runs.manager import Manager
from ueo_core.utils.errors import UserError

MOST = 12  # runs side by side; more cannot be told apart in a chart
FEW = 8  # chosen by default
LISTED = 200  # the newest runs that are offered


@dataclass(frozen=True)
class Entry:
    """A run in a line of the list."""

    run: str
    title: str
    state: str
    method: str
    seed: int
    created: float  # seconds since the epoch
    together: tuple  # equal for runs of the same pool, test set and class names

    @property
    def finished(self) -> bool:
        return self.state == "finished"

    @property
    def under_way(self) -> bool:
        return self.state in ("queued", "running", "stopping")


def entry(manager: Manager, run: str) -> Entry:
    """One run; UserError for an unknown or damaged one."""
    folder = manager.folder(run)
    try:
        config, state = folder.config, folder.state["state"]
        return Entry(
            run,
            config["title"],
            state,
            config["settings"]["method"],
            int(config["settings"]["seed"]),
            float(config["created"]),
            (
                config["pool"]["fingerprint"],
                config["holdout"] and config["holdout"]["fingerprint"],
                tuple(config["classes"]),
            ),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"Run “{run}”: its folder cannot be read ({error}); choose another run."
        ) from error


def catalogue(manager: Manager) -> list[Entry]:
    """The runs that are finished or under way, the newest first; damaged ones are passed over."""
    found = []
    for run in manager.ids()[:LISTED]:
        try:
            one = entry(manager, run)
        except UserError:
            continue
        if one.finished or one.under_way:
            found.append(one)
    return found


def entry_labels(entries: Sequence[Entry]) -> dict[str, str]:
    """What each run is called in the list: title and time of making, and no two alike. → by run"""
    found = {}
    for one in entries:
        when = time.strftime("%d %b %H:%M", time.localtime(one.created))
        state = "" if one.finished else " · under way"
        found[one.run] = f"{one.title} · {when}{state}"
    taken = list(found.values())
    return {run: f"{v} · {run}" if taken.count(v) > 1 else v for run, v in found.items()}


def latest_together(entries: Sequence[Entry]) -> list[str]:
    """The newest finished runs that share the data of the newest one, the oldest first."""
    finished = [e for e in entries if e.finished]
    if not finished:
        return []
    same = [e for e in finished if e.together == finished[0].together]
    return [e.run for e in reversed(same[:FEW])]
