"""Packs: the pixels of many images in one file, and beside it what each of them is.

    <id>.pixels   uint8 (H, W, 3) arrays, one after the other
    <id>.index    one row of fixed length per image, written after its pixels

A file per image costs small photos more time than their decoding does. A pack has one writer,
which only appends: an end at any moment leaves whole images and at most one cut short, whose row
is missing, cut or fails its check; it is passed over.
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
    """One image at one size in a pack."""

    sha: str  # sha256 (hex) of the original file
    pack: str
    offset: int  # bytes into the pack's pixels
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
    """The whole images of a pack, from row `start` on."""
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
    """uint8 (H, W, 3), the caller's own. Raises `FileNotFoundError` when the pack lost them."""
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
    """One new pack, for any number of threads; its files are made by the first image."""

    def __init__(self, root: Path, ending: str = "") -> None:
        self._root, self._ending, self.pack = root, ending, unique_name()
        self._lock, self._open = threading.Lock(), contextlib.ExitStack()
        self._files: tuple[BinaryIO, BinaryIO] | None = None  # pixels, rows
        self._end = 0  # bytes of pixels written

    def __enter__(self) -> PackWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def add(self, sha: str, image: Decoded, short_side: int) -> Packed:
        """Append an image; raises `OSError` with the pack as it was before."""
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
                self._files = self._make(PIXELS), self._make(INDEX)
            stored, rows = self._files
            packed = Packed(sha, self.pack, self._end, width, height, side, spread, format)
            try:
                _write_all(stored, np.ascontiguousarray(pixels).data.cast("B"))
            except OSError:  # a full disk: what was written of it is removed
                stored.seek(self._end)
                stored.truncate()
                raise
            self._end += packed.size
            _write_all(rows, memoryview(packed.row()))
            return packed

    def _make(self, kind: str) -> BinaryIO:
        return self._open.enter_context(open(self.path(kind), "xb", buffering=0))

    def path(self, kind: str) -> Path:
        return self._root / f"{self.pack}{kind}{self._ending}"


def _write_all(file: BinaryIO, view: memoryview) -> None:
    while view:
        view = view[file.write(view) :]


def repack(root: Path, keep: Iterable[Packed]) -> None:
    """Copy images into a new pack, which appears whole or not at all. Raises `OSError`."""
    with PackWriter(root, TEMPORARY) as writer:
        try:
            for p in keep:
                pixels = read_pixels(root, p)
                writer.append(pixels, p.sha, p.width, p.height, p.side, p.spread, p.format)
        except BaseException:
            for kind in (PIXELS, INDEX):
                writer.path(kind).unlink(missing_ok=True)
            raise
    for kind in (PIXELS, INDEX):  # a pack is found by its index, so that one comes last
        os.replace(writer.path(kind), root / f"{writer.pack}{kind}")


def remove(root: Path, pack: str) -> None:
    """Delete a pack, its index first: no index, no pack."""
    for kind in (INDEX, PIXELS):
        with contextlib.suppress(OSError):
            (root / f"{pack}{kind}").unlink()
