"""List the files of a folder and its subfolders; links outside the folder are not followed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.safe_names import UniqueNames, hidden_reason, relative_name
from ueo_core.data.source_entries import Entry, Source


def list_folder(source: Source, root: Path, limits: Limits, avoid: Path) -> None:
    """Add the files under `root` to `source`, except those of the store at `avoid`."""
    names, avoid = UniqueNames(), avoid.resolve()
    waiting = [(root, "")]
    while waiting:
        folder, prefix = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                children = sorted(listing, key=lambda child: child.name)
        except OSError as error:
            source.skip(prefix or ".", f"the folder cannot be read ({error.strerror})")
            continue
        deeper = []
        for child in children:
            raw = prefix + child.name
            if source.full(limits):
                source.left_out += 1
            elif child.is_dir(follow_symlinks=False):
                if Path(child.path) == avoid:
                    source.skip(raw, "the image store itself")
                else:
                    deeper.append((Path(child.path), raw + "/"))
            else:
                _list_file(source, child, raw, root, names, limits)
        waiting.extend(reversed(deeper))


def _list_file(
    source: Source,
    child: os.DirEntry[str],
    raw: str,
    root: Path,
    names: UniqueNames,
    limits: Limits,
) -> None:
    path = Path(child.path)
    try:
        name = relative_name(raw, limits)
        if reason := hidden_reason(name):
            raise RejectedFile(reason)
        if child.is_symlink():
            path = path.resolve(strict=True)
            if not path.is_relative_to(root):
                raise RejectedFile("a link to a file outside the source")
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            raise RejectedFile("a link to a folder; links to folders are not followed")
        if not stat.S_ISREG(info.st_mode):
            raise RejectedFile("not a regular file")
    except RejectedFile as error:
        source.skip(raw, str(error))
    except (OSError, RuntimeError, ValueError) as error:
        reason = "a broken link" if child.is_symlink() else "cannot be read"
        source.skip(raw, f"{reason} ({getattr(error, 'strerror', None) or 'loop'})")
    else:
        identity = (info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        source.entries.append(
            Entry(names.unique(name), lambda: path.open("rb"), info.st_size, identity=identity)
        )
