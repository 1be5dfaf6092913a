"""Images with their predictions, as every format reads them, and the files that are written of them."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.safe_names import WritableNames
from ueo_core.export.trees import NotWritten, Writer
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.errors import UserError
from ueo_core.utils.rows import Rows

UNKNOWN = "unknown"
# Bytes of a file's name. With a folder's name of 80 and a slash, 60 of Windows' 260 characters of a
# path are left to the place where an export is unpacked.
FILE_BYTES = 120
_JPEG_QUALITY = 95

Progress = Callable[[int, int], None]  # done, total; may raise to stop early


class ImageSource(Protocol):
    """Where the bytes of images come from, by index."""

    def read(self, i: int) -> bytes | None:
        """The original file, or None where it was deleted or changed, or there never was one."""

    def pixels(self, i: int) -> np.ndarray:
        """uint8 (H, W, 3), to write in place of a missing original. May raise `UserError`."""

    def size(self, i: int) -> tuple[int, int]:
        """Width and height of the upright original."""


class PredictedFile(NamedTuple):
    """One file with its prediction. Numbers have the digits of the table of predictions."""

    path: str  # relative to the source
    image: int  # files with the same bytes are one image
    prediction: str  # the closest class
    confidence: float
    score: float
    unknown: bool
    label: str  # the class, or the name for what is unknown: what a tool shows
    cells: tuple  # the row of the table of predictions


@dataclass(frozen=True, eq=False)
class PredictedImages:
    """Images, their predictions at a threshold, and what made them."""

    predictions: Predictions
    threshold: float
    title: str = ""  # of the model
    source: ImageSource | None = None  # only what copies images needs it
    features: Rows | None = None  # (N, D) of the image encoder, where they are known

    @property
    def unknown_label(self) -> str:
        """The name for what is unknown, which no class has."""
        return unknown_label(self.predictions.classes)

    @property
    def labels(self) -> list[str]:
        """Every label that a file can have: the classes, then the one for the unknown."""
        return [*self.predictions.classes, self.unknown_label]

    @property
    def about(self) -> dict[str, Any]:
        """What a file about these predictions says of their origin."""
        return {
            "model": self.title,
            "classes": list(self.predictions.classes),
            "unknown": self.unknown_label,
            "threshold": float(self.threshold),
            "logit_scale": float(self.predictions.logit_scale),
        }

    def __len__(self) -> int:
        return len(self.predictions.files)

    def __iter__(self) -> Iterator[PredictedFile]:
        """Every file, those with the same bytes one by one, in the order of the table."""
        unknown = self.unknown_label
        for (name, i), cells in zip(
            self.predictions.files, self.predictions.rows(self.threshold), strict=True
        ):
            label = unknown if cells[4] else cells[1]
            yield PredictedFile(
                name, i, cells[1], float(cells[2]), float(cells[3]), bool(cells[4]), label, cells
            )


def unknown_label(classes: Sequence[str]) -> str:
    """`unknown`, with a number where a class has that name."""
    names = WritableNames(FILE_BYTES)
    return [names.unique(name) for name in (*classes, UNKNOWN)][-1]


@dataclass(frozen=True)
class Written:
    """What was written."""

    path: Path
    images: int  # files that have a prediction; files with the same bytes are copied one by one
    unknown: int  # of these
    originals: int = 0  # copies of original files, byte for byte
    stored: int = 0  # JPEGs of the stored image, where the original file is missing
    failed: tuple[SkippedFile, ...] = ()  # files that could not be written, with the reason


class Copy(NamedTuple):
    """A file of an image in an export."""

    place: str  # relative path in the export; empty where it could not be written
    original: bool  # else it is a JPEG of the stored image
    reason: str = ""  # why it could not be written


class TreeExport:
    """One export of many files: what a format writes, and what became of it."""

    def __init__(
        self, batch: PredictedImages, writer: Writer, name: str, progress: Progress
    ) -> None:
        """name: of the folder that the export is, or that its archive is unpacked to."""
        self.batch, self.name = batch, name
        self._writer, self._progress = writer, progress
        self.originals = self.stored = 0
        self.failed: list[SkippedFile] = []

    def files(self) -> Iterator[PredictedFile]:
        """Every file, with progress."""
        total = len(self.batch)
        for done, file in enumerate(self.batch, start=1):
            yield file
            self._progress(done, total)

    def copied(
        self, place: Callable[[PredictedFile, str], str]
    ) -> Iterator[tuple[PredictedFile, Copy]]:
        """Every file, copied. One image is in memory at a time.

        place: a file and the name of its copy → where the copy goes. One that cannot be written is
        kept in `failed`, and the others are written.
        """
        for file in self.files():
            try:
                data, original = self._content(file.image)
                path = PurePosixPath(file.path)
                where = place(file, path.name if original else f"{path.stem}.jpg")
                self._writer.write(where, data)
            except (UserError, NotWritten) as error:
                self.fail(file, str(error))
                yield file, Copy("", False, str(error))
                continue
            self.originals += original
            self.stored += not original
            yield file, Copy(where, original)

    def copied_to(self, folder: str) -> Iterator[tuple[PredictedFile, Copy]]:
        """Every file that could be copied, all in one folder under names of their own."""
        names = WritableNames(FILE_BYTES)
        for file, copy in self.copied(lambda _, name: f"{folder}/{names.unique(name, 'image')}"):
            if copy.place:
                yield file, copy

    def write(self, place: str, data: bytes) -> None:
        self._writer.write(place, data)

    def write_json(self, place: str, data: Any, indent: int | None = None) -> None:
        self.write(place, as_json(data, indent).encode("utf-8"))

    def fail(self, file: PredictedFile, reason: str) -> None:
        """Say that a file could not be written, and go on."""
        self.failed.append(SkippedFile(file.path, reason))

    def size(self, file: PredictedFile, copy: Copy) -> tuple[int, int]:
        """Width and height of a copy, upright."""
        source = self._source()
        if copy.original:
            return source.size(file.image)
        height, width, _ = source.pixels(file.image).shape
        return width, height

    def _source(self) -> ImageSource:
        assert self.batch.source
        return self.batch.source

    def _content(self, i: int) -> tuple[bytes, bool]:
        """Bytes, and whether they are the original's. UserError where there are none."""
        source = self._source()
        data = source.read(i)
        if data is not None:
            return data, True
        buffer = io.BytesIO()
        Image.fromarray(source.pixels(i)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
        return buffer.getvalue(), False


def as_json(data: Any, indent: int | None = None) -> str:
    """One line of JSON in UTF-8 unless indented; no NaN, which other languages do not read."""
    return json.dumps(data, ensure_ascii=False, indent=indent, allow_nan=False)
