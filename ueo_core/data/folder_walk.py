"""List the files of a folder and its subfolders; links outside the folder are not followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.safe_names import UniqueNames, hidden_reason, printable, relative_name
from ueo_core.data.source_entries import Entry, Source


def list_folder(source: Source, root: Path, limits: Limits, avoid: Path) -> None:
    """Add the files under `root` to `source`, except those of the store at `avoid`."""
    names = UniqueNames()
    for found in walk_folder(root, limits, avoid):
        if source.full(limits):
            source.left_out += 1
        elif isinstance(found, SkippedFile):
            source.skipped.append(found)
        else:
            name = names.unique(found.name)
            source.entries.append(found if name == found.name else replace(found, name=name))


def walk_folder(
    root: Path, limits: Limits, avoid: Path, avoided: str = "the image store itself"
) -> Iterator[Entry | SkippedFile]:
    """The files under `root` one by one, in the order of their names, except the folder `avoid`.

    avoided: what that folder is.
    Only the names of one folder at a time are held. A name may come twice where it had to be changed.
    """
    avoid = avoid.resolve()
    waiting = [(root, "")]
    while waiting:
        folder, prefix = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                children = sorted(listing, key=lambda child: child.name)
        except OSError as error:
            reason = f"the folder cannot be read ({error.strerror})"
            yield SkippedFile(printable(prefix or "."), reason)
            continue
        deeper = []
        for child in children:
            raw = prefix + child.name
            if not child.is_dir(follow_symlinks=False):
                yield _file(child, raw, root, limits)
            elif Path(child.path) == avoid:
                yield SkippedFile(printable(raw), avoided)
            else:
                deeper.append((Path(child.path), raw + "/"))
        waiting.extend(reversed(deeper))


def _file(child: os.DirEntry[str], raw: str, root: Path, limits: Limits) -> Entry | SkippedFile:
    path = Path(child.path)
    try:
        name = relative_name(raw, limits)
        if reason := hidden_reason(name):
            raise RejectedFile(reason)
        if child.is_symlink():
            path = path.resolve(strict=True)
            if not path.is_relative_to(root):
                raise RejectedFile("a link to a file outside the source")
        return file_entry(name, path)
    except RejectedFile as error:
        return SkippedFile(printable(raw), str(error))
    except (OSError, RuntimeError, ValueError) as error:
        reason = "a broken link" if child.is_symlink() else "cannot be read"
        shown = getattr(error, "strerror", None) or "loop"
        return SkippedFile(printable(raw), f"{reason} ({shown})")


def file_entry(name: str, path: Path) -> Entry:
    """A regular file as an entry. Raises `RejectedFile` for what is none, OSError where it is missing."""
    info = path.stat()
    if stat.S_ISDIR(info.st_mode):
        raise RejectedFile("a link to a folder; links to folders are not followed")
    if not stat.S_ISREG(info.st_mode):
        raise RejectedFile("not a regular file")
    identity = (info.st_size, info.st_mtime_ns, info.st_ctime_ns)
    # Without a buffer: a small file is read by a single call.
    return Entry(
        name, lambda: path.open("rb", buffering=0), info.st_size, identity=identity, path=path
    )
