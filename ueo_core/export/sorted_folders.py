"""Images sorted by prediction: one folder per class and one for the unknown, as a zip or as folders.

Originals are never touched: copies of the original files are used if they are still at the import
location, else the stored images at training size. A list says which is which.
"""

import contextlib
import csv
import io
import os
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from ueo_core.data.image_set import ImageSet
from ueo_core.data.originals import Originals
from ueo_core.inference.predictions import COLUMNS, Predictions
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import TEMPORARY, unique_name
from ueo_core.utils.paths import store_root, studio_home

UNKNOWN = "unknown"
LIST = "predictions.csv"
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')  # not allowed on some file systems
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # Windows' devices
_JPEG_QUALITY = 95
_KEPT_SECONDS = 86_400  # an unused download is removed then


@dataclass(frozen=True)
class SortedExport:
    """What was written."""

    path: Path
    images: int
    unknown: int
    originals: int  # copies of original files, byte for byte
    stored: int  # JPEGs of the stored image, where the original file is missing


def folder_names(classes: Sequence[str]) -> list[str]:
    """A folder name for every class, then one for the unknown: all different, valid on any disk."""
    taken: set[str] = set()
    found = []
    for name in [*classes, UNKNOWN]:
        plain = _UNFIT.sub("_", name).strip(" .")[:80] or "class"
        if _RESERVED.match(plain):
            plain = f"_{plain}"
        found.append(_free(plain, "", taken))
    return found


def _free(stem: str, ending: str, taken: set[str]) -> str:
    """`stem + ending`, numbered where that is taken; case makes no difference on many disks."""
    name, number = stem + ending, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem} ({number}){ending}"
    taken.add(name.casefold())
    return name


def sorted_files(
    images: ImageSet, predictions: Predictions, threshold: float, originals: Originals
) -> Iterator[tuple[str, bytes, bool]]:
    """Path in the export, bytes, and whether these are the original's, of every image; then the list."""
    folders = folder_names(predictions.classes)
    unknown = predictions.unknown(threshold)
    taken: dict[str, set[str]] = {name: set() for name in folders}
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow([*COLUMNS, "file", "bytes"])
    for i, row in enumerate(predictions.rows(threshold)):
        folder = folders[-1 if unknown[i] else predictions.prediction[i]]
        data = originals.read(i)
        original = data is not None
        if data is None:
            data = _jpeg(images, i)
        path = PurePosixPath(images.names[i])
        # A stored image is a JPEG whatever the original was.
        ending = path.suffix if original else ".jpg"
        place = f"{folder}/{_free(_UNFIT.sub('_', path.stem) or 'image', ending, taken[folder])}"
        table.writerow([*row, place, "original" if original else "stored"])
        yield place, data, original
    yield LIST, text.getvalue().encode("utf-8"), False


def _jpeg(images: ImageSet, i: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(images.pixels(i)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def export_sorted(
    out: Path,
    images: ImageSet,
    predictions: Predictions,
    threshold: float,
    originals: Originals,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SortedExport:
    """Write the sorted images to `out`: an archive when it ends in .zip, else a new folder.

    One image is in memory at a time. `progress` may raise to stop early; nothing is left on disk then.
    UserError when `out` exists and is not a .zip file, or cannot be written.
    """
    out = Path(out)
    if out.exists() and (out.suffix != ".zip" or out.is_dir()):
        raise UserError(f"Folder “{out}”: it exists already; choose the name of a new one.")
    beside = out.with_name(f".{out.name}.{unique_name()}{TEMPORARY}")
    counts = {True: 0, False: 0}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _writer(beside, out.suffix == ".zip") as write:
            for place, data, original in sorted_files(images, predictions, threshold, originals):
                write(place, data)
                if place != LIST:
                    counts[original] += 1
                    progress(sum(counts.values()), len(images))
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
    unknown = int(predictions.unknown(threshold).sum())
    return SortedExport(out, len(images), unknown, counts[True], counts[False])


def sorted_zip(
    job: Job, images: ImageSet, predictions: Predictions, threshold: float
) -> SortedExport:
    """The same as a job: an archive in the studio's folder `exports`, which is cleared after a day."""
    folder = studio_home() / "exports"
    for old in folder.glob("*.zip"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                old.unlink()
    job.begin("Sorting the images", len(images))

    def progress(done: int, total: int) -> None:
        job.check()
        job.progress(done, total)

    with Originals(store_root(), images) as originals:
        out = folder / f"sorted-{unique_name()}.zip"
        return export_sorted(out, images, predictions, threshold, originals, progress)


class _writer:
    """Writes files to an archive or below a folder, by their relative paths."""

    def __init__(self, path: Path, archive: bool):
        self.path = path
        # Photos are compressed already: storing them as they are is many times faster.
        self.zip = zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) if archive else None

    def __enter__(self) -> Callable[[str, bytes], None]:
        return self.zip.writestr if self.zip else self._file

    def __exit__(self, *error: object) -> None:
        if self.zip:
            self.zip.close()

    def _file(self, place: str, data: bytes) -> None:
        path = self.path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
