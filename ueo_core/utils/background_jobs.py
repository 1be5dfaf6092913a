"""Short work beside the pages: it goes on when a page is left, and any page may look at it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ueo_core.utils.errors import UserError

log = logging.getLogger(__name__)
KEPT = 50  # ended jobs that are remembered


class Cancelled(Exception):
    """Raised in a job's function by `Job.check` after a person has cancelled it."""


@dataclass
class Job:
    """One piece of work. Its thread writes, any number of viewers read."""

    key: str
    title: str
    done: int = 0
    total: int = 0
    what: str = ""  # being done now, in a few words
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    result: Any = None
    shown: Any = None  # what viewers may see of it while it runs; its thread replaces it as a whole
    error: str = ""  # one sentence, empty while all is well
    _cancel: threading.Event = field(default_factory=threading.Event)

    def begin(self, title: str, total: int = 0) -> None:
        """The next part of the work, with a count and an estimate of its own."""
        self.title, self.done, self.total = title, 0, total
        self.started = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Told by the function as it goes along."""
        self.done, self.total = done, total

    def advance(self, done: int, total: int) -> None:
        """`progress`, and leave the function here if a person has cancelled."""
        self.check()
        self.progress(done, total)

    def check(self) -> None:
        """Leave the function here if a person has cancelled."""
        if self._cancel.is_set():
            raise Cancelled

    def cancel(self) -> None:
        """Ask the job to end; it does so at its next look."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    @property
    def running(self) -> bool:
        return self.ended is None

    @property
    def seconds(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    @property
    def rate(self) -> float:
        """Items a second since the start."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """From the mean so far; None before the first item."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None


class Jobs:
    """The jobs of a process, by key: the same key while a job runs is the same job."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._threads: dict[str, threading.Thread] = {}  # of running jobs

    def start(self, key: str, title: str, work: Callable[[Job], Any], again: bool = False) -> Job:
        """Run `work(job)` in a thread of its own, unless the key is known already.

        A second click of one button finds the first one's job, running or ended. `again`
        replaces one that has ended.
        """
        with self._lock:
            known = self._jobs.get(key)
            if known and (known.running or not again):
                return known
            job = self._jobs[key] = Job(key, title)
            ended = [k for k, j in self._jobs.items() if not j.running]
            for old in ended[: max(0, len(ended) - KEPT)]:
                del self._jobs[old]
            thread = threading.Thread(
                target=self._run, args=(job, work), name=f"job-{key}", daemon=True
            )
            self._threads = {k: t for k, t in self._threads.items() if t.is_alive()} | {key: thread}
            thread.start()
        return job

    def end(self, seconds: float = 10) -> None:
        """Cancel all jobs, and wait for them: a process should not end while one computes."""
        with self._lock:
            jobs, threads = list(self._jobs.values()), list(self._threads.values())
        for job in jobs:
            job.cancel()
        deadline = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def get(self, key: str) -> Job | None:
        with self._lock:
            return self._jobs.get(key)

    def forget(self, key: str) -> None:
        """Drop an ended job, when its outcome has been shown."""
        with self._lock:
            if key in self._jobs and not self._jobs[key].running:
                del self._jobs[key]

    @staticmethod
    def _run(job: Job, work: Callable[[Job], Any]) -> None:
        try:
            job.result = work(job)
        except Cancelled:
            job.cancel()
        except UserError as error:
            job.error = str(error)
        except OSError as error:
            job.error = (
                f"{job.title}: {error.strerror or error}; free some space or check the folder's "
                "permissions, then try again."
            )
        except Exception as error:  # the page must say something, whatever happened
            log.exception("job %s failed", job.key)
            job.error = f"{job.title}: stopped with {type(error).__name__} ({error}); try again."
        finally:
            job.ended = time.monotonic()
