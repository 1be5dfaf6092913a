"""Whole files or none, and a lock that dies with its process."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import stat
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from ueo_core.utils.errors import UserError

log = logging.getLogger(__name__)
TEMPORARY = ".part"


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside `path` and rename into place: readers see the old file or the new one.

    A link stays, and the file that it names is written; a pipe or a device is written to.
    """
    if _is_stream(path):
        with open(path, "wb") as file:
            write(file)
        return
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    beside = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{TEMPORARY}")
    try:
        try:
            file = open(beside, "wb")  # noqa: SIM115 - closed by the with below
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(beside, "wb")  # noqa: SIM115
        with file:
            write(file)
            # Without this, a power cut can leave the new name with none of the content.
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _is_stream(path: Path) -> bool:
    """Whether `path` is a pipe, a device or an open file of a process, which no file may replace."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    open_file = os.path.abspath(path).startswith(("/dev/", "/proc/"))
    return not stat.S_ISDIR(kind) and (open_file or not stat.S_ISREG(kind))


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut, where the system can."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(opened)
    except OSError as error:  # some network file systems have no such call for folders
        log.debug("%s cannot be synced: %s", folder, error)
    finally:
        os.close(opened)


def write_bytes(path: Path, data: bytes) -> None:
    """The whole of `data`, or what was there before."""
    write_whole(path, lambda file: file.write(data))


def write_json(path: Path, data: Any, indent: int | None = None) -> None:
    """`data` as JSON in UTF-8, compact unless indented; the whole file, or what was there before."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(data, ensure_ascii=False, indent=indent, separators=separators)
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


def read_object(path: Path) -> dict:
    """The JSON object in a file; empty where it is missing, broken or something else."""
    found = read_json(path)
    return found if isinstance(found, dict) else {}


# How a file system says that it has no locks.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
NO_LOCKS = (
    "The studio's folder is on a disk without locks: two programs that work on the same run disturb each "
    "other there, so use one at a time, or name a folder of another disk in UEO_STUDIO_HOME"
)
_lockless: set[Path] = set()  # folders of this process in which a lock was not possible


def locks_missing() -> bool:
    """Whether a lock of this process was not possible, see `NO_LOCKS`."""
    return bool(_lockless)


@contextlib.contextmanager
def exclusive(path: Path, wait_seconds: float) -> Iterator[bool]:
    """Hold `path` as a lock between threads and processes; yields whether it was acquired.

    The operating system frees it when the process ends, however it ends. On a file system without
    locks it counts as acquired; the log says so once, and `locks_missing` tells the pages.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, acquired = FileLock(path, timeout=wait_seconds, thread_local=False), True
    try:
        lock.acquire(poll_interval=0.02)
    except Timeout:
        acquired = False
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        if not _lockless:
            log.warning("%s: %s", NO_LOCKS, error)
        _lockless.add(path.parent)
    try:
        yield acquired
    finally:
        lock.release()


@contextlib.contextmanager
def saving(what: str) -> Iterator[None]:
    """Turn an OSError of writing `what` (“Dataset “pets””) into a sentence. Raises `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{what}: not saved ({error.strerror or error}); free some space or check the permissions of "
            "the folder, then try again."
        ) from error


def unique_name() -> str:
    return uuid.uuid4().hex
