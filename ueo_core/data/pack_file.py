"""Packs: the pixels of many images in one file, with an index file.

    <id>.pixels   uint8 (H, W, 3) arrays, one after another
    <id>.index    one row of fixed length per image, written after its pixels

For small photos, creating one file per image takes longer than decoding. A pack has one writer,
which only appends. If it is killed, at most the last image is incomplete; its row is missing,
truncated or fails its check, and the image is ignored.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ueo_core.data.decode import Decoded, target_size
from ueo_core.utils.files import TEMPORARY, unique_name

# sha256, offset, upright original's width and height, short side, spread, format; then a CRC-32.
_ROW = struct.Struct("<32sQIIIf8s")
_CHECK = struct.Struct("<I")
ROW_BYTES = _ROW.size + _CHECK.size
PIXELS, INDEX = ".pixels", ".index"


@dataclass(frozen=True, slots=True)
class Packed:
    """The place of one image at one size in a pack."""

    sha: str  # sha256 (hex) of the original file
    pack: str
    offset: int  # bytes from the start of the pack's pixels
    width: int  # pixels of the upright original
    height: int
    side: int  # pixels, the stored short side
    spread: float  # gray levels, see `Decoded.spread`
    format: str

    @property
    def shape(self) -> tuple[int, int, int]:
        wide, high = target_size(self.width, self.height, self.side)
        return high, wide, 3

    @property
    def size(self) -> int:
        """Bytes of its pixels."""
        return pixel_bytes(self.width, self.height, self.side)

    def row(self) -> bytes:
        row = _ROW.pack(
            bytes.fromhex(self.sha),
            self.offset,
            self.width,
            self.height,
            self.side,
            self.spread,
            self.format.encode()[:8],
        )
        return row + _CHECK.pack(zlib.crc32(row))


def pixel_bytes(width: int, height: int, short_side: int) -> int:
    """Bytes of a width x height original's pixels at this short side."""
    wide, high = target_size(width, height, short_side)
    return 3 * wide * high


def read_rows(root: Path, pack: str, start: int = 0) -> Iterator[Packed]:
    """The complete images of a pack, starting at row `start`."""
    with open(root / f"{pack}{INDEX}", "rb") as file:
        file.seek(start * ROW_BYTES)
        rows = file.read()
    end = (root / f"{pack}{PIXELS}").stat().st_size
    for at in range(0, len(rows) - ROW_BYTES + 1, ROW_BYTES):
        row, check = rows[at : at + _ROW.size], rows[at + _ROW.size : at + ROW_BYTES]
        if zlib.crc32(row) != _CHECK.unpack(check)[0]:
            continue
        sha, offset, width, height, side, spread, kind = _ROW.unpack(row)
        kind = kind.rstrip(b"\0").decode()
        packed = Packed(sha.hex(), pack, offset, width, height, side, round(spread, 2), kind)
        if packed.offset + packed.size <= end:
            yield packed


def read_pixels(root: Path, packed: Packed) -> np.ndarray:
    """uint8 (H, W, 3), owned by the caller. Raises `FileNotFoundError` if they are missing."""
    pixels = np.empty(packed.shape, np.uint8)
    with open(root / f"{packed.pack}{PIXELS}", "rb", buffering=0) as file:
        file.seek(packed.offset)
        view = pixels.data.cast("B")
        while view:
            got = file.readinto(view)
            if not got:
                raise FileNotFoundError(packed.pack)
            view = view[got:]
    return pixels


class PackWriter:
    """Writes one new pack, from any number of threads; the first image creates its files."""

    def __init__(self, root: Path, ending: str = "") -> None:
        self._root, self._ending, self.pack = root, ending, unique_name()
        self._lock, self._open = threading.Lock(), contextlib.ExitStack()
        self._files: tuple[BinaryIO, BinaryIO] | None = None  # pixels, index
        self._end = 0  # bytes of pixels written

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def add(self, sha: str, image: Decoded, short_side: int) -> Packed:
        """Append an image. Raises `OSError` and leaves the pack unchanged if that fails."""
        return self.append(
            image.pixels,
            sha,
            image.width,
            image.height,
            min(image.width, image.height, short_side),
            round(image.spread, 2),
            image.format,
        )

    def append(
        self,
        pixels: np.ndarray,
        sha: str,
        width: int,
        height: int,
        side: int,
        spread: float,
        format: str,
    ) -> Packed:
        with self._lock:
            if self._files is None:
                self._root.mkdir(parents=True, exist_ok=True)
                self._files = self._create(PIXELS), self._create(INDEX)
            pixel_file, index_file = self._files
            packed = Packed(sha, self.pack, self._end, width, height, side, spread, format)
            try:
                _write_all(pixel_file, np.ascontiguousarray(pixels).data.cast("B"))
            except OSError:  # a full disk: remove the part that was written
                pixel_file.seek(self._end)
                pixel_file.truncate()
                raise
            self._end += packed.size
            _write_all(index_file, memoryview(packed.row()))
            return packed

    def _create(self, kind: str) -> BinaryIO:
        return self._open.enter_context(open(self.path(kind), "xb", buffering=0))

    def path(self, kind: str) -> Path:
        return self._root / f"{self.pack}{kind}{self._ending}"


def _write_all(file: BinaryIO, view: memoryview) -> None:
    while view:
        view = view[file.write(view) :]


def repack(root: Path, keep: Iterable[Packed]) -> None:
    """Copy images into a new pack; it is complete or not created at all. Raises `OSError`."""
    with PackWriter(root, TEMPORARY) as writer:
        try:
            for p in keep:
                pixels = read_pixels(root, p)
                writer.append(pixels, p.sha, p.width, p.height, p.side, p.spread, p.format)
        except BaseException:
            for kind in (PIXELS, INDEX):
                writer.path(kind).unlink(missing_ok=True)
            raise
    for kind in (PIXELS, INDEX):  # a pack is found by its index, so the index comes last
        os.replace(writer.path(kind), root / f"{writer.pack}{kind}")


def remove(root: Path, pack: str) -> None:
    """Delete a pack; its index first, as a pack without an index is ignored."""
    for kind in (INDEX, PIXELS):
        with contextlib.suppress(OSError):
            (root / f"{pack}{kind}").unlink()
