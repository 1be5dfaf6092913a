"""The process's runs: one queue, one worker thread, any number of viewers.

Viewers read immutable snapshots; the worker is the only writer of a running run's folder.
"""

import logging
import os
import threading
import time
from pathlib import Path

from ueo_core.errors import UserError
from ueo_core.runs.control import Control
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import Snapshot, read_snapshot
from ueo_core.runs.states import next_state

log = logging.getLogger(__name__)

IDLE_SECONDS = 600  # after which an idle worker lets go of the model's memory


class Manager:
    """Runs under one folder. Create one per process; call `shutdown` before it ends."""

    def __init__(self, root: Path, idle_seconds: float = IDLE_SECONDS):
        self.root = Path(root)
        self.idle_seconds = idle_seconds
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._queue: list[str] = []
        self._current: str | None = None
        self._control = Control()
        self._until: dict[str, int] = {}  # run → step at which it pauses again
        self._live: dict[str, Snapshot] = {}  # only of runs of this process
        self._closing = False
        self._thread: threading.Thread | None = None
        self._adopt()

    # What is there

    def ids(self) -> list[str]:
        """All runs, the newest first."""
        found = [p.parent for p in self.root.glob("*/config.json")]
        return [p.name for p in sorted(found, key=lambda p: p.stat().st_ctime, reverse=True)]

    def folder(self, run: str) -> RunFolder:
        """A run's folder; UserError for an unknown id, or one that is no plain name."""
        if not run or Path(run).name != run:
            raise UserError(f"Run “{run}”: there is none of that name; open one from the list.")
        return RunFolder.open(self.root / run)

    def new_path(self) -> Path:
        """A fresh folder name: the time, and a count within the second."""
        stem = time.strftime("%Y%m%d-%H%M%S")
        names = (stem, *(f"{stem}-{i}" for i in range(2, 1000)))
        return next(self.root / n for n in names if not (self.root / n).exists())

    def by_request(self, request: str) -> str | None:
        """The run that an earlier click with the same request id made."""
        return next(
            (r for r in self.ids()[:50] if self.folder(r).config.get("request") == request), None
        )

    def snapshot(self, run: str) -> Snapshot:
        """The run as it is now, from memory when this process carries it, else from disk."""
        with self._lock:
            live = self._live.get(run)
        return live or read_snapshot(self.folder(run))

    def active(self) -> str | None:
        """The run that is being carried out now."""
        return self._current

    def queue(self) -> list[str]:
        """The waiting runs, first in first out."""
        with self._lock:
            return list(self._queue)

    # What one can do

    def submit(self, folder: RunFolder) -> str:
        """Queue a new run. → its id"""
        with self._changed:
            self._enqueue(folder)
        return folder.id

    def act(self, run: str, action: str, steps: int = 1) -> None:
        """Pause, step (by `steps`), resume, stop or cancel a run; UserError when its state forbids it.

        Pause and stop take effect after the step under way; stop keeps the result so far.
        """
        with self._changed:
            folder = self.folder(run)
            state = next_state(folder.state["state"], action)
            if action == "pause":
                self._control.pause.set()
                self._tell(run, {"kind": "phase", "phase": "pausing", "done": 0, "total": 0})
            elif action == "cancel":
                self._queue.remove(run)
                self._write(folder, state, reason="Taken out of the queue.")
            elif action == "stop" and run == self._current:
                self._write(folder, state)
                self._control.stop.set()
            else:  # resume, step, or stop of a paused run: the worker takes it up again
                self._until.pop(run, None)
                if action == "step":
                    self._until[run] = folder.state["step"] + steps
                self._enqueue(folder, state)
                if action == "step":  # a teacher is waiting: before what else is queued
                    self._queue.insert(0, self._queue.pop())

    def shutdown(self, timeout: float = 60) -> None:
        """Pause what runs, after a checkpoint, and end the thread. Queued runs stay resumable."""
        with self._changed:
            self._closing = True
            self._control.pause.set()
            for run in self._queue:
                folder = self.folder(run)
                folder.set_state(
                    "paused", reason="The app was closed before it began; resume to start it."
                )
            self._queue.clear()
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout)

    # Inside

    def _write(self, folder: RunFolder, state: str, **details) -> None:
        written = folder.set_state(state, pid=os.getpid(), **details)
        self._tell(folder.id, {"kind": "state", "state": written})

    def _enqueue(self, folder: RunFolder, state: str = "queued") -> None:
        self._write(folder, state, phase="waiting", reason="")
        self._live[folder.id] = read_snapshot(folder)
        self._queue.append(folder.id)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="ueo-worker", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _tell(self, run: str, event: dict) -> None:
        with self._lock:
            if run in self._live:
                old = self._live[run]
                is_state = event["kind"] == "state"
                self._live[run] = old.with_state(event["state"]) if is_state else old.applied(event)

    def _adopt(self) -> None:
        """Runs whose process is gone were interrupted: say so, they can be resumed."""
        for run in self.ids():
            folder = self.folder(run)
            state = folder.state
            if state["state"] in ("queued", "running", "stopping") and not _alive(state.get("pid")):
                folder.set_state(
                    next_state(state["state"], "interrupt"),
                    phase="",
                    reason="Interrupted: the app was closed or the computer went down; resume to go on "
                    "from the last checkpoint.",
                )

    def _work(self) -> None:
        """The worker thread: one run after the other, for the life of the process."""
        # torch takes seconds to import, and a page must paint before: only the worker needs it.
        import torch

        from ueo_core.runs.worker import ModelCache, execute

        cache = ModelCache()
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    if not self._changed.wait(self.idle_seconds):
                        cache.clear()
                if self._closing:
                    return
                run = self._queue.pop(0)
                self._current = run
                self._control = Control(until=self._until.pop(run, None))
            # One core stays free, or the server that shows the run starves.
            torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
            try:
                execute(self.folder(run), self._control, lambda e, r=run: self._tell(r, e), cache)
            except Exception:  # a folder that vanished or a full disk while writing the state
                log.exception("run %s: its state could not be written", run)
                self._fail_in_memory(run)
            with self._changed:
                self._current = None

    def _fail_in_memory(self, run: str) -> None:
        reason = "The run's folder could not be written; free some disk space and resume."
        state = {"state": "failed", "phase": "", "reason": reason, "step": 0, "steps": None}
        self._tell(run, {"kind": "state", "state": state})


def _alive(pid: int | None) -> bool:
    """Whether another living process owns a run. This process has just begun and owns none."""
    if pid is None or pid == os.getpid() or os.name == "nt":  # Windows has no signal 0
        return False
    try:
        os.kill(pid, 0)
    except (OSError, SystemError):
        return False
    return True
