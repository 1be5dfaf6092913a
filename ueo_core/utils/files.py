"""Whole files or none, and a lock that dies with its process."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

if os.name == "nt":
    import msvcrt
else:
    import fcntl

log = logging.getLogger(__name__)
TEMPORARY = ".part"


def write_whole(path: Path, write: Callable[[BinaryIO], None]) -> None:
    """Write beside `path` and rename into place: readers see the old file or the new one."""
    beside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{TEMPORARY}")
    try:
        try:
            file = open(beside, "wb")  # noqa: SIM115 - closed by the with below
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(beside, "wb")  # noqa: SIM115
        with file:
            write(file)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """The whole of `data`, or what was there before."""
    write_whole(path, lambda file: file.write(data) and None)


def write_json(path: Path, data: Any) -> None:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    write_bytes(path, text.encode("utf-8"))


def read_json(path: Path) -> Any | None:
    """The parsed file, or None where it is missing or broken."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        log.warning("%s cannot be read: %s", path, error)
        return None


@contextlib.contextmanager
def exclusive(path: Path, wait_seconds: float) -> Iterator[bool]:
    """Hold `path` as a lock between threads and processes; yields whether it was got.

    The operating system frees it when the process ends, however it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with open(path, "a+b") as file:
        got = _try_lock(file)
        while not got and time.monotonic() < deadline:
            time.sleep(0.02)
            got = _try_lock(file)
        try:
            yield got
        finally:
            if got:
                _unlock(file)


def _try_lock(file: BinaryIO) -> bool:
    try:
        if os.name == "nt":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno == errno.EDEADLK:  # how Windows says busy
            return False
        log.warning("no locks on this file system: %s", error)
    return True


def _unlock(file: BinaryIO) -> None:
    if os.name == "nt":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)


def unique_name() -> str:
    return uuid.uuid4().hex
