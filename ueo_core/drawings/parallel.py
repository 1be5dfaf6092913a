"""The drawings of a problem, made by several processes, in the order of `Problem.files`.

Each process is this module: it reads the problem and its share of the images from standard input, and
writes PNGs to standard output, each after its length in four bytes. Processes of `multiprocessing` would
run the program that asks again, which is the app.
"""

import contextlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ueo_core.drawings.sample import Problem

MOST = 4  # processes; more wait for the one that reads
FEW = 64  # images that are drawn sooner than processes start
_LENGTH = struct.Struct("<I")
# A drawing is arithmetic on arrays of megabytes; new memory for each takes a third of the time.
_KEEP_MEMORY = {f"MALLOC_{name}_": str(2**30) for name in ("MMAP_THRESHOLD", "TRIM_THRESHOLD")}


def drawn_files(chosen: Problem, processes: int | None = None) -> Iterator[tuple[str, str, bytes]]:
    """What `Problem.files` gives, drawn by several processes.

    processes: as many as there are cores, at most `MOST`; 1 draws in this one. What a process does not
    deliver is drawn in this one.
    """
    count = processes or min(MOST, os.cpu_count() or 1)
    names = list(chosen.names())
    if count == 1 or (processes is None and len(names) <= FEW):
        yield from chosen.files()
        return
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_worker(chosen, k, count)) for k in range(count)]
        for i, (part, name, index) in enumerate(names):
            yield part, name, _next(workers[i % count]) or chosen.image(part, index)


@contextlib.contextmanager
def _worker(chosen: Problem, first: int, step: int) -> Iterator[subprocess.Popen | None]:
    """A process that draws every `step`-th image from `first` on; None where it cannot be started."""
    given = json.dumps({"problem": asdict(chosen), "first": first, "step": step}).encode()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | _KEEP_MEMORY,
        )
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
    except OSError:
        yield None
        return
    try:
        yield process
    finally:
        process.kill()  # at the end it has ended by itself
        process.wait()
        if process.stdout:
            process.stdout.close()


def _next(process: subprocess.Popen | None) -> bytes | None:
    """The next PNG of a process; None where it has ended."""
    if process is None or process.stdout is None:
        return None
    head = process.stdout.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    png = process.stdout.read(length)
    return png if len(png) == length else None


def main() -> None:
    """Write the images that standard input names to standard output."""
    given = json.load(sys.stdin.buffer)
    chosen = Problem(**given["problem"])
    for part, _, index in list(chosen.names())[given["first"] :: given["step"]]:
        png = chosen.image(part, index)
        sys.stdout.buffer.write(_LENGTH.pack(len(png)) + png)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
