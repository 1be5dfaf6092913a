"""Commands on several processes, for tests."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def torchrun(processes: int) -> list[str]:
    several = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, *(several if processes > 1 else []), "-m"]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **more}


def process_of_rank(launcher: int, rank: int) -> int:
    """The process id of a rank that torchrun has started."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(
                (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            )
            given = (folder / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if parent == launcher and f"RANK={rank}".encode() in given:
            return int(folder.name)
    raise AssertionError(f"no process of rank {rank}")
