"""The search for a learning rate, as Live and the report show it: plain data from a run's trials."""

from collections.abc import Sequence
from dataclasses import dataclass

from ueo_core.evaluation.selection import DROP, TOLERANCE, remaining, winner
from ueo_core.runs.snapshot import Snapshot


@dataclass(frozen=True)
class TriedRate:
    """One rate of the ladder."""

    lr: float
    points: tuple[tuple[int, float], ...]  # step and evidence after it, zero-shot at step 0 first
    status: str  # what became of it, a sentence without its full stop
    chosen: bool = False
    dropped: bool = False


def tried_rates(now: Snapshot) -> list[TriedRate]:
    """What is known of the rates so far, ascending; empty for a run at a given rate."""
    if not now.trials:
        return []
    first = min(t["trained"] for t in now.trials)
    early = {t["lr"]: t["criteria"] for t in now.trials if t["trained"] == first}
    # Empty until the second rung, and for a run that is too short for one.
    late = {t["lr"]: t["criteria"] for t in now.trials if t["trained"] > first}
    last = max(t["trained"] for t in now.trials)
    settled = now.phase != "choosing" and now.state != "paused"
    left = remaining(early) if late else list(early)
    chosen = winner(late or early) if settled else None
    start = next((e["criteria"]["evidence"] for e in now.evaluations if "criteria" in e), None)
    rows = []
    for lr in sorted(early):
        points = [] if start is None else [(0, start)]
        for step, found in ((first, early), (last, late)):
            if measured := found.get(lr):
                points.append((step, measured["evidence"]))
        dropped = lr not in left or (chosen is not None and lr != chosen)
        status = _status(lr, early, late, left, chosen)
        rows.append(TriedRate(lr, tuple(points), status, lr == chosen, dropped))
    return rows


def _status(lr: float, early: dict, late: dict, left: Sequence[float], chosen: float | None) -> str:
    if early[lr] is None or late.get(lr, early[lr]) is None:
        return "diverged"
    if lr not in left:
        below = _best(early) - early[lr]["evidence"]
        return f"dropped: {below:.2f} below the best (limit {DROP:g})"
    if lr == chosen:
        return "chosen: the largest rate with about the best evidence"
    if late and lr not in late:
        return "tried further"
    if chosen is None:
        return "measured"
    final = late or early
    below = _best(final) - final[lr]["evidence"]
    if below > TOLERANCE:
        return f"not chosen: {below:.2f} below the best (limit {TOLERANCE:g})"
    return "not chosen: a larger rate is about as good"


def _best(found: dict) -> float:
    return max(c["evidence"] for c in found.values() if c)
