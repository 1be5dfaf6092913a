"""Images in from the page: uploads go to disk at once, then through the store, then are a dataset."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ueo_core.datasets import Dataset, create_dataset, list_datasets
from ueo_core.errors import UserError
from ueo_core.home import store_root, studio_home
from ueo_core.images import IntakeReport, Limits, Store, within_roots
from ueo_core.images.files import unique_name
from ueo_core.jobs import Job
from ueo_core.runs.job import reference

ROOTS = "UEO_STUDIO_ROOTS"  # folders that the page may read, separated as in PATH
DEFAULT_SIDE = 366  # pixels kept; enough for models of 224, see backbones.store_side
# The sizes that a person may choose, by what they are for.
SIDES = {366: "models of 224 pixels (most)", 549: "models of 336 pixels", 105: "teaching models"}
_COPY = 1 << 20
_LEFT_OVER_SECONDS = 86_400


@dataclass(frozen=True)
class TakenIn:
    """What became of a source: the report, and the dataset if at least two images were usable."""

    report: IntakeReport
    dataset: str | None


@dataclass(frozen=True)
class Spooled:
    """Uploads on disk under numbers; their own names are only remembered. Removed by `with`."""

    folder: Path
    files: list[tuple[str, Path]]
    title: str

    def __enter__(self) -> "Spooled":
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def spool(uploads: Iterable[tuple[str, BinaryIO]], limits: Limits | None = None) -> Spooled:
    """Write uploads to a folder of the studio. UserError when they are too many or too large."""
    limits, uploads = limits or Limits(), list(uploads)
    if len(uploads) > limits.max_files:
        raise UserError(
            f"upload: {len(uploads):,} files, over the limit max_files = {limits.max_files:,}; give a "
            "path on this machine or smaller parts."
        )
    root = studio_home() / "uploads"
    root.mkdir(parents=True, exist_ok=True)
    sizes = [stream.seek(0, os.SEEK_END) for _, stream in uploads]
    free = shutil.disk_usage(root).free - limits.min_free_bytes
    if sum(sizes) > free:
        raise UserError(
            f"upload: {sum(sizes) / 1e6:,.0f} MB, and {max(0, free) / 1e6:,.0f} MB are free on the "
            "studio's disk; free some space."
        )
    folder = root / unique_name()
    folder.mkdir()
    names, title = _without_top([name for name, _ in uploads])
    files = []
    try:
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


def take_uploads(job: Job, spooled: Spooled, short_side: int = DEFAULT_SIDE) -> TakenIn:
    """Take spooled uploads into the store; the spool is removed in any case."""
    with spooled:
        return _take(
            job,
            lambda store, **told: store.ingest_files(spooled.files, name=spooled.title, **told),
            spooled.title.removesuffix(".zip"),
            short_side,
            {"kind": "upload", "name": spooled.title},
        )


def take_path(job: Job, path: str, short_side: int = DEFAULT_SIDE) -> TakenIn:
    """Take in a folder or zip of this machine, inside the roots that its owner has named."""
    resolved = within_roots(path, roots())
    return _take(
        job,
        lambda store, **told: store.ingest(resolved, **told),
        resolved.name,
        short_side,
        {"kind": "path", "path": str(resolved)},
    )


def roots() -> list[Path]:
    """The folders of this machine that the page may read; none unless the owner names some."""
    named = os.environ.get(ROOTS, "")
    return [Path(part).expanduser() for part in named.split(os.pathsep) if part.strip()]


def clear_spool() -> None:
    """Remove what killed processes left of their uploads a day ago or longer."""
    for folder in (studio_home() / "uploads").glob("*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LEFT_OVER_SECONDS:
                shutil.rmtree(folder)


def _take(
    job: Job, ingest: Callable[..., IntakeReport], title: str, short_side: int, origin: dict
) -> TakenIn:
    store = Store(store_root(), short_side)
    report = ingest(
        store,
        progress=lambda p: job.progress(p.done, p.total),
        cancelled=lambda: job.cancelled,
    )
    if report.usable < 2:
        return TakenIn(report, None)
    return TakenIn(report, _dataset(title, reference(store, store.open(report.set_id)), origin).id)


def _dataset(title: str, pool: dict, origin: dict) -> Dataset:
    """The dataset of these images: the one that is there, when they were taken in before."""
    for known in list_datasets():
        if known.pool["set"] == pool["set"] and known.origin.get("kind") == origin["kind"]:
            return known
    return create_dataset(title, pool, origin=origin)
