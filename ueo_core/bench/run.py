"""The rows of the benchmark: plain and ours alternate; median and range of several rounds."""

import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ueo_core.bench.processes import SideProcess, Task
from ueo_core.utils.errors import UserError

BACKBONES = (
    "drawings-resnet",
    "drawings-vit",
    "MobileCLIP2-S0",
    "ViT-B-32-quickgelu",
    "RN50-quickgelu",
    "ViT-B-16-quickgelu",
)
CLASSES = (10, 100, 345)
SIDES = ("plain", "ours")
Tell = Callable[[str], None]


def threads_here() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def tasks(
    backbones: Iterable[str], classes: Iterable[int], common: Task, pretrained: str | None
) -> list[Task]:
    """Every pair of backbone and number of classes; random weights where none are on this machine."""
    from ueo_core.models.catalog import DRAWINGS, is_cached

    def weights(name: str) -> str | None:
        if pretrained or name in DRAWINGS:
            return pretrained
        return "openai" if is_cached(name, "openai") else None

    return [
        replace(common, backbone=b, pretrained=weights(b), classes=c)
        for b in backbones
        for c in classes
    ]


def step_row(task: Task, rounds: int, tell: Tell) -> dict:
    """Seconds per training step of both sides; one step of each comes first and is not counted."""
    return _row(task, "step", rounds, 1, tell)


def whole_row(task: Task, rounds: int, photos: int, tell: Tell) -> dict:
    """Seconds from a folder of twelve-megapixel photos to its result, of both sides."""
    from ueo_core.bench.photos import write_photos

    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder), photos, lambda n, of: tell(f"{n} of {of} photos written"))
        row = _row(replace(task, photos=folder), "whole", rounds, 0, tell)
    return row | {"photos": photos, "epochs": task.epochs}


def _row(task: Task, what: str, rounds: int, warm: int, tell: Tell) -> dict:
    wall: dict[str, list[float]] = {side: [] for side in SIDES}
    cpu: dict[str, list[float]] = {side: [] for side in SIDES}
    memory: dict[str, float | None] = {}
    processes: dict[str, SideProcess] = {}
    label = f"{task.backbone}, {task.classes} classes"
    try:
        for side in SIDES:
            tell(f"{label}: building {side}")
            processes[side] = SideProcess(side, task)
        for number in range(warm + rounds):
            for side in SIDES:
                tell(f"{label}: {what} {number + 1} of {warm + rounds}, {side}")
                seconds, worked = getattr(processes[side], what)()
                if number >= warm:
                    wall[side].append(seconds)
                    cpu[side].append(worked)
        memory = {side: processes[side].peak_memory_mb() for side in SIDES}
        if what == "step":
            tell(f"{label}: peak of the machine")
            work, peak = processes["ours"].flops(), processes["ours"].matrix_peak()
    finally:
        for process in processes.values():
            process.close()
    plain, ours = (statistics.median(wall[side]) for side in SIDES)
    row = {
        "backbone": task.backbone,
        "pretrained": task.pretrained or ("assets" if "drawings" in task.backbone else "random"),
        "classes": task.classes,
        "batch": task.batch,
        "what": what,
        "plain_seconds": round(plain, 4),
        "seconds": round(ours, 4),
        "ratio": round(plain / ours, 2),
        "plain_spread": [round(f(wall["plain"]), 4) for f in (min, max)],
        "spread": [round(f(wall["ours"]), 4) for f in (min, max)],
        # CPU time can be compared even where other programs use the machine.
        "cpu_ratio": round(
            statistics.median(cpu["plain"]) / max(statistics.median(cpu["ours"]), 1e-9), 2
        ),
        "plain_memory_mb": memory["plain"],
        "memory_mb": memory["ours"],
        "precision": task.precision,
        "device": task.device,
        "threads": task.threads,
        "rounds": rounds,
    }
    if what == "step":
        # Operations that are computed: parts of a batch that are encoded twice count twice.
        row |= {
            "gflop": round(work / 1e9, 2),
            "peak_gflops": round(peak / 1e9, 1),
            "peak_share": round(100 * work / ours / peak, 1),
        }
    return row


def rows(todo: Iterable[Task], rounds: int, photos: int | None, tell: Tell) -> Iterator[dict]:
    """One row per task: of a step, or of the whole adaptation where a number of photos is given."""
    if rounds < 1:
        raise UserError(f"{rounds} rounds: nothing would be measured; choose 1 or more.")
    for task in todo:
        yield whole_row(task, rounds, photos, tell) if photos else step_row(task, rounds, tell)


def markdown(found: list[dict]) -> list[str]:
    """The rows as a Markdown table."""
    lines = [
        "| backbone | classes | what | plain s | ours s | ratio | CPU ratio | plain MB | ours MB | of peak |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        low, high = row["spread"]
        lines.append(
            f"| {row['backbone']} | {row['classes']} | {row['what']} of {row['batch']} | "
            f"{row['plain_seconds']:.2f} | {row['seconds']:.2f} ({low:.2f}–{high:.2f}) | "
            f"{row['ratio']:.1f}× | {row['cpu_ratio']:.1f}× | "
            f"{row['plain_memory_mb'] or 0:,.0f} | {row['memory_mb'] or 0:,.0f} | "
            f"{f'{share:.0f} %' if (share := row.get('peak_share')) else ''} |"
        )
    return lines
