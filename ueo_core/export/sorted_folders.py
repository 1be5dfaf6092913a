"""Images sorted by prediction: one folder per class and one for the unknown, as a zip or as folders.

Originals are never touched: copies of the original files are used if they are still at the import
location, else the stored images at training size. A list says which is which.
"""

import contextlib
import errno
import io
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from PIL import Image

from ueo_core.data.image_set import ImageSet
from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.originals import Originals
from ueo_core.data.safe_names import WritableNames, shortened
from ueo_core.inference.predictions import COLUMNS, Predictions
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.csv_text import csv_text
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import TEMPORARY, unique_name
from ueo_core.utils.paths import store_root, studio_home

UNKNOWN = "unknown"
LIST = "predictions.csv"
# Bytes of a folder's and a file's name. Both and a slash leave 60 of Windows' 260 characters of a
# path to the place where the export is unpacked.
_FOLDER_BYTES, _FILE_BYTES = 80, 120
_JPEG_QUALITY = 95
_KEPT_SECONDS = 86_400  # an unused download is removed then
# The whole export ends where the disk cannot take more; another error concerns one file.
_ENDS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENODEV}


@dataclass(frozen=True)
class SortedExport:
    """What was written."""

    path: Path
    images: int  # files that have a prediction; files with the same bytes are copied one by one
    unknown: int  # of these
    originals: int  # copies of original files, byte for byte
    stored: int  # JPEGs of the stored image, where the original file is missing
    failed: tuple[SkippedFile, ...] = ()  # files that could not be written, with the reason


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder name for every class, then one for the unknown: all different, valid on any disk."""
    names = WritableNames(_FOLDER_BYTES)
    return [names.unique(name, "class") for name in [*classes, UNKNOWN]]


class _Places:
    """Where every file goes: a folder of its prediction, and a name that no other file has."""

    def __init__(self, predictions: Predictions, threshold: float) -> None:
        self._folders = folder_names(predictions.classes)
        self._prediction, self._unknown = predictions.prediction, predictions.unknown(threshold)
        self._names = {folder: WritableNames(_FILE_BYTES) for folder in self._folders}

    def of(self, i: int, name: str, original: bool) -> str:
        """The place of image i's file `name`. original: else it is a JPEG, whatever that one was."""
        folder = self._folders[-1 if self._unknown[i] else self._prediction[i]]
        path = PurePosixPath(name)
        name = path.name if original else f"{path.stem}.jpg"
        return f"{folder}/{self._names[folder].unique(name, 'image')}"


def _content(images: ImageSet, originals: Originals, i: int) -> tuple[bytes, bool]:
    """The bytes to write, and whether they are the original's. UserError where there are none."""
    data = originals.read(i)
    if data is not None:
        return data, True
    buffer = io.BytesIO()
    Image.fromarray(images.pixels(i)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue(), False


def export_sorted(
    out: Path,
    images: ImageSet,
    predictions: Predictions,
    threshold: float,
    originals: Originals,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SortedExport:
    """Write every file into the folder of its prediction, below `out`, and a list of them.

    `out` becomes an archive when it ends in .zip, in any case, else a new folder. A file that cannot
    be written is listed with the reason, and the others are written. One image is in memory at a
    time. `progress` may raise to stop early; nothing is left on disk then. UserError when `out`
    exists and is not a .zip file, or cannot be written.
    """
    out = Path(out)
    archive = out.suffix.casefold() == ".zip"
    if out.exists() and (not archive or out.is_dir()):
        raise UserError(f"Folder “{out}”: it exists already; choose the name of a new one.")
    beside = out.with_name(shortened(f".{out.name}", 200) + f".{unique_name()}{TEMPORARY}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _Writer(beside, archive) as writer:
            made = _write_all(writer, images, predictions, threshold, originals, progress)
        if made.failed and not made.originals + made.stored:
            raise UserError(
                f"Export “{out}”: no file could be written ({made.failed[0].reason}); choose another place."
            )
        os.replace(beside, out)
    except OSError as error:
        raise UserError(
            f"Export “{out}”: it cannot be written ({error.strerror}); choose another place or free space."
        ) from None
    finally:
        if beside.is_dir():
            shutil.rmtree(beside, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                beside.unlink()
    return replace(made, path=out)


def _write_all(
    writer: "_Writer",
    images: ImageSet,
    predictions: Predictions,
    threshold: float,
    originals: Originals,
    progress: Callable[[int, int], None],
) -> SortedExport:
    """Write every file that can be written, then the list. OSError when the disk takes no more."""
    places = _Places(predictions, threshold)
    table = []
    counts, failed = {True: 0, False: 0}, []
    files = predictions.files
    rows = zip(files, predictions.rows(threshold), strict=True)
    for done, ((name, i), row) in enumerate(rows, start=1):
        try:
            data, original = _content(images, originals, i)
            place = places.of(i, name, original)
            writer.write(place, data)
        except (UserError, _NotWritten) as error:
            failed.append(SkippedFile(name, str(error)))
            table.append([*row, "", f"not written: {error}"])
        else:
            counts[original] += 1
            table.append([*row, place, "original" if original else "stored"])
        progress(done, len(files))
    writer.write(LIST, csv_text([*COLUMNS, "file", "bytes"], table).encode("utf-8"))
    unknown = predictions.unknown_files(threshold)
    return SortedExport(Path(), len(files), unknown, counts[True], counts[False], tuple(failed))


def sorted_zip(
    job: Job, images: ImageSet, predictions: Predictions, threshold: float
) -> SortedExport:
    """The same as a job: an archive in the studio's folder `exports`, which is cleared after a day."""
    folder = studio_home() / "exports"
    for old in folder.glob("*.zip"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                old.unlink()
    job.begin("Sorting the images", len(predictions.files))

    def progress(done: int, total: int) -> None:
        job.check()
        job.progress(done, total)

    with Originals(store_root(), images) as originals:
        out = folder / f"sorted-{unique_name()}.zip"
        return export_sorted(out, images, predictions, threshold, originals, progress)


class _NotWritten(Exception):
    """One file could not be written; others can. The message is the reason."""


class _Writer:
    """Writes files to an archive or below a folder, by their relative paths."""

    def __init__(self, path: Path, archive: bool):
        self.path = path
        # Photos are compressed already: storing them as they are is many times faster.
        self.zip = zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) if archive else None

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *error: object) -> None:
        if self.zip:
            self.zip.close()

    def write(self, place: str, data: bytes) -> None:
        """Raises `_NotWritten` for what concerns this file, `OSError` for what concerns all."""
        if self.zip:
            self.zip.writestr(place, data)
            return
        path = self.path / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink()
            if error.errno in _ENDS:
                raise
            raise _NotWritten(error.strerror) from error
