"""Runs of the app on all GPUs of the machine: this process and one more for each further GPU."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ueo_core.training.ranks import Ranks, serve
from ueo_core.utils.errors import UserError

PROCESSES = "UEO_STUDIO_PROCESSES"  # how many are used; by default, one for each GPU
HOST = "127.0.0.1"


def wanted() -> int:
    """How many processes a run of the app uses. UserError where the variable is no number from 1 on."""
    given = os.environ.get(PROCESSES, "").strip()
    if given:
        if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= 64:
            raise UserError(f"{PROCESSES}={given}: give a number of processes from 1 to 64.")
        return int(given)
    import torch

    return max(1, torch.cuda.device_count())


@contextlib.contextmanager
def several_processes(count: int) -> Iterator[None]:
    """Start count − 1 processes that serve this one (see `training.ranks`); they end with the block."""
    if count == 1:
        yield
        return
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    started = [_start(rank, count, port) for rank in range(1, count)]
    try:
        ranks = Ranks(0, count, f"tcp://{HOST}:{port}")
        try:
            yield
        finally:
            with contextlib.suppress(RuntimeError):  # one of them has died
                ranks.close()
    finally:
        for process in started:  # they have no state
            process.kill()
            process.wait()


def _start(rank: int, count: int, port: int) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(rank), str(count), str(port)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "LOCAL_RANK": str(rank)},
    )


def main(rank: str, count: str, port: str) -> None:
    """Serve the process that started this one, until it ends."""
    ranks = Ranks(int(rank), int(count), f"tcp://{HOST}:{port}")
    serve(ranks)


if __name__ == "__main__":
    main(*sys.argv[1:])
