"""The runs of this process: one queue, one worker thread, any number of viewers.

Viewers read immutable snapshots; only the worker writes to the folder of a running run.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ueo_core.runs.control import Control
from ueo_core.runs.extend import extension
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.lock import RunLock, run_locked
from ueo_core.runs.snapshot import Snapshot, read_snapshot
from ueo_core.runs.states import next_state
from ueo_core.runs.viewers import Viewers
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import saving

log = logging.getLogger(__name__)

IDLE_SECONDS = 600  # after which an idle worker frees the model's memory
HOLD_SECONDS = 600  # that a paused run keeps the trainer from the queue
READ = 8  # snapshots read from disk that are cached
CLOSED = "The app was closed: resume to continue from here."
NOT_STARTED = "The app was closed before the run started: resume to start it."
INTERRUPTED = (
    "Interrupted: the app or the computer was shut down; resume to continue from the last "
    "checkpoint."
)


class Manager:
    """Runs under one folder. Create one per process; call `shutdown` before it ends."""

    def __init__(
        self,
        root: Path,
        idle_seconds: float = IDLE_SECONDS,
        hold_seconds: float = HOLD_SECONDS,
    ):
        self.root = Path(root)
        self.idle_seconds, self.hold_seconds = idle_seconds, hold_seconds
        self.viewers = Viewers()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._queue: list[str] = []
        self._current: str | None = None
        self._held: str | None = None  # a paused run that keeps the trainer, and until when
        self._held_until = 0.0
        self._control = Control()
        self._run_locks: dict[str, RunLock] = {}  # of queued runs and the current run
        self._until: dict[str, int] = {}  # run → step at which it pauses again
        self._live: dict[str, Snapshot] = {}  # only of runs of this process
        self._read: dict[str, tuple[tuple, Snapshot]] = {}  # run → (stamp of its files, snapshot)
        self._closing = False
        self._thread: threading.Thread | None = None
        for run in self.ids():
            self._mark_if_interrupted(self.folder(run))

    # Queries

    def ids(self) -> list[str]:
        """All runs, newest first."""
        found = [p.parent for p in self.root.glob("*/config.json")]
        return [p.name for p in sorted(found, key=lambda p: p.stat().st_ctime, reverse=True)]

    def folder(self, run: str) -> RunFolder:
        """A run's folder; UserError for an unknown id, or one that is not a folder name.

        The message names no path: pages may be open to a network.
        """
        if not run or Path(run).name != run or not self._exists(run):
            raise UserError(f"Run “{run}”: there is no run with this name; open one from the list.")
        return RunFolder(self.root / run)

    def new_path(self) -> Path:
        """A new, empty folder, named by the time and a number within the same second.

        Made at once, so that no second app on the same home takes the same one. UserError if it
        cannot be made.
        """
        stem = time.strftime("%Y%m%d-%H%M%S")
        with saving("The new run"):
            for name in (stem, *(f"{stem}-{i}" for i in range(2, 1000))):
                with contextlib.suppress(FileExistsError):
                    (self.root / name).mkdir(parents=True)
                    return self.root / name
        raise UserError("The new run: no folder of its name is free; try again in a second.")

    def by_request(self, request: str) -> str | None:
        """The run that an earlier click with the same request id created, or None."""
        return next((r for r in self.ids()[:50] if self.request_of(r) == request), None)

    def request_of(self, run: str) -> str:
        """The id of the click that created a run; empty if there was none, or the run is damaged."""
        try:
            return str(self.folder(run).config.get("request") or "")
        except UserError:
            return ""

    def snapshot(self, run: str) -> Snapshot:
        """The run as it is now: from memory if this process executes it, else from disk."""
        with self._lock:
            live = self._live.get(run)
        return live or self._from_disk(self.folder(run))

    def active(self) -> str | None:
        """The run that is being executed, or None."""
        return self._current

    def held(self) -> str | None:
        """The paused run that keeps the trainer, so that its next step does not wait; or None.

        For `hold_seconds`, until it is released, or until it ends.
        """
        with self._lock:
            late = time.monotonic() >= self._held_until
            if self._held is not None and (late or not self._exists(self._held)):
                self._held = None
            return self._held

    def queue(self) -> list[str]:
        """The queued runs, first in, first out."""
        with self._lock:
            return list(self._queue)

    # Actions

    def submit(self, folder: RunFolder) -> str:
        """Queue a new run. → its id"""
        with self._changed:
            self._lock_run(folder)
            self._enqueue(folder, folder.set_state("queued", phase="waiting", reason=""))
        return folder.id

    def act(self, run: str, action: str, amount: int = 1, viewer: str | None = None) -> None:
        """Pause, step, resume, stop, extend, cancel a run, or skip its check; UserError where it cannot.

        amount: steps of `step`, epochs of `extend`; viewer: must have the controls, None: no check.
        Pause and stop take effect after the current step; stop keeps the result so far.
        """
        if viewer is not None:
            self.viewers.take(viewer)
        with self._changed, _as_user_error(run):
            folder = self.folder(run)
            next_state(self.snapshot(run).state, action)  # the state that viewers see
            if action == "pause":
                self._require_lock(run)
                self._control.pause.set()
                self._apply(
                    run, {"kind": "phase", "phase": "pausing", "done": 0, "total": 0, "seconds": 0}
                )
            elif action == "skip":
                if "skip" not in self.snapshot(run).actions:
                    raise UserError("The safety check is not running, so it cannot be skipped.")
                self._require_lock(run)
                self._control.skip.set()
            elif action == "stop" and run == self._current:
                self._control.pause.clear()  # the later request counts
                self._control.stop.set()
                self._apply(run, {"kind": "state", "state": folder.move(action)})
            elif action == "cancel":
                self._require_lock(run)
                self._queue.remove(run)
                state = folder.move(action, phase="", reason="Removed from the queue.")
                self._apply(run, {"kind": "state", "state": state})
                self._run_locks.pop(run).release()
            else:
                self._requeue(folder, action, amount)

    def release(self, run: str, viewer: str | None = None) -> None:
        """Let the queued runs start although this run is paused; nothing if it keeps no trainer."""
        if viewer is not None:
            self.viewers.take(viewer)
        with self._changed:
            if self._held == run:
                self._held = None
                self._changed.notify_all()

    def reorder(self, run: str, places: int, viewer: str | None = None) -> None:
        """Move a queued run back by so many places in the queue; forward if negative."""
        if viewer is not None:
            self.viewers.take(viewer)
        with self._lock:
            if run not in self._queue:
                raise UserError(
                    "The run is no longer queued, so it cannot be moved; look at its page."
                )
            at = self._queue.index(run)
            self._queue.insert(max(0, at + places), self._queue.pop(at))

    def shutdown(self, timeout: float = 60) -> None:
        """Pause the current run after a checkpoint, and end the thread. Queued runs can be resumed."""
        with self._changed:
            self._closing = True
            self._control.why = CLOSED
            self._control.pause.set()
            for run in self._queue:
                with contextlib.suppress(
                    OSError, UserError
                ):  # the next start marks it as interrupted
                    self.folder(run).move("interrupt", phase="", reason=NOT_STARTED)
                self._run_locks.pop(run).release()
            self._queue.clear()
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout)

    # Internals

    def _requeue(self, folder: RunFolder, action: str, amount: int) -> None:
        """Queue a run that is not being executed, to resume, step, extend or stop it."""
        run = folder.id
        self._lock_run(folder)
        if run in self._live and folder.state["state"] != self._live[run].state:
            folder.set_state(self._live[run].state)  # not written before, as the disk was full
        self._until.pop(run, None)
        details = extension(folder, amount) if action == "extend" else {}
        state = folder.move(action, phase="waiting", reason="", **details)
        if action == "step":
            self._until[run] = state["step"] + amount
        # A step is waited for, and a stop is short: both come before the queued runs.
        self._enqueue(folder, state, first=action in ("step", "stop"))

    def _lock_run(self, folder: RunFolder) -> None:
        if folder.id not in self._run_locks:
            self._run_locks[folder.id] = RunLock(folder.path)

    def _require_lock(self, run: str) -> None:
        if run not in self._run_locks:
            RunLock(self.folder(run).path).release()  # raises if another process holds it
            raise UserError(
                "The process of this run has ended: reload the page and resume the run."
            )

    def _enqueue(self, folder: RunFolder, state: dict, first: bool = False) -> None:
        self._live[folder.id] = self._from_disk(folder).with_state(state)
        self._queue.insert(0 if first else len(self._queue), folder.id)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="ueo-worker", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _apply(self, run: str, event: dict) -> None:
        with self._lock:
            if run in self._live:
                old = self._live[run]
                is_state = event["kind"] == "state"
                self._live[run] = old.with_state(event["state"]) if is_state else old.applied(event)

    def _from_disk(self, folder: RunFolder) -> Snapshot:
        """Read only if a file has changed: viewers of a paused run ask every second."""
        self._mark_if_interrupted(folder)
        stamp = tuple(_stamp(folder.path / name) for name in ("state.json", "events.jsonl"))
        known = self._read.get(folder.id)
        if known is None or known[0] != stamp:
            self._read.pop(folder.id, None)
            self._read[folder.id] = known = (stamp, read_snapshot(folder))
            for old in list(self._read)[:-READ]:
                self._read.pop(old, None)
        return known[1]

    def _mark_if_interrupted(self, folder: RunFolder) -> None:
        """Mark a run whose process has ended as interrupted, so that it can be resumed."""
        try:
            state = folder.state["state"]
            if state in ("queued", "running", "stopping") and not run_locked(folder.path):
                folder.move("interrupt", phase="", reason=INTERRUPTED)
        except OSError as error:  # a run that cannot be written must not hide the others
            log.warning("run %s: its state cannot be written: %s", folder.id, error)

    def _not_executed(self, run: str, error: UserError) -> None:
        """Mark a run that could not begin as failed; its folder may have been deleted."""
        log.warning("run %s was not executed: %s", run, error)
        with contextlib.suppress(UserError, OSError, ValueError):
            folder = self.folder(run)
            if folder.state["state"] in ("queued", "running", "stopping"):
                folder.set_state("failed", phase="", reason=str(error))
                self._apply(run, {"kind": "state", "state": folder.state})

    def _forget(self, run: str) -> None:
        """Drop the snapshot of a run that has ended, unless its state could not be written."""
        try:
            written = self.folder(run).state["state"] == self._live[run].state
        except (OSError, ValueError, UserError):
            written = False
        if written:
            del self._live[run]

    def _next(self) -> str | None:
        """The queued run to execute; None while a paused run keeps the trainer, or none is queued."""
        first = next(iter(self._queue), None)
        return first if self.held() in (None, first) else None

    def _exists(self, run: str) -> bool:
        return (self.root / run / "config.json").is_file()

    def _work(self) -> None:
        """The worker thread: executes one run after the other until the process ends."""
        # torch takes seconds to import; only the worker needs it, so pages do not wait for it.
        import torch

        from ueo_core.runs.model_cache import ModelCache
        from ueo_core.runs.processes import several_processes, wanted
        from ueo_core.runs.worker import execute

        cache = ModelCache()
        while True:
            with self._changed:
                while (run := self._next()) is None and not self._closing:
                    left = self._held_until - time.monotonic()
                    if not self._changed.wait(max(0.0, left) if self._queue else self.idle_seconds):
                        cache.clear()
                if self._closing or run is None:
                    return
                self._queue.remove(run)
                self._current, self._held = run, None
                self._control = Control(until=self._until.pop(run, None))
            # One core stays free for the server that shows the run.
            torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
            try:
                with several_processes(wanted()):
                    execute(self.folder(run), self._control, partial(self._apply, run), cache)
            except UserError as error:
                self._not_executed(run, error)
            with self._changed:
                self._current = None
                if run in self._queue:  # asked for again in the moment in which it ended
                    continue
                if self._live[run].state == "paused":
                    self._held, self._held_until = run, time.monotonic() + self.hold_seconds
                self._run_locks.pop(run).release()
                self._forget(run)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@contextlib.contextmanager
def _as_user_error(run: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Run “{run}”: its folder cannot be written ({error.strerror or error}); free some space or "
            "check its permissions, then try again."
        ) from error
