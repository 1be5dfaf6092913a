"""Reading, hashing and decoding the files of a source, several at a time."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
import time
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from ueo_core.data.decode import decode, sniff
from ueo_core.data.intake_report import Progress
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.object_store import Objects
from ueo_core.data.pack_file import Packed, PackWriter
from ueo_core.data.source_entries import Entry

log = logging.getLogger(__name__)
# Bytes of files, and of images being decoded, that are in memory at one time. One image that
# needs more than all of it goes alone, so the peak is bounded by the limits per image.
_FILE_MEMORY = 256 * 10**6
_DECODE_MEMORY = 400 * 10**6
_CHUNKS = 1 << 16, 1 << 20  # bytes read at a time, at least and at most
_DISK_STEP = 64 * 10**6  # bytes of pixels between two looks at the free space
# A small photo decodes faster than a thread is told of it, so small ones are handed out together.
_BATCH_BYTES = 256 * 10**3
_BATCH_FILES = 16
_RATIO_FROM = 1 << 20  # bytes; below this a high zip ratio harms nobody

Known = dict[str, tuple[tuple[int, ...], str]]  # name -> (identity, content hash)


@dataclass(frozen=True)
class Outcome:
    """What became of one entry: either a reason, or a content hash with its record."""

    entry: Entry
    reason: str | None = None
    sha: str = ""
    record: Packed | None = None
    decoded: bool = False


class MemoryGate:
    """Lets work pass while the bytes in use stay under a bound; larger work passes alone."""

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
    """One pass over entries. Threads suffice: Pillow and hashlib work outside the GIL."""

    def __init__(self, objects: Objects, short_side: int, limits: Limits, known: Known) -> None:
        self._objects, self._side, self._limits, self._known = objects, short_side, limits, known
        self._files, self._images = MemoryGate(_FILE_MEMORY), MemoryGate(_DECODE_MEMORY)
        self._lock = threading.Lock()
        self._read = 0  # bytes
        self._room = 0  # bytes that may be written before the free space is looked at
        self._turns: dict[str, threading.Lock] = {}  # content hash -> held while it is decoded

    def run(
        self,
        entries: list[Entry],
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        workers: int | None,
    ) -> Iterator[Outcome]:
        """Yield the outcomes in the order of the entries; ends early when cancelled.

        `progress` and `cancelled` are called from the caller's thread, once per entry.
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
                        stop.set()  # what has begun is finished, what has not is left
                    while not stop.is_set() and len(waiting) < 4 * workers:
                        batch = next(upcoming, None)
                        if batch is None:
                            break
                        waiting.append(pool.submit(self._take_all, batch, writer, stop))
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
            finally:  # `progress` may raise, as a page does that is left
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)

    def _take_all(
        self, batch: list[Entry], writer: PackWriter, stop: threading.Event
    ) -> list[Outcome]:
        return [self._take(entry, writer) for entry in batch if not stop.is_set()]

    def _take(self, entry: Entry, writer: PackWriter) -> Outcome:
        try:
            sha = self._known_hash(entry)
            record = self._stored(sha) if sha else None
            if record is not None:
                return Outcome(entry, None, sha, record)
            with self._files(entry.size):
                data = self._bytes(entry)
                sha = hashlib.sha256(data).hexdigest()
                with self._turn(sha):  # a copy of it waits, and finds it stored
                    record = self._stored(sha)
                    if record is not None:
                        return Outcome(entry, None, sha, record)
                    image = decode(data, self._side, self._limits, self._images)
                    self._check_disk(image.pixels.nbytes)
                    record = self._objects.added(writer.add(sha, image, self._side))
            return Outcome(entry, None, sha, record, decoded=True)
        except RejectedFile as error:
            return Outcome(entry, str(error))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            return Outcome(entry, "its part of the archive is broken")
        except (OSError, ValueError) as error:
            return Outcome(entry, f"cannot be read or kept ({getattr(error, 'strerror', error)})")
        except MemoryError:
            return Outcome(entry, "reading it needs more memory than there is")
        except Exception as error:  # one bad file never spoils the folder
            log.warning("%s: %r", entry.name, error, exc_info=True)
            return Outcome(entry, "cannot be read")

    def _turn(self, sha: str) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(sha, threading.Lock())

    def _known_hash(self, entry: Entry) -> str | None:
        identity, sha = self._known.get(entry.name, (None, None))
        return sha if identity is not None and identity == entry.identity else None

    def _stored(self, sha: str) -> Packed | None:
        record = self._objects.known(sha)
        if record is None:
            return None
        self._limits.check_shape(record.width, record.height)
        return record if self._objects.has(record, self._side) else None

    def _bytes(self, entry: Entry) -> bytes:
        """The whole file, counted as it is read: what sizes an archive claims is not believed."""
        limit = self._limits.max_file_bytes
        if entry.size > limit:
            raise RejectedFile(f"{entry.size:,} bytes, over the limit max_file_bytes = {limit:,}")
        with entry.open() as file:
            first = file.read(32)
            sniff(first)  # before the rest is read: a folder may hold films
            parts, total = [first], len(first)
            least, most = _CHUNKS
            while part := file.read(min(most, max(least, entry.size - total + 1))):
                parts.append(part)
                total += len(part)
                if total > limit:
                    raise RejectedFile(f"over the limit max_file_bytes = {limit:,}")
                packed = entry.packed
                ratio = self._limits.max_zip_ratio
                if packed is not None and total > max(_RATIO_FROM, ratio * packed):
                    raise RejectedFile(f"unpacks to more than the limit max_zip_ratio = {ratio:g}")
                self._count(len(part))
        return b"".join(parts)

    def _count(self, size: int) -> None:
        with self._lock:
            self._read += size
            if self._read > self._limits.max_total_bytes:
                raise RejectedFile(
                    f"left out: the limit max_total_bytes = {self._limits.max_total_bytes:,} "
                    "is reached"
                )

    def _check_disk(self, size: int) -> None:
        """Refuse once the store's disk has no room for `size` more bytes."""
        with self._lock:
            self._room -= size
            if self._room >= 0:
                return
            # The objects folder is made by the first write; its parent, the store, is there.
            free = shutil.disk_usage(self._objects.root.parent).free
            self._room = min(_DISK_STEP, free - self._limits.min_free_bytes - size)
            if self._room >= 0:
                return
        raise RejectedFile(
            f"left out: only {free / 1e6:,.0f} MB are free on the store's disk, under the "
            f"limit min_free_bytes = {self._limits.min_free_bytes:,}"
        )


def _batches(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Entries in their order, small ones together."""
    batch, size = [], 0
    for entry in entries:
        if batch and (size + entry.size > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch


def default_workers() -> int:
    """One thread per usable core, at most 16: beyond that the disk decides."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    return min(16, cores)
