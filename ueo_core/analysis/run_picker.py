"""The runs that can be compared, and the default selection."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.utils.errors import UserError

MOST = 12  # runs side by side; more cannot be distinguished in a chart
FEW = 8  # largest default selection
LISTED = 200  # newest runs that are listed


@dataclass(frozen=True)
class RunEntry:
    """A run in the list."""

    run: str
    title: str
    state: str
    method: str
    seed: int
    created: float  # seconds since the epoch
    together: tuple  # equal for runs with the same pool, test set and class names

    @property
    def finished(self) -> bool:
        return self.state == "finished"

    @property
    def under_way(self) -> bool:
        return self.state in ("queued", "running", "stopping")


def entry(manager: Manager, run: str) -> RunEntry:
    """A run's entry; UserError for an unknown or damaged run."""
    folder = manager.folder(run)
    config = folder.config
    return RunEntry(
        run,
        config["title"],
        folder.state["state"],
        config["settings"]["method"],
        config["settings"]["seed"],
        float(config["created"]),
        (
            config["pool"]["fingerprint"],
            config["holdout"] and config["holdout"]["fingerprint"],
            tuple(config["classes"]),
        ),
    )


def catalog(manager: Manager) -> list[RunEntry]:
    """The runs that are finished or in progress, newest first; damaged runs are skipped."""
    found = []
    for run in manager.ids()[:LISTED]:
        try:
            one = entry(manager, run)
        except UserError:
            continue
        if one.finished or one.under_way:
            found.append(one)
    return found


def entry_labels(entries: Sequence[RunEntry]) -> dict[str, str]:
    """A unique label of each run: title and time of creation, with the folder if needed. → by run"""
    found = {}
    for one in entries:
        when = time.strftime("%d %b %H:%M", time.localtime(one.created))
        state = "" if one.finished else " · in progress"
        found[one.run] = f"{one.title} · {when}{state}"
    taken = list(found.values())
    return {run: f"{v} · {run}" if taken.count(v) > 1 else v for run, v in found.items()}


def result_figures(folder: RunFolder) -> dict[str, dict[str, float | None]] | None:
    """ACC and HM of every model of a finished run, on its test set if that has labels, else the pool.

    → {"zero_shot": {"acc", "hm"}, "adapted": …}; None without labels, or without a readable result.
    """
    metrics = (folder.result() or {}).get("metrics") or {}
    found = metrics.get("holdout") or metrics.get("pool")
    return found and {which: {k: m.get(k) for k in ("acc", "hm")} for which, m in found.items()}


def figures_text(folder: RunFolder) -> str:
    """What a run achieved, in a few words: "HM 62.8 → 88.7"; empty without labels."""
    found = result_figures(folder)
    if not found:
        return ""
    name = "hm" if found["adapted"]["hm"] is not None else "acc"
    before, after = (found[which][name] for which in ("zero_shot", "adapted"))
    return "" if before is None or after is None else f"{name.upper()} {before:.1f} → {after:.1f}"


def best_finished(manager: Manager, entries: Sequence[RunEntry]) -> str | None:
    """The finished run to offer first: of those with the newest one's data, the one with the best HM.

    Where no run has labels, the newest that the safety check does not speak against, else the newest.
    """
    runs = latest_together(entries)
    if not runs:
        return None

    def rank(run: str) -> tuple:
        folder = manager.folder(run)
        figures = (result_figures(folder) or {}).get("adapted", {})
        measured = figures.get("hm") if figures.get("hm") is not None else figures.get("acc")
        return measured if measured is not None else -1.0, _unopposed(folder), runs.index(run)

    return max(runs, key=rank)


def _unopposed(folder: RunFolder) -> bool:
    """Whether the safety check recommends the last epoch, or was off."""
    guard = (folder.result() or {}).get("guard")
    return guard is None or guard["share"] == 1


def latest_together(entries: Sequence[RunEntry]) -> list[str]:
    """The newest finished runs with the same data as the newest one, oldest first."""
    finished = [e for e in entries if e.finished]
    if not finished:
        return []
    same = [e for e in finished if e.together == finished[0].together]
    return [e.run for e in reversed(same[:FEW])]
