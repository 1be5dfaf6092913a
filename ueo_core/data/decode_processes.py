"""Files decoded by several processes, in the order of their source, with few of them in memory.

Each process is this module: it reads files from standard input, and writes their pixels to standard output.
Processes of `multiprocessing` would run the program that asks again. A thread for each process reads the
files, so that limits are checked in one place, and waits for its pixels.
"""

from __future__ import annotations

import contextlib
import json
import logging
import struct
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from ueo_core.data.decode import decode
from ueo_core.data.entry_bytes import READ_ERRORS, read_entry, read_reason
from ueo_core.data.intake import default_workers
from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.stream import Found
from ueo_core.utils.files import exclusive

log = logging.getLogger(__name__)
_TOGETHER = 16  # files that one task of a process has
_AHEAD = 3  # tasks for each process that wait or are done, but are not asked for yet
_LARGE = 100 * 10**6  # bytes: images that need more to be decoded are decoded one at a time
_LENGTH = struct.Struct("<q")  # of a file; negative: of the text why a file cannot be used
_SHAPE = struct.Struct("<4I")  # rows and columns of the pixels, width and height of the original
_READY = b"+"  # written by a process that has started


@dataclass(frozen=True)
class ReadFile:
    """A file of a source, decoded, or the reason why it is not."""

    name: str
    pixels: np.ndarray | None  # uint8 (H, W, 3), reduced to the short side; None with a reason
    size: tuple[int, int] = (0, 0)  # width and height of the upright original
    reason: str = ""


def read_files(
    found: Iterable[Found],
    short_side: int,
    limits: Limits,
    processes: int | None = None,
    srgb: bool = False,
) -> Generator[ReadFile, None, None]:
    """Decode files as the store does, in their order.

    srgb: convert colors by the files' profiles; processes: None: as many as there are cores, at most 16; 0 decodes in this one. A file that ends its
    process, which no known one does, is skipped with that reason.
    """
    count = default_workers() if processes is None else processes
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ueo-"))
        lock = Path(folder, "large")
        workers = [_Worker(short_side, limits, srgb, lock) for _ in range(count)]
        for worker in workers:
            stack.callback(worker.close)
        idle = deque(workers)
        pool = stack.enter_context(ThreadPoolExecutor(max(1, count), thread_name_prefix="decode"))
        stop = threading.Event()

        def work(task: list[Found]) -> list[ReadFile]:
            if stop.is_set():
                return []
            if not count:
                return [_here(f, short_side, limits, srgb) for f in task]
            worker = idle.popleft()  # there are as many threads as processes
            try:
                return [worker.read(f) for f in task]
            finally:
                idle.append(worker)

        files, waiting = iter(found), deque[Future[list[ReadFile]]]()
        try:
            while True:
                while len(waiting) < _AHEAD * max(1, count) and (
                    task := list(islice(files, _TOGETHER))
                ):
                    waiting.append(pool.submit(work, task))
                if not waiting:
                    return
                yield from waiting.popleft().result()
        finally:
            stop.set()


def _bytes(found: Found, limits: Limits) -> bytes | SkippedFile:
    if isinstance(found, SkippedFile):
        return found
    try:
        return read_entry(found, limits, lambda n: None)
    except READ_ERRORS as error:
        return SkippedFile(found.name, read_reason(error))
    except Exception as error:  # one bad file must not end the others
        log.warning("%s: %r", found.name, error, exc_info=True)
        return SkippedFile(found.name, "cannot be read")


def _here(found: Found, short_side: int, limits: Limits, srgb: bool) -> ReadFile:
    data = _bytes(found, limits)
    if isinstance(data, SkippedFile):
        return ReadFile(data.name, None, reason=data.reason)
    return _decoded_here(found.name, data, short_side, limits, srgb)


def _decoded_here(name: str, data: bytes, short_side: int, limits: Limits, srgb: bool) -> ReadFile:
    try:
        image = decode(data, short_side, limits, lambda n: contextlib.nullcontext(), srgb)
    except RejectedFile as error:
        return ReadFile(name, None, reason=str(error))
    return ReadFile(name, image.pixels, (image.width, image.height))


class _Worker:
    """A process that decodes, started when it is first needed, and again when it has ended."""

    def __init__(self, short_side: int, limits: Limits, srgb: bool, lock: Path) -> None:
        """lock: a file by which processes wait for each other with large images."""
        start = {"short_side": short_side, "limits": asdict(limits), "lock": str(lock)}
        self._start = json.dumps(start | {"srgb": srgb}).encode() + b"\n"
        self._side, self._limits, self._srgb = short_side, limits, srgb
        self._process: subprocess.Popen[bytes] | None = None
        self._missing = False  # whether it could not be started

    def read(self, found: Found) -> ReadFile:
        """One file, decoded."""
        data = _bytes(found, self._limits)
        if isinstance(data, SkippedFile):
            return ReadFile(data.name, None, reason=data.reason)
        return self._decoded(found.name, data)

    def _decoded(self, name: str, data: bytes) -> ReadFile:
        if (pipes := self._pipes()) is None:
            return _decoded_here(name, data, self._side, self._limits, self._srgb)
        to, back = pipes
        try:
            to.write(_LENGTH.pack(len(data)) + data)
            to.flush()
            (length,) = _LENGTH.unpack(_exactly(back, _LENGTH.size))
            if length < 0:
                return ReadFile(name, None, reason=_exactly(back, -length).decode())
            rows, columns, width, height = _SHAPE.unpack(_exactly(back, _SHAPE.size))
            pixels = np.frombuffer(_exactly(back, length), np.uint8).reshape(rows, columns, 3)
            return ReadFile(name, pixels, (width, height))
        except (OSError, EOFError):
            self.close()
            reason = "decoding it ended the process, which may need more memory"
            return ReadFile(name, None, reason=reason)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]] | None:
        """Its input and output; None where no process can be started."""
        if self._process is None and not self._missing:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd=Path(__file__).resolve().parents[2],
                )
                assert self._process.stdin is not None and self._process.stdout is not None
                self._process.stdin.write(self._start)
                self._process.stdin.flush()
                _exactly(self._process.stdout, len(_READY))
            except (OSError, EOFError) as error:
                log.warning("Decoding in this process, as no other can be started: %r", error)
                self._missing = True
                self.close()
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return None
        return self._process.stdin, self._process.stdout

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process = None


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def main() -> None:
    """Write the pixels of the files that standard input holds to standard output."""
    given, out = sys.stdin.buffer, sys.stdout.buffer
    start = json.loads(given.readline())
    limits, lock = Limits(**start["limits"]), Path(start["lock"])
    out.write(_READY)
    out.flush()

    def gate(need: int) -> contextlib.AbstractContextManager[Any]:
        return exclusive(lock, -1) if need > _LARGE else contextlib.nullcontext()

    while len(head := given.read(_LENGTH.size)) == _LENGTH.size:
        data = given.read(_LENGTH.unpack(head)[0])
        try:
            image = decode(data, start["short_side"], limits, gate, start["srgb"])
        except RejectedFile as error:
            reason = str(error).encode()
            out.write(_LENGTH.pack(-len(reason)) + reason)
        else:
            rows, columns = image.pixels.shape[:2]
            shape = _SHAPE.pack(rows, columns, image.width, image.height)
            out.write(_LENGTH.pack(image.pixels.nbytes) + shape + image.pixels.tobytes())
        out.flush()


if __name__ == "__main__":
    main()
