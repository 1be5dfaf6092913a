"""The image store: images are decoded once and stored at training size.

store/
  objects/…              content-addressed pixels, see object_store.py and pack_file.py
  sets/<id>.json         manifest: names, hashes, sizes, aliases and the report of the intake
  sets/<id>.used         its time stamp is the last use
  features/<id>/         zero-shot features of its images, see feature_cache.py
  hashes/<source>.json   (name, size, time stamps) -> content hash, see hash_cache.py
  working/<random>       locked by a running intake
  prune.lock             locked by a running prune
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ueo_core.data.hash_cache import KnownHashes
from ueo_core.data.image_set import ImageSet
from ueo_core.data.intake import Intake
from ueo_core.data.intake_report import IntakeReport, Progress, SetInfo, Usage
from ueo_core.data.intake_summary import fingerprint, summarize
from ueo_core.data.limits import Limits
from ueo_core.data.object_store import ObjectStore, stored_as
from ueo_core.data.pack_file import ROW_BYTES, pixel_bytes
from ueo_core.data.safe_names import printable
from ueo_core.data.source_entries import Source
from ueo_core.data.sources import Upload, open_path, open_uploads
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import TEMPORARY, exclusive, read_json, unique_name, write_json
from ueo_core.utils.shapes import NUMBER, check_shape

log = logging.getLogger(__name__)
_ID = re.compile(r"[0-9a-f]{16}")
_FORMAT = 2  # format 1 had one file per image
_IMAGE = {"name": str, "sha256": str, "width": int, "height": int, "aliases": [str]}
_MANIFEST = {
    "format": int,
    "id": str,
    "name": str,
    "fingerprint": str,
    "created": NUMBER,
    "short_sides": [int],
    "report": {},
    "images": [_IMAGE],
}


class Store:
    """Images on disk under `root`, with a short side of at most `short_side` pixels.

    A short side of 366 is right for training at 224 pixels (a crop of half the area is never
    enlarged), 549 for 336 and 105 for 64. Stores of several sizes can use the same root. Threads
    and processes may use it at the same time. It stays readable if a process is killed.

    srgb: convert the colors of what is ingested by the files' profiles to sRGB. A set made so is
    another one than without, and `open` needs not be told.
    """

    def __init__(self, root: Path, short_side: int = 366, srgb: bool = False) -> None:
        self.root, self.short_side, self.srgb = Path(root), int(short_side), srgb
        if self.short_side < 1:
            raise UserError(f"Short side: {short_side} is not a size; give 1 pixel or more.")
        try:
            (self.root / "sets").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"Image store {self.root}: it cannot be created there ({error.strerror}); choose "
                "another folder."
            ) from error
        self._objects = ObjectStore(self.root / "objects")
        self._known = KnownHashes(self.root / "hashes")
        self._manifests: dict[str, tuple[tuple[int, ...], dict]] = {}

    def ingest(
        self,
        source: Path,
        *,
        limits: Limits | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        workers: int | None = None,
        name: str | None = None,
    ) -> IntakeReport:
        """Import the images of a folder or zip file; images in the store are not decoded again.

        progress, cancelled: called in the caller's thread, once per file. workers: threads, by
        default one per core. Raises `UserError` for a missing or empty source; a bad file is only
        added to `skipped`.
        """
        limits = limits or Limits.configured()
        with open_path(Path(source), limits, self.root) as opened:
            opened.name = printable(name) if name else opened.name
            return self._ingest(opened, limits, progress, cancelled, workers)

    def ingest_files(
        self,
        files: Iterable[Upload],
        *,
        limits: Limits | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        workers: int | None = None,
        name: str = "upload",
    ) -> IntakeReport:
        """Import uploads, (unchecked name, open file | bytes | path), in the same way."""
        limits = limits or Limits.configured()
        with open_uploads(files, printable(name), limits) as opened:
            return self._ingest(opened, limits, progress, cancelled, workers)

    def ingest_source(
        self, source: Source, limits: Limits, progress: Callable[[Progress], None] | None = None
    ) -> IntakeReport:
        """Import the files of a source that is open, such as some of a larger one, in the same way."""
        return self._ingest(source, limits, progress, None, None)

    def open(self, set_id: str) -> ImageSet:
        """Open an image set. Raises `UserError` if there is no such set."""
        manifest = self._used_manifest(set_id)
        return ImageSet(self._objects, self.short_side, manifest, manifest["images"])

    def report(self, set_id: str) -> IntakeReport:
        """The report of the set's last intake. Raises `UserError` if there is no such set."""
        return IntakeReport.from_json(self._used_manifest(set_id)["report"])

    def sets(self) -> list[SetInfo]:
        """All sets, the most recently used first."""
        found = []
        for path in (self.root / "sets").glob("*.json"):
            if (manifest := self._manifest(path.stem)) is not None:
                found.append(self._info(path, manifest))
        return sorted(found, key=lambda info: (-info.last_used, info.id))

    def delete(self, set_id: str) -> None:
        """Delete a set; `prune` deletes its images. Raises `UserError` if there is no such set."""
        shutil.rmtree(self.open(set_id).features, ignore_errors=True)
        for ending in ("json", "used"):
            (self.root / "sets" / f"{set_id}.{ending}").unlink(missing_ok=True)

    def prune(self) -> int:
        """Delete everything that no set uses. → bytes freed

        Raises `UserError` while an intake is running, as its images belong to no set yet.
        """
        with exclusive(self.root / "prune.lock", 10) as alone:
            if not alone or self._busy():
                raise UserError(
                    "Image store: images are being imported; delete unused data after that."
                )
            before = self._size()
            for left_over in self.root.rglob(f"*{TEMPORARY}"):  # by processes that were killed
                with contextlib.suppress(OSError):
                    left_over.unlink()
            self._objects.prune(self._used())
            self._known.prune()
            return before - self._size()

    def usage(self) -> Usage:
        """The disk usage of the store."""
        left_over = sum(_bytes(path) for path in self.root.rglob(f"*{TEMPORARY}"))
        unused = left_over + self._objects.wasted(self._used())
        return Usage(self._size(), unused, shutil.disk_usage(self.root).free)

    def _size(self) -> int:
        return sum(_bytes(path) for path in self.root.rglob("*") if path.is_file())

    def _used(self) -> set[str]:
        """The content hashes that any set uses. Raises `UserError` if a manifest is damaged."""
        used: set[str] = set()
        for path in (self.root / "sets").glob("*.json"):
            if (manifest := self._manifest(path.stem)) is None:
                if not _ID.fullmatch(path.stem) or not path.exists():
                    continue
                # What it uses is not known, and it may be restored from a backup.
                raise UserError(
                    f"Image store: the list of image set {path.stem} is damaged, so what nothing uses is "
                    f"not known; import its images again, or delete the file sets/{path.name} of the store."
                )
            srgb = bool(manifest["report"].get("srgb"))
            used |= {stored_as(image["sha256"], srgb) for image in manifest["images"]}
        return used

    # Intake

    def _ingest(
        self,
        source: Source,
        limits: Limits,
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        workers: int | None,
    ) -> IntakeReport:
        started = time.monotonic()
        with self._working():
            self._objects.refresh(again=True)
            known = self._known.load(source)
            intake = Intake(self._objects, self.short_side, limits, known, self.srgb)
            outcomes = list(intake.run(source.entries, progress, cancelled, workers))
            seconds = time.monotonic() - started
            report, images = summarize(
                source, outcomes, limits, self.short_side, seconds, self.srgb
            )
            with self._writable():
                self._known.save(source, outcomes)
                if report.set_id:
                    self._write_manifest(report.set_id, report, images)
        log.info("%s: %d usable, %d skipped", source.name, report.usable, len(report.skipped))
        return report

    def _write_manifest(self, set_id: str, report: IntakeReport, images: list[dict]) -> None:
        before = self._manifest(set_id) or {}
        manifest = {
            "format": _FORMAT,
            "id": set_id,
            "name": report.name,
            "fingerprint": fingerprint(images, self.srgb),
            "created": before.get("created", time.time()),
            "short_sides": sorted({self.short_side, *before.get("short_sides", ())}),
            "report": report.to_json(),
            "images": images,
        }
        write_json(self.root / "sets" / f"{set_id}.json", manifest)

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Prevent `prune` by a locked file; the lock is released if the process is killed."""
        mark = self.root / "working" / unique_name()
        with contextlib.ExitStack() as held:
            with self._writable(), exclusive(self.root / "prune.lock", 600) as alone:
                if not alone:
                    raise UserError("Image store: unused data is being deleted; try again soon.")
                held.callback(mark.unlink, missing_ok=True)
                held.enter_context(exclusive(mark, 0))
            yield

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"Image store {self.root}: it cannot be written ({error.strerror}); free disk space "
                "or check its permissions."
            ) from error

    def _busy(self) -> bool:
        for mark in (self.root / "working").glob("*"):
            with exclusive(mark, 0) as left_over:
                if not left_over:
                    return True
            mark.unlink(missing_ok=True)
        return False

    # Manifests

    def _used_manifest(self, set_id: str) -> dict:
        """The manifest of a set, which counts as a use. Raises `UserError` if there is none."""
        manifest = self._manifest(set_id)
        if manifest is None:
            there = _ID.fullmatch(str(set_id)) and (self.root / "sets" / f"{set_id}.json").exists()
            why = "the list of its images is damaged" if there else "it is not in the store"
            raise UserError(
                f"Image set {printable(str(set_id), 40)}: {why}; import the images again."
            )
        with contextlib.suppress(OSError):
            (self.root / "sets" / f"{set_id}.used").touch()
        return manifest

    def _manifest(self, set_id: str) -> dict | None:
        if not _ID.fullmatch(str(set_id)):
            return None
        path = self.root / "sets" / f"{set_id}.json"
        try:
            stat = path.stat()
        except OSError:
            return None
        stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        cached = self._manifests.get(set_id)
        if cached is None or cached[0] != stamp:
            try:
                manifest: dict = check_shape(read_json(path), _MANIFEST)
                IntakeReport.from_json(manifest["report"])
            except (ValueError, TypeError, KeyError) as error:
                log.warning("image set %s: its manifest is damaged: %s", set_id, error)
                return None
            if manifest["format"] != _FORMAT or manifest["id"] != set_id:
                return None
            cached = self._manifests[set_id] = (stamp, manifest)
        return cached[1]

    def _info(self, path: Path, manifest: dict) -> SetInfo:
        sides = manifest["short_sides"]
        size = 0
        for image in manifest["images"]:
            small = min(image["width"], image["height"])
            for side in {min(small, side) for side in sides}:
                size += pixel_bytes(image["width"], image["height"], side) + ROW_BYTES
        used = manifest["created"]
        with contextlib.suppress(OSError):
            used = path.with_suffix(".used").stat().st_mtime
        count = len(manifest["images"])
        return SetInfo(path.stem, manifest["name"], count, size, manifest["created"], used, sides)


def _bytes(path: Path) -> int:
    with contextlib.suppress(OSError):  # an intake may rename it in the meantime
        return path.stat().st_size
    return 0
