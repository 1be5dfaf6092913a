"""Content-addressed images on disk: by the sha256 of the original file, at one or more sizes.

Their pixels lie in packs (packs.py), one for every intake that decoded something. Two intakes at
the same time may both store an image; the first one found serves, `prune` lets the other go.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Container, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ueo_core.data.decode import target_size
from ueo_core.data.pack_file import (
    INDEX,
    PIXELS,
    ROW_BYTES,
    Packed,
    PackWriter,
    read_pixels,
    read_rows,
    remove,
    repack,
)
from ueo_core.utils.errors import UserError

log = logging.getLogger(__name__)
THUMBNAIL_SIDE = 160  # pixels, the longer one


class Objects:
    """The `objects` folder of a store; safe to share between threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._read: dict[str, int] = {}  # pack -> rows of its index that were read
        self._found: dict[str, dict[int, Packed]] = {}  # sha -> short side -> where it lies

    def refresh(self, again: bool = False) -> None:
        """Learn what was added; `again`: read everything anew, as packs may be gone or damaged."""
        with self._lock:
            read, found = ({}, {}) if again else (self._read, self._found)
            for index in sorted(self.root.glob(f"*{INDEX}")):
                try:
                    rows, start = index.stat().st_size // ROW_BYTES, read.get(index.stem, 0)
                    if rows <= start:
                        continue
                    for packed in read_rows(self.root, index.stem, start):
                        found.setdefault(packed.sha, {}).setdefault(packed.side, packed)
                    read[index.stem] = rows
                except (OSError, ValueError) as error:  # removed meanwhile, or unreadable
                    log.warning("pack %s cannot be read: %s", index.stem, error)
            self._read, self._found = read, found

    def known(self, sha: str) -> Packed | None:
        """What is known of the image with this content hash; None where it is not stored."""
        return next(iter(self._found.get(sha, {}).values()), None)

    def has(self, packed: Packed, short_side: int) -> bool:
        """Whether a known image is stored at this short side."""
        return min(packed.width, packed.height, short_side) in self._found.get(packed.sha, {})

    def writer(self) -> PackWriter:
        return PackWriter(self.root)

    def added(self, packed: Packed) -> Packed:
        """Remember what a writer has just written."""
        with self._lock:
            self._found.setdefault(packed.sha, {}).setdefault(packed.side, packed)
        return packed

    def pixels(self, sha: str, width: int, height: int, short_side: int) -> np.ndarray:
        """uint8 (H, W, 3). Where this size is missing, the next one: larger sizes are reduced,
        a smaller one is given as it is. Raises `FileNotFoundError` when there is none.
        """
        wanted = min(width, height, short_side)
        stored = self._load(sha, wanted)
        if min(stored.shape[:2]) <= wanted:
            return stored
        size = target_size(width, height, wanted)
        return np.array(Image.fromarray(stored).resize(size, Image.Resampling.BICUBIC))

    def thumbnail(self, sha: str) -> bytes:
        """JPEG, made from the smallest pixels that will do. Raises `FileNotFoundError`."""
        image = Image.fromarray(self._load(sha, THUMBNAIL_SIDE))
        image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=80)
        return jpeg.getvalue()

    def _load(self, sha: str, side: int) -> np.ndarray:
        """The stored pixels at this short side, else the next larger, else the largest."""
        if side not in self._found.get(sha, {}):
            self.refresh()
        for last in (False, True):
            sides = self._found.get(sha, {})
            larger = [s for s in sides if s >= side]
            try:
                if sides:
                    return read_pixels(self.root, sides[min(larger) if larger else max(sides)])
            except FileNotFoundError:
                if last:
                    raise
            self.refresh(again=True)  # another process has pruned, and may have moved it
        raise FileNotFoundError(sha)

    # -- what nothing refers to -------------------------------------------------------------

    def wasted(self, used: Container[str]) -> int:
        """Bytes that `prune` would free, when only these content hashes are in use."""
        return sum(size - kept for _, size, kept, _ in self._packs(used))

    def prune(self, used: Container[str]) -> None:
        """Delete the images that are not in use; packs that hold others as well are rewritten."""
        for pack, size, kept, alive in list(self._packs(used)):
            if alive and kept == size:
                continue
            try:
                if alive:
                    repack(self.root, alive)
            except OSError as error:  # most likely no room for the copy
                log.warning("pack %s stays as it is: %s", pack, error)
            else:
                remove(self.root, pack)
        self.refresh(again=True)

    def _packs(self, used: Container[str]) -> Iterator[tuple[str, int, int, list[Packed]]]:
        """Of each pack: its id, bytes on disk, bytes in use, and the images that are in use."""
        self.refresh(again=True)
        alive: dict[str, list[Packed]] = {}
        for sha, sides in list(self._found.items()):
            for packed in sides.values() if sha in used else ():
                alive.setdefault(packed.pack, []).append(packed)
        for pack in sorted(
            {p.stem for kind in (PIXELS, INDEX) for p in self.root.glob(f"*{kind}")}
        ):
            size = sum(
                path.stat().st_size
                for path in (self.root / f"{pack}{kind}" for kind in (PIXELS, INDEX))
                if path.exists()
            )
            own = sorted(alive.get(pack, ()), key=lambda packed: packed.offset)
            yield pack, size, sum(packed.size + ROW_BYTES for packed in own), own


def missing(name: str) -> UserError:
    return UserError(
        f"{name}: its pixels are no longer in the store; take the images in again from their "
        "source."
    )
