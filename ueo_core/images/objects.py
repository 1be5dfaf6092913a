"""Content-addressed images on disk: pixels per size, and one thumbnail that knows the rest.

    objects/a/<sha256>-<short side>.npy   uint8 (H, W, 3), upright RGB
    objects/a/<sha256>.jpg                thumbnail; its JPEG comment holds the record as JSON

The thumbnail is written last, so a record means that the image was decodable. Files are
whole or absent; writing one twice, also from two processes, gives the same bytes.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from ueo_core.errors import UserError

from .decode import Decoded, target_size
from .files import TEMPORARY, write_whole

log = logging.getLogger(__name__)
_RECORD_BYTES = 4096  # the comment stands at the beginning of the thumbnail


@dataclass(frozen=True)
class Record:
    """What is known of an image's bytes."""

    width: int  # pixels, upright original
    height: int
    format: str
    spread: float  # grey levels, see `Decoded.spread`


class Objects:
    """The `objects` folder of a store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def record(self, sha: str) -> Record | None:
        """What is known of the image with this content hash; None where it is not stored."""
        try:
            with open(self._thumbnail_path(sha), "rb") as file:
                head = file.read(_RECORD_BYTES)
            with Image.open(io.BytesIO(head), formats=("JPEG",)) as image:
                return Record(**json.loads(image.info["comment"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SyntaxError) as error:
            log.warning("thumbnail of %s cannot be read: %s", sha, error)
            return None

    def has_pixels(self, sha: str, width: int, height: int, short_side: int) -> bool:
        """Whether whole pixels at this short side are stored."""
        try:
            stored = self._pixel_path(sha, min(width, height, short_side)).stat().st_size
        except OSError:
            return False
        return stored == pixel_bytes(width, height, short_side)

    def write(self, sha: str, image: Decoded, short_side: int) -> Record:
        record = Record(image.width, image.height, image.format, round(image.spread, 2))
        side = min(image.width, image.height, short_side)
        write_whole(
            self._pixel_path(sha, side),
            lambda file: np.lib.format.write_array(file, image.pixels, allow_pickle=False),
        )
        comment = json.dumps(asdict(record), separators=(",", ":")).encode()
        thumbnail = io.BytesIO()
        image.thumbnail.save(thumbnail, "JPEG", quality=80, comment=comment)
        write_whole(
            self._thumbnail_path(sha), lambda file: file.write(thumbnail.getbuffer()) and None
        )
        return record

    def pixels(self, sha: str, width: int, height: int, short_side: int) -> np.ndarray:
        """uint8 (H, W, 3). Where this size is missing, the next one: larger sizes are reduced,
        a smaller one is given as it is. Raises `FileNotFoundError` when there is none.
        """
        wanted = min(width, height, short_side)
        with contextlib.suppress(FileNotFoundError, ValueError):
            return np.load(self._pixel_path(sha, wanted), allow_pickle=False)
        sides = self.sides(sha)
        larger = [side for side in sides if side > wanted]
        if not sides:
            raise FileNotFoundError(sha)
        side = min(larger) if larger else max(sides)
        try:
            stored = np.load(self._pixel_path(sha, side), allow_pickle=False)
        except ValueError as error:  # cut short, by a full disk or a power cut
            raise FileNotFoundError(sha) from error
        if not larger:
            return stored
        size = target_size(width, height, wanted)
        return np.array(Image.fromarray(stored).resize(size, Image.Resampling.BICUBIC))

    def sides(self, sha: str) -> list[int]:
        """The short sides (pixels) at which this image is stored, ascending."""
        found = self._folder(sha).glob(f"{sha}-*.npy")
        return sorted(int(path.stem.rpartition("-")[2]) for path in found)

    def thumbnail(self, sha: str) -> bytes:
        """JPEG bytes. Raises `FileNotFoundError`."""
        return self._thumbnail_path(sha).read_bytes()

    def files(self) -> Iterator[tuple[str, Path]]:
        """(content hash, file) of everything stored."""
        for path in self.root.glob("?/*"):
            if not path.name.endswith(TEMPORARY):
                yield path.stem.partition("-")[0], path

    def _folder(self, sha: str) -> Path:
        return self.root / sha[:1]

    def _pixel_path(self, sha: str, side: int) -> Path:
        return self._folder(sha) / f"{sha}-{side}.npy"

    def _thumbnail_path(self, sha: str) -> Path:
        return self._folder(sha) / f"{sha}.jpg"


def pixel_bytes(width: int, height: int, short_side: int) -> int:
    """Size on disk of the pixels of a width x height original at this short side."""
    wide, high = target_size(width, height, short_side)
    return _header_bytes(high, wide) + 3 * wide * high


@lru_cache(maxsize=4096)
def _header_bytes(height: int, width: int) -> int:
    header = {"descr": "|u1", "fortran_order": False, "shape": (height, width, 3)}
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.tell()


def missing(name: str) -> UserError:
    return UserError(
        f"{name}: its pixels are no longer in the store; take the images in again from their "
        "source."
    )
