"""Content-addressed images on disk: by the sha256 of the original file, at one or more sizes.

Their pixels are in packs (pack_file.py), one for every intake that decoded images. Two intakes at
the same time may both store an image; the first one found is used, `prune` deletes the other.
"""

from __future__ import annotations

import hashlib
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


class ObjectStore:
    """The `objects` folder of a store; safe to share between threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._read: dict[str, int] = {}  # pack -> rows of its index that were read
        self._found: dict[str, dict[int, Packed]] = {}  # sha -> short side -> its place

    def refresh(self, again: bool = False) -> None:
        """Read new index rows. again: read everything, as packs may be missing or damaged."""
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
                except (OSError, ValueError) as error:  # deleted in the meantime, or unreadable
                    log.warning("pack %s cannot be read: %s", index.stem, error)
            self._read, self._found = read, found

    def known(self, sha: str) -> Packed | None:
        """One stored size of the image with this content hash; None if it is not stored."""
        return next(iter(self._found.get(sha, {}).values()), None)

    def has(self, packed: Packed, short_side: int) -> bool:
        """Whether a stored image is available at this short side."""
        return min(packed.width, packed.height, short_side) in self._found.get(packed.sha, {})

    def writer(self) -> PackWriter:
        return PackWriter(self.root)

    def added(self, packed: Packed) -> Packed:
        """Add to the index in memory what a writer has just written."""
        with self._lock:
            self._found.setdefault(packed.sha, {}).setdefault(packed.side, packed)
        return packed

    def pixels(self, sha: str, width: int, height: int, short_side: int) -> np.ndarray:
        """uint8 (H, W, 3). If this size is not stored, the next larger one is reduced, or the
        largest one is returned unchanged. Raises `FileNotFoundError` if none is stored.
        """
        wanted = min(width, height, short_side)
        stored = self._load(sha, wanted)
        if min(stored.shape[:2]) <= wanted:
            return stored
        size = target_size(width, height, wanted)
        return np.array(Image.fromarray(stored).resize(size, Image.Resampling.BICUBIC))

    def thumbnail(self, sha: str) -> bytes:
        """JPEG from the smallest stored size that is large enough. Raises `FileNotFoundError`."""
        image = Image.fromarray(self._load(sha, THUMBNAIL_SIDE))
        image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=80)
        return jpeg.getvalue()

    def _load(self, sha: str, side: int) -> np.ndarray:
        """The stored pixels at this short side, or the next larger one, or the largest one."""
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
            self.refresh(again=True)  # another process may have moved it while pruning
        raise FileNotFoundError(sha)

    # Unused images

    def wasted(self, used: Container[str]) -> int:
        """Bytes that `prune` would free if only these content hashes are in use."""
        return sum(size - kept for _, size, kept, _ in self._packs(used))

    def prune(self, used: Container[str]) -> None:
        """Delete images that are not in use; packs that also contain used images are rewritten."""
        for pack, size, kept, images in list(self._packs(used)):
            if images and kept == size:
                continue
            try:
                if images:
                    repack(self.root, images)
            except OSError as error:  # most likely no disk space for the copy
                log.warning("pack %s was not rewritten: %s", pack, error)
            else:
                remove(self.root, pack)
        self.refresh(again=True)

    def _packs(self, used: Container[str]) -> Iterator[tuple[str, int, int, list[Packed]]]:
        """For each pack: its id, bytes on disk, bytes in use, and the images in use."""
        self.refresh(again=True)
        used_by_pack: dict[str, list[Packed]] = {}
        for sha, sides in list(self._found.items()):
            for packed in sides.values() if sha in used else ():
                used_by_pack.setdefault(packed.pack, []).append(packed)
        for pack in sorted(
            {p.stem for kind in (PIXELS, INDEX) for p in self.root.glob(f"*{kind}")}
        ):
            size = sum(
                path.stat().st_size
                for path in (self.root / f"{pack}{kind}" for kind in (PIXELS, INDEX))
                if path.exists()
            )
            own = sorted(used_by_pack.get(pack, ()), key=lambda packed: packed.offset)
            yield pack, size, sum(packed.size + ROW_BYTES for packed in own), own


def stored_as(sha: str, srgb: bool) -> str:
    """The key of an image: the content hash of its file, or one made of it where colors are converted.

    So the pixels of both kinds are never taken for each other.
    """
    return hashlib.sha256(f"srgb {sha}".encode()).hexdigest() if srgb else sha


def pixels_missing(name: str) -> UserError:
    """The error for an image whose pixels were deleted from the store."""
    return UserError(
        f"Image {name}: its pixels are no longer in the store; import the images again from their "
        "source."
    )
