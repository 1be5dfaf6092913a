"""The image store: a source is imported once, and read as an image set at training size.

store/
  objects/…              content-addressed pixels, see objects.py and packs.py
  sets/<id>.json         manifest: names, hashes, sizes, aliases and the intake's report
  sets/<id>.used         its time stamp is the last use
  features/<id>/         features of its images, see zero_shot.py
  hashes/<source>.json   (name, size, time stamps) -> content hash: importing again reads nothing
  working/<random>       held by a running intake; prune.lock by a running prune
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
from ueo_core.data.object_store import Objects
from ueo_core.data.pack_file import ROW_BYTES, pixel_bytes
from ueo_core.data.safe_names import printable
from ueo_core.data.source_entries import Source
from ueo_core.data.sources import Upload, open_path, open_uploads
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import TEMPORARY, exclusive, read_json, unique_name, write_json

log = logging.getLogger(__name__)
_ID = re.compile(r"[0-9a-f]{16}")
_FORMAT = 2  # 1 kept a file per image
_KEYS = {"id", "name", "fingerprint", "created", "short_sides", "report", "images"}


class Store:
    """Images on disk under `root`, with a short side of at most `short_side` pixels.

    366 fits training at 224 pixels (a crop of half the area never enlarges), 549 fits 336,
    105 fits 64. Stores of several sizes share one root. Threads and processes may use it at
    the same time, and an end at any moment leaves it readable.
    """

    def __init__(self, root: Path, short_side: int = 366) -> None:
        self.root, self.short_side = Path(root), int(short_side)
        if self.short_side < 1:
            raise UserError(f"Short side: {short_side} is not a size; give 1 pixel or more.")
        try:
            (self.root / "sets").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"Image store “{self.root}”: it cannot be created ({error.strerror}); choose "
                "another folder."
            ) from error
        self._objects = Objects(self.root / "objects")
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
        """Import a folder or a zip file; importing it again costs almost nothing.

        Raises `UserError` for a missing or empty source; a bad file only adds to `skipped`.
        """
        limits = limits or Limits.configured()
        with open_path(Path(source), limits, self.root) as opened:
            opened.name = printable(name) if name else opened.name
            return self._take(opened, limits, progress, cancelled, workers)

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
        """Import uploads, (unsanitized name, open file | bytes | path), by the same checks."""
        limits = limits or Limits.configured()
        with open_uploads(files, printable(name), limits) as opened:
            return self._take(opened, limits, progress, cancelled, workers)

    def open(self, set_id: str) -> ImageSet:
        """Raises `UserError` when there is no such set."""
        manifest = self._manifest(set_id)
        if manifest is None:
            raise UserError(
                f"Image set {printable(str(set_id), 40)}: not in the store {self.root}; import the "
                "images again."
            )
        with contextlib.suppress(OSError):
            (self.root / "sets" / f"{set_id}.used").touch()
        return ImageSet(self._objects, self.short_side, manifest, manifest["images"])

    def report(self, set_id: str) -> IntakeReport:
        """What the set's last intake said. Raises `UserError` when there is no such set."""
        return IntakeReport.from_json(self.open(set_id).report)

    def sets(self) -> list[SetInfo]:
        """All sets, the last used first."""
        found = []
        for path in (self.root / "sets").glob("*.json"):
            if (manifest := self._manifest(path.stem)) is not None:
                found.append(self._info(path, manifest))
        return sorted(found, key=lambda info: (-info.last_used, info.id))

    def delete(self, set_id: str) -> None:
        """Delete a set; its images stay until `prune`. Raises `UserError` when unknown."""
        shutil.rmtree(self.open(set_id).features, ignore_errors=True)
        for ending in ("json", "used"):
            (self.root / "sets" / f"{set_id}.{ending}").unlink(missing_ok=True)

    def prune(self) -> int:
        """Delete what no set refers to; returns the bytes freed.

        Raises `UserError` while an intake is running: its images belong to no set yet.
        """
        with exclusive(self.root / "prune.lock", 10) as alone:
            if not alone or self._busy():
                raise UserError(
                    "Image store: images are being imported; clean up when that is done."
                )
            before = self._size()
            for left_over in self.root.rglob(f"*{TEMPORARY}"):  # of processes that were killed
                with contextlib.suppress(OSError):
                    left_over.unlink()
            self._objects.prune(self._used())
            self._known.prune()
            return before - self._size()

    def usage(self) -> Usage:
        left_over = sum(_bytes(path) for path in self.root.rglob(f"*{TEMPORARY}"))
        unused = left_over + self._objects.wasted(self._used())
        return Usage(self._size(), unused, shutil.disk_usage(self.root).free)

    def _size(self) -> int:
        return sum(_bytes(path) for path in self.root.rglob("*") if path.is_file())

    def _used(self) -> set[str]:
        """The content hashes that a set refers to."""
        manifests = (self._manifest(path.stem) for path in (self.root / "sets").glob("*.json"))
        return {image["sha256"] for found in manifests if found for image in found["images"]}

    # -- intake ---------------------------------------------------------------------------

    def _take(
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
            intake = Intake(self._objects, self.short_side, limits, self._known.load(source))
            outcomes = list(intake.run(source.entries, progress, cancelled, workers))
            seconds = time.monotonic() - started
            report, images = summarize(source, outcomes, limits, self.short_side, seconds)
            with self._writable():
                self._known.save(source, outcomes)
                if images:
                    self._write_manifest(report, images)
        log.info("%s: %d usable, %d skipped", source.name, report.usable, len(report.skipped))
        return report

    def _write_manifest(self, report: IntakeReport, images: list[dict]) -> None:
        before = self._manifest(str(report.set_id)) or {}
        manifest = {
            "format": _FORMAT,
            "id": report.set_id,
            "name": report.name,
            "fingerprint": fingerprint(images),
            "created": before.get("created", time.time()),
            "short_sides": sorted({self.short_side, *before.get("short_sides", ())}),
            "report": report.to_json(),
            "images": images,
        }
        write_json(self.root / "sets" / f"{report.set_id}.json", manifest)

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Keeps `prune` away; the mark loses its lock with its process."""
        mark = self.root / "working" / unique_name()
        with contextlib.ExitStack() as held:
            with self._writable(), exclusive(self.root / "prune.lock", 600) as alone:
                if not alone:
                    raise UserError("Image store: it is being cleaned up; try again soon.")
                held.callback(mark.unlink, missing_ok=True)
                held.enter_context(exclusive(mark, 0))
            yield

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"Image store {self.root}: cannot be written ({error.strerror}); free some space "
                "or check its permissions."
            ) from error

    def _busy(self) -> bool:
        for mark in (self.root / "working").glob("*"):
            with exclusive(mark, 0) as left_over:
                if not left_over:
                    return True
            mark.unlink(missing_ok=True)
        return False

    # -- manifests ------------------------------------------------------------------------

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
            manifest = read_json(path)
            if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
                return None
            if not manifest.keys() >= _KEYS:
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
    with contextlib.suppress(OSError):  # an intake may rename it meanwhile
        return path.stat().st_size
    return 0
