"""The original files of an image set, if they are still at the import location.

The store has pixels at training size, not files. If the source still exists, its files can be
read again; each is checked against the content hash, so that a changed file is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from ueo_core.data.entry_bytes import read_entry
from ueo_core.data.image_set import ImageSet
from ueo_core.data.limits import Limits
from ueo_core.data.source_entries import Entry
from ueo_core.data.sources import open_path
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import read_object


class Originals:
    """Original bytes of the images of a set. A context manager, as it keeps archives open."""

    def __init__(self, store: Path, images: ImageSet, source: Path | None = None) -> None:
        """source: the folder or zip file to search; None: all sources that the store has read.

        Raises `UserError` if `source` is not a folder or zip file.
        """
        self._images, self._limits = images, Limits.configured()
        self._entries: list[dict[str, Entry]] = []
        self._open = contextlib.ExitStack()
        wanted = {images.content_hash(i) for i in range(len(images))}
        if source is not None:
            self._search(source, store)
            return
        for path in _sources(store, wanted):
            with contextlib.suppress(UserError):  # deleted, or no longer a source
                self._search(path, store)

    def __enter__(self) -> Originals:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def read(self, i: int) -> bytes | None:
        """The bytes of image i's file, or None if it was deleted or changed."""
        original = self._images.original(i)
        for names in self._entries:
            for name in (original.name, *original.aliases):
                if name in names and (data := self._same(names[name], i)) is not None:
                    return data
        return None

    def _search(self, source: Path, store: Path) -> None:
        opened = self._open.enter_context(open_path(source, self._limits, store))
        self._entries.append({entry.name: entry for entry in opened.entries})

    def _same(self, entry: Entry, i: int) -> bytes | None:
        try:
            data = read_entry(entry, self._limits, lambda n: None)
        except Exception:  # readers of archives raise many kinds of errors
            return None
        same = hashlib.sha256(data).hexdigest() == self._images.content_hash(i)
        return data if same else None


def _sources(store: Path, wanted: set[str]) -> list[Path]:
    """The folders and zip files that the store has read these contents from, most files first."""
    found = []
    for path in (store / "hashes").glob("*.json"):
        listed = read_object(path)
        with contextlib.suppress(TypeError, ValueError, AttributeError):
            held = sum(sha in wanted for _, sha in listed.get("files", {}).values())
            if held:
                found.append((held, Path(listed["source"])))
    return [path for _, path in sorted(found, key=lambda f: -f[0])]
