"""Carries a run out in children that are killed with signal 9 at random moments.

    python -m tests.helpers.kill_host RUN SEED KILLS → one JSON object: how often it was killed, and where

A moment is a number of events and a fraction of a millisecond after them, so that a slow machine is
interrupted in the same places as a fast one. Children are forked, to import torch once.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from ueo_core.runs.extend import queue_up
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.lock import RunLock, run_locked
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.runs.worker import execute

EVENTS = 14  # at most so many before a kill


def carry_out(folder: RunFolder, heard: int) -> None:
    """In a child: a byte for every event."""
    try:
        with RunLock(folder.path):
            queue_up(folder)
            execute(folder, emit=lambda event: os.write(heard, b"."))
    finally:
        os._exit(0)


def attempt(folder: RunFolder, events: int, delay: float) -> bool:
    """One child, killed after so many events and seconds. → whether the kill came before its end"""
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hear)
        carry_out(folder, say)
    os.close(say)
    for _ in range(events):
        if not os.read(hear, 1):  # the child has ended by itself
            break
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(hear)
    return os.WIFSIGNALED(status)


def main(path: str, seed: str, kills: str) -> None:
    torch.set_num_threads(1)  # a fork does not take a pool of threads along
    folder, g, at = RunFolder.open(Path(path)), random.Random(int(seed)), []
    while len(at) < int(kills):
        killed = attempt(folder, g.randint(1, EVENTS), g.uniform(0, 1e-3))
        now = read_snapshot(folder)  # readable, whatever was being written
        assert now.state in ("queued", "running", "finished") and not run_locked(folder.path)
        for step in folder.checkpoints():
            folder.checkpoint(step)
        if not killed:
            break
        at.append(now.step)
    if folder.state["state"] != "finished":
        queue_up(folder)
        execute(folder)
    print(json.dumps({"kills": len(at), "steps": at, "state": folder.state["state"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
