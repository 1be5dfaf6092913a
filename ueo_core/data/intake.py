"""Reading, hashing and decoding the files of a source, several at a time."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from ueo_core.data.decode import decode
from ueo_core.data.entry_bytes import READ_ERRORS, read_entry, read_reason
from ueo_core.data.intake_report import Progress
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.object_store import ObjectStore, stored_as
from ueo_core.data.pack_file import Packed, PackWriter
from ueo_core.data.source_entries import Entry

log = logging.getLogger(__name__)
# Bytes of files, and of images being decoded, that may be in memory at the same time. An image
# that needs more is decoded alone, so the limits per image bound the peak.
_FILE_MEMORY = 256 * 10**6
_DECODE_MEMORY = 400 * 10**6
_DISK_STEP = 64 * 10**6  # bytes of pixels between two checks of the free disk space
# A small photo decodes faster than a task is started, so a task gets several small files.
_BATCH_BYTES = 256 * 10**3
_BATCH_FILES = 16

HashesByName = dict[str, tuple[tuple[int, ...], str]]  # name -> (identity, content hash)


@dataclass(frozen=True)
class Outcome:
    """The result of one entry: an image in the store, or the reason why it was skipped."""

    entry: Entry
    reason: str = ""  # empty for a usable image
    sha: str = ""  # sha256 (hex) of the file, empty if it was skipped
    record: Packed | None = None  # None if it was skipped
    decoded: bool = False  # now, rather than by an earlier intake


class MemoryGate:
    """Limits the bytes in use at the same time; work that needs more than the limit runs alone."""

    def __init__(self, room: int) -> None:
        self._room, self._used = room, 0
        self._changed = threading.Condition()

    @contextmanager
    def __call__(self, size: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._used == 0 or self._used + size <= self._room)
            self._used += size
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()


class Intake:
    """One pass over entries. Threads are enough: Pillow and hashlib release the GIL."""

    def __init__(
        self,
        objects: ObjectStore,
        short_side: int,
        limits: Limits,
        known: HashesByName,
        srgb: bool = False,
    ) -> None:
        self._srgb = srgb
        self._objects, self._side, self._limits, self._known = objects, short_side, limits, known
        self._files, self._images = MemoryGate(_FILE_MEMORY), MemoryGate(_DECODE_MEMORY)
        self._lock = threading.Lock()
        self._read = 0  # bytes read by this intake
        self._room = 0  # bytes that may be written before the next check of the free disk space
        self._locks: dict[str, threading.Lock] = {}  # content hash -> locked while decoding

    def run(
        self,
        entries: list[Entry],
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        workers: int | None,
    ) -> Iterator[Outcome]:
        """Yield the outcomes in the order of the entries; ends early if canceled.

        `progress` and `cancelled` are called in the caller's thread, once per entry.
        """
        workers = workers or default_workers()
        started = time.monotonic()
        waiting: deque[Future[list[Outcome]]] = deque()
        upcoming = _batches(entries)
        done, stop = 0, threading.Event()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="intake")
        with self._objects.writer() as writer:
            try:
                while True:
                    if cancelled is not None and cancelled():
                        stop.set()  # started files are finished, no others are started
                    while not stop.is_set() and len(waiting) < 4 * workers:
                        batch = next(upcoming, None)
                        if batch is None:
                            break
                        waiting.append(pool.submit(self._process_batch, batch, writer, stop))
                    if not waiting:
                        return
                    for outcome in waiting.popleft().result():
                        done += 1
                        yield outcome
                        if progress is not None:
                            seconds = time.monotonic() - started
                            progress(Progress(done, len(entries), outcome.entry.name, seconds))
                        if cancelled is not None and cancelled():
                            stop.set()
            finally:  # `progress` may raise, for example when the user leaves the page
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _process_batch(
        self, batch: list[Entry], writer: PackWriter, stop: threading.Event
    ) -> list[Outcome]:
        return [self._process(entry, writer) for entry in batch if not stop.is_set()]

    def _process(self, entry: Entry, writer: PackWriter) -> Outcome:
        try:
            sha = self._known_hash(entry)
            if sha and (record := self._stored(sha)) is not None:
                return Outcome(entry, sha=sha, record=record)
            with self._files(entry.size):
                data = read_entry(entry, self._limits, self._count)
                sha = hashlib.sha256(data).hexdigest()
                with self._lock_of(sha):  # another file with the same bytes waits, then finds it
                    record = self._stored(sha)
                    if record is not None:
                        return Outcome(entry, sha=sha, record=record)
                    image = decode(data, self._side, self._limits, self._images, self._srgb)
                    self._check_disk(image.pixels.nbytes)
                    record = self._objects.added(
                        writer.add(stored_as(sha, self._srgb), image, self._side)
                    )
            return Outcome(entry, sha=sha, record=record, decoded=True)
        except READ_ERRORS as error:
            return Outcome(entry, read_reason(error))
        except Exception as error:  # one bad file must not stop the intake
            log.warning("%s: %r", entry.name, error, exc_info=True)
            return Outcome(entry, "cannot be read")

    def _lock_of(self, sha: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(sha, threading.Lock())

    def _known_hash(self, entry: Entry) -> str | None:
        identity, sha = self._known.get(entry.name, (None, None))
        return sha if identity is not None and identity == entry.identity else None

    def _stored(self, sha: str) -> Packed | None:
        record = self._objects.known(stored_as(sha, self._srgb))
        if record is None:
            return None
        self._limits.check_shape(record.width, record.height)
        return record if self._objects.has(record, self._side) else None

    def _count(self, size: int) -> None:
        """Add bytes read to the total. Raises `RejectedFile` over max_total_bytes."""
        with self._lock:
            self._read += size
            if self._read > self._limits.max_total_bytes:
                raise RejectedFile(
                    f"left out: the limit max_total_bytes = {self._limits.max_total_bytes:,} "
                    "is reached"
                )

    def _check_disk(self, size: int) -> None:
        """Raise `RejectedFile` if the store's disk has no space for `size` more bytes."""
        with self._lock:
            self._room -= size
            if self._room >= 0:
                return
            # The first write creates the objects folder; its parent, the store, exists.
            free = shutil.disk_usage(self._objects.root.parent).free
            self._room = min(_DISK_STEP, free - self._limits.min_free_bytes - size)
            if self._room >= 0:
                return
        raise RejectedFile(
            f"left out: only {free / 1e6:,.0f} MB are free on the store's disk, under the "
            f"limit min_free_bytes = {self._limits.min_free_bytes:,}"
        )


def _batches(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries in their order, several small ones per batch."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if batch and (size + entry.size > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch


def default_workers() -> int:
    """One thread per usable core, at most 16: with more, the disk is the bottleneck."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    return min(16, cores)
