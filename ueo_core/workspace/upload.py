"""Images from the page: uploads are written to disk, imported into the store and become a dataset."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ueo_core.data.intake_report import IntakeReport
from ueo_core.data.labels import folder_labels
from ueo_core.data.limits import Limits
from ueo_core.data.sources import within_roots
from ueo_core.data.store import Store
from ueo_core.runs.create import reference
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import read_object, saving, unique_name, write_json
from ueo_core.utils.paths import store_root, studio_home
from ueo_core.utils.shapes import has_shape
from ueo_core.workspace.dataset import Dataset, create_dataset, list_datasets, open_dataset

ROOTS = "UEO_STUDIO_ROOTS"  # folders that the page may read, separated as in PATH
DEFAULT_SIDE = 366  # pixels kept; enough for models of 224, see backbones.store_side
# Short sides at which images are stored, by their purpose; see `models.backbones.store_side`.
SIDES = {
    366: "models of 224 pixels (most)",
    418: "models of 256 pixels",
    549: "models of 336 pixels",
    627: "models of 384 pixels",
    836: "models of 512 pixels",
    105: "teaching models",
}
_NAMES = "names.json"  # in a spool that was kept
_COPY = 1 << 20
_LEFT_OVER_SECONDS = 86_400


@dataclass(frozen=True)
class IntakeResult:
    """The report of a source, and the dataset if enough images were usable."""

    report: IntakeReport
    dataset: str | None


@dataclass(frozen=True)
class Spooled:
    """Uploads on disk under numbers; their own names are listed. Removed by `with`."""

    folder: Path
    files: list[tuple[str, Path]]
    title: str

    def __enter__(self) -> "Spooled":
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self) -> None:
        """Write the names beside the files, so that `kept_spool` finds them after a restart."""
        files = [(name, path.name) for name, path in self.files]
        write_json(self.folder / _NAMES, {"title": self.title, "files": files})


def kept_spool(dataset: Dataset) -> Spooled | None:
    """The uploads of a dataset whose intake was stopped; None when they are gone."""
    folder = studio_home() / "uploads" / str(dataset.origin.get("spool", ""))
    kept = read_object(folder / _NAMES) if dataset.origin.get("spool") else {}
    if not has_shape(kept, {"files": [[str]], "title": str}):
        return None
    if not all(
        len(pair) == 2 and (folder / Path(pair[1]).name).is_file() for pair in kept["files"]
    ):
        return None  # a file of it is gone, so it could not be read to its end
    return Spooled(folder, [(n, folder / Path(p).name) for n, p in kept["files"]], kept["title"])


def spool(uploads: Iterable[tuple[str, BinaryIO]], limits: Limits | None = None) -> Spooled:
    """Write uploads to a folder of the studio. UserError when they are too many or too large."""
    limits, uploads = limits or Limits.configured(), list(uploads)
    clear_spool()
    if len(uploads) > limits.max_files:
        raise UserError(
            f"Upload: {len(uploads):,} files, over the limit max_files = {limits.max_files:,}; give a "
            "path on this machine or smaller parts."
        )
    root = studio_home() / "uploads"
    with saving("Upload"):
        root.mkdir(parents=True, exist_ok=True)
    sizes = [stream.seek(0, os.SEEK_END) for _, stream in uploads]
    free = shutil.disk_usage(root).free - limits.min_free_bytes
    if sum(sizes) > free:
        raise UserError(
            f"Upload: {sum(sizes) / 1e6:,.0f} MB, and {max(0, free) / 1e6:,.0f} MB are free on the "
            "studio's disk; free some space."
        )
    folder = root / unique_name()
    names, title = _without_top([name for name, _ in uploads])
    files = []
    try:
        with saving("Upload"):
            folder.mkdir()
            for number, (name, (_, stream)) in enumerate(zip(names, uploads, strict=True)):
                path = folder / f"{number:06d}"
                stream.seek(0)
                with open(path, "wb") as out:
                    shutil.copyfileobj(stream, out, _COPY)
                files.append((name, path))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Spooled(folder, files, title)


def _without_top(names: list[str]) -> tuple[list[str], str]:
    """Names without the one folder that holds them all, and that folder's name.

    A browser names the chosen folder before every file; it would look like a class.
    """
    tops = {name.partition("/")[0] for name in names}
    top = next(iter(tops)) if len(tops) == 1 else ""
    if not top or top in (".", "..") or not all("/" in name for name in names):
        return names, names[0] if len(names) == 1 else "upload"
    return [name.partition("/")[2] for name in names], top


def ingest_upload(
    job: Job,
    spooled: Spooled,
    short_side: int = DEFAULT_SIDE,
    holdout_of: str | None = None,
    srgb: bool = False,
) -> IntakeResult:
    """Import spooled uploads: as a dataset, or as the test set of one.

    The spool is removed, unless it was stopped and `resume_intake` needs it.
    """
    with contextlib.ExitStack() as removal:
        removal.enter_context(spooled)
        pool, report = add_upload_to_store(job, spooled, short_side, srgb)
        origin: dict = {"kind": "upload", "name": spooled.title}
        if report.cancelled and pool and holdout_of is None:
            spooled.keep()
            removal.pop_all()
            origin |= {"unfinished": True, "spool": spooled.folder.name}
        title = spooled.title.removesuffix(".zip")
        return _settle(report, pool, title, origin, spooled.folder.name, holdout_of)


def ingest_path(
    job: Job,
    path: str,
    short_side: int = DEFAULT_SIDE,
    holdout_of: str | None = None,
    srgb: bool = False,
) -> IntakeResult:
    """Import a folder or zip of this machine, inside the roots that its owner has named."""
    resolved = within_roots(path, roots())
    pool, report = add_path_to_store(job, path, short_side, srgb)
    origin: dict = {"kind": "path", "path": str(resolved)}
    if report.cancelled:
        origin["unfinished"] = True
    return _settle(report, pool, resolved.name, origin, str(resolved), holdout_of)


def add_upload_to_store(
    job: Job, spooled: Spooled, short_side: int, srgb: bool = False
) -> tuple[dict | None, IntakeReport]:
    """Spooled uploads into the store, for no dataset. → reference, None without a usable image; report"""
    return _ingest(
        job,
        lambda store, **options: store.ingest_files(spooled.files, name=spooled.title, **options),
        short_side,
        srgb,
    )


def add_path_to_store(
    job: Job, path: str, short_side: int, srgb: bool = False
) -> tuple[dict | None, IntakeReport]:
    """A folder or zip inside the roots into the store, as `add_upload_to_store`."""
    resolved = within_roots(path, roots())
    return _ingest(
        job, lambda store, **options: store.ingest(resolved, **options), short_side, srgb
    )


def resume_intake(job: Job, id: str) -> IntakeResult:
    """Import the rest of a dataset whose intake was stopped; nothing is decoded twice."""
    dataset = open_dataset(id)
    images = dataset.images()
    side, srgb = max(images.stored_sides), images.srgb
    if "path" in dataset.origin:
        return ingest_path(job, dataset.origin["path"], side, srgb=srgb)
    if (spooled := kept_spool(dataset)) is None:
        raise UserError(
            f"Dataset “{dataset.title}”: its upload is no longer here; upload it again, what is "
            "stored is not decoded twice."
        )
    return ingest_upload(job, spooled, side, srgb=srgb)


def roots() -> list[Path]:
    """The folders of this machine that the page may read; none unless the owner names some."""
    named = os.environ.get(ROOTS, "")
    return [Path(part).expanduser() for part in named.split(os.pathsep) if part.strip()]


def clear_spool() -> None:
    """Remove uploads that killed processes left behind, a day old or older."""
    for folder in (studio_home() / "uploads").glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LEFT_OVER_SECONDS:
                shutil.rmtree(folder)


def _ingest(
    job: Job, ingest: Callable[..., IntakeReport], short_side: int, srgb: bool
) -> tuple[dict | None, IntakeReport]:
    """The image set's reference, None where nothing was usable, and the report."""
    store = Store(store_root(), short_side, srgb)
    report = ingest(
        store,
        progress=lambda p: job.progress(p.done, p.total),
        cancelled=lambda: job.cancelled,
    )
    return reference(store, store.open(report.set_id)) if report.set_id else None, report


def _settle(
    report: IntakeReport,
    pool: dict | None,
    title: str,
    origin: dict,
    source: str,
    holdout_of: str | None,
) -> IntakeResult:
    """Add the images to the dataset that they belong to, or to a new one.

    source: the path or the spool, by which a dataset that was stopped is found again.
    """
    if pool is None:
        return IntakeResult(report, None)
    if holdout_of is not None:
        labels = folder_labels(Store(store_root()).open(pool["set"]))
        open_dataset(holdout_of).with_holdout(pool, labels if any(labels) else None)
        return IntakeResult(report, holdout_of)
    if pool["n"] < 2:
        return IntakeResult(report, None)
    for known in list_datasets():
        unfinished = known.origin.get("unfinished")
        if unfinished and source in (known.origin.get("path"), known.origin.get("spool")):
            return IntakeResult(report, known.with_pool(pool, origin).id)
        if known.pool["set"] == pool["set"] and known.origin.get("kind") == origin["kind"]:
            return IntakeResult(report, known.id)
    return IntakeResult(report, create_dataset(title, pool, origin=origin).id)
