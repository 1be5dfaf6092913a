"""Predictions of any number of images as Parquet files of some thousand rows, in constant memory.

A part is written as soon as its images are predicted, and named in `_manifest.json` then. After an interruption
the parts that are named there are not computed again, and the result is that of an uninterrupted call. Several
processes share the parts; the files are those of one process.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ueo_core.config.settings import PRECISIONS
from ueo_core.data.decode_processes import ReadFile, read_files
from ueo_core.data.intake import default_workers
from ueo_core.data.stream import Fingerprint, Found, Stream
from ueo_core.data.transforms import encoded_at_once
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.inference.predict import features
from ueo_core.inference.predictions import COLUMNS, Predictions
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.ranks import Ranks
from ueo_core.training.shares import own_share, wait_for_all
from ueo_core.utils.arrow import arrow
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import TEMPORARY, exclusive, read_object, saving, write_bytes, write_json
from ueo_core.utils.memory import reuse_freed_memory
from ueo_core.utils.precision import resolve_precision, tower_autocast
from ueo_core.utils.shapes import check_shape, has_shape

log = logging.getLogger(__name__)
# Readers of a folder of Parquet files leave out names that begin so.
MANIFEST, CLAIM, ADDING = "_manifest.json", "_claim", "_adding"
FORMAT = "ueo-studio-parts-1"
FEATURES = ("float16", "float32")
_PART = dict.fromkeys(("number", "bytes", "files", "skipped", "unknown"), int)
# Rows of a part: at 1,000 classes its cosines take 16 MB, and a kill loses at most some seconds of a GPU's
# or a minute of a CPU's work.
IMAGES_PER_PART = 4096
TOP = 5


@dataclass(frozen=True)
class PartOptions:
    """What is written of each image, and how."""

    top: int = TOP  # classes with the largest confidence
    features: str | None = None  # one of FEATURES: unit features, too; None: none
    images_per_part: int = IMAGES_PER_PART
    processes: int | None = None  # that decode for this one; None: one per core, 0: this one
    srgb: bool = False  # convert colors by the files' profiles, as for the images of the adapter
    precision: str = "float32"  # of the image tower, one of settings.PRECISIONS

    def __post_init__(self) -> None:
        if self.features not in (None, *FEATURES):
            raise UserError(f"Features {self.features!r}: choose one of {', '.join(FEATURES)}.")
        if self.precision not in PRECISIONS:
            raise UserError(f"Precision {self.precision!r}: choose one of {', '.join(PRECISIONS)}.")
        for name in ("top", "images_per_part"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}: {getattr(self, name)} is too few; give 1 or more.")


@dataclass(frozen=True)
class PartsWritten:
    """What lies in the folder at the end."""

    folder: Path
    files: int  # of the source: as many rows
    skipped: int  # rows with a reason in place of a prediction
    unknown: int
    threshold: float
    resumed: int  # rows of parts that were there before
    parts: list[str] = field(default_factory=list)  # names of the files, in order

    def to_json(self) -> dict[str, Any]:
        """Plain data for a script."""
        return asdict(self) | {"folder": str(self.folder)}


class DecodedBatch:
    """Decoded images as `Views` reads them."""

    def __init__(self, images: Sequence[ReadFile]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def pixels(self, i: int) -> np.ndarray:
        pixels = self._images[i].pixels
        assert pixels is not None
        return pixels

    def size(self, i: int) -> tuple[int, int]:
        return self._images[i].size


def write_parts(
    model: AdaptedCLIP,
    source: Stream,
    out: Path,
    threshold: float,
    options: PartOptions,
    tell: Callable[[str, int, int | None], object] = lambda what, done, total: None,
    ranks: Ranks | None = None,
) -> PartsWritten:
    """Predict every file of a source under the model as it is, into `out`.

    threshold: on MCM; tell(what, done, total): progress of this call, total None while it is unknown;
    ranks: processes that all call this, and share the parts.
    UserError where the folder holds predictions of another model or source, or with other options.
    """
    arrow("Parquet")  # refused before the first image is read
    missing: dict[int, int] = {}  # files of a part by its number
    resumed = 0
    with contextlib.ExitStack() as held:
        if not ranks or ranks.rank == 0:
            with saving(f"Folder “{out}”"):
                out.mkdir(parents=True, exist_ok=True)
            if not held.enter_context(exclusive(out / CLAIM, 0.2)):
                raise UserError(
                    f"Folder “{out}”: another process writes into it; wait for its end."
                )
            total, mark = source.survey(lambda n: tell("listed", n, None))
            manifest = _manifest(model, source, total, mark, threshold, options)
            manifest["parts"] = done = _continued(out, manifest)
            with saving(f"Folder “{out}”"):
                write_json(out / MANIFEST, manifest, indent=1)
                # Of a process that was killed while it wrote: other tools would take them for parts.
                for left_over in out.glob(f"part-*{TEMPORARY}"):
                    left_over.unlink()
            resumed = sum(part["files"] for part in done)
            size, numbers = options.images_per_part, {part["number"] for part in done}
            missing = {
                k: min(size, total - k * size) for k in range(-(-total // size)) if k not in numbers
            }
        own = own_share(ranks, missing) if ranks else list(missing)
        with reuse_freed_memory(model.device):
            _write(model, source, out, own, options, tell, ranks)
        if ranks:
            wait_for_all(ranks)
        manifest = _manifest_in(out)
    parts = manifest["parts"]
    if sum(part["files"] for part in parts) != manifest["source"]["files"]:
        raise _changed(out)
    return PartsWritten(
        out,
        manifest["source"]["files"],
        sum(p["skipped"] for p in parts),
        sum(p["unknown"] for p in parts),
        threshold,
        resumed,
        [part_name(p["number"]) for p in parts],
    )


def model_fingerprint(model: AdaptedCLIP) -> str:
    """sha256 (hex) of all that predictions depend on: weights, adapter, texts, preprocessing."""
    backbone, texts = model.backbone, model.texts
    about = [backbone.fingerprint, backbone.preprocessing.to_json(), model.logit_scale]
    about += [model.classes, model.prompt, list(texts.templates), texts.synonyms]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, value in sorted(model.adapter().items()):
        digest.update(name.encode() + value.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _manifest(
    model: AdaptedCLIP,
    source: Stream,
    total: int,
    mark: str,
    threshold: float,
    options: PartOptions,
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "model": model_fingerprint(model),
        "source": {"path": str(source.path), "files": total, "fingerprint": mark},
        "classes": model.classes,
        "score": DEFAULT_SCORE,
        "threshold": threshold,
        "top": min(options.top, len(model.classes)),
        "features": options.features,
        "images_per_part": options.images_per_part,
        "srgb": options.srgb,
        "precision": resolve_precision(options.precision, model.device),
        "parts": [],
    }


def _continued(out: Path, manifest: dict[str, Any]) -> list[dict]:
    """The parts that are there already, by number. UserError where they are of something else."""
    found = read_object(out / MANIFEST)
    if not found and any(out.glob("part-*.parquet")):
        raise UserError(
            f"Folder “{out}”: it holds parts without a readable {MANIFEST}; choose an empty folder."
        )
    if not found:
        return []
    way_out = "choose another folder, or delete this one"
    source = found["source"] if has_shape(found, {"source": dict}) else {}
    if found.get("format") != FORMAT:
        raise UserError(f"Folder “{out}”: its {MANIFEST} is of another kind; {way_out}.")
    if found.get("model") != manifest["model"]:
        raise UserError(f"Folder “{out}”: it holds predictions of another model; {way_out}.")
    if source.get("fingerprint") != manifest["source"]["fingerprint"]:
        raise UserError(
            f"Folder “{out}”: it holds predictions of other files, or the source has changed since; "
            f"{way_out}."
        )
    found.setdefault("precision", "float32")  # of a version that had no other
    for name in ("threshold", "top", "features", "images_per_part", "srgb", "precision"):
        if found.get(name) != manifest[name]:
            raise UserError(
                f"Folder “{out}”: it was begun with {name} = {found.get(name)}, not {manifest[name]}; give "
                f"the same, or {way_out}."
            )
    done = {}
    for part in found["parts"] if isinstance(found.get("parts"), list) else []:
        with contextlib.suppress(OSError, ValueError):
            check_shape(part, _PART)
            name = part_name(part["number"])
            if (out / name).stat().st_size == part["bytes"]:
                done[part["number"]] = part
    return [done[number] for number in sorted(done)]


def part_name(number: int) -> str:
    """The file of a part, in the order of the source."""
    return f"part-{number:05d}.parquet"


def _manifest_in(out: Path) -> dict[str, Any]:
    """The manifest while parts are written. UserError where something else has damaged it."""
    found = read_object(out / MANIFEST)
    if not has_shape(found, {"parts": [_PART], "source": {"files": int}}):
        raise UserError(
            f"Folder “{out}”: its {MANIFEST} was changed or deleted while parts were written; choose another "
            "folder."
        )
    return found


def _add(out: Path, part: dict[str, int]) -> list[dict]:
    """Name a written part in the manifest, which other processes add to as well. → all that are named there"""
    with exclusive(out / ADDING, -1):
        manifest = _manifest_in(out)
        manifest["parts"] = sorted([*manifest["parts"], part], key=lambda p: p["number"])
        write_json(out / MANIFEST, manifest, indent=1)
    return manifest["parts"]


def _write(
    model: AdaptedCLIP,
    source: Stream,
    out: Path,
    own: list[int],
    options: PartOptions,
    tell: Callable[[str, int, int | None], object],
    ranks: Ranks | None,
) -> None:
    """The parts of this process. own: their numbers, ascending"""
    manifest, mark = _manifest_in(out), Fingerprint()
    size, total = manifest["images_per_part"], manifest["source"]["files"]
    before = sum(part["files"] for part in manifest["parts"])
    wanted, encoded, others = set(own), 0, 0

    def remaining() -> Iterator[Found]:
        with contextlib.closing(source.files()) as files:
            for i, found in enumerate(files):
                mark.add(found)
                if i // size in wanted:
                    yield found

    def on_batch(n: int) -> None:
        nonlocal encoded
        encoded += n
        tell("predicted", encoded + others, total - before)

    processes = options.processes
    if processes is None and ranks:
        processes = max(1, default_workers() // ranks.here)
    with saving(f"Folder “{out}”"), torch.no_grad():
        text = model.encode_text()
        side, limits = model.backbone.store_side, source.limits
        read = read_files(remaining(), side, limits, processes, options.srgb)
        with contextlib.closing(read):
            for number in own:
                files = min(size, total - number * size)
                table, about = _part(model, text, islice(read, files), manifest, on_batch)
                if about["files"] != files:
                    raise _changed(out)
                write_bytes(out / part_name(number), table)
                named = _add(out, {"number": number, "bytes": len(table)} | about)
                others = sum(part["files"] for part in named) - before - encoded
            if next(read, None) is not None or mark.hex != manifest["source"]["fingerprint"]:
                raise _changed(out)


def _changed(out: Path) -> UserError:
    return UserError(
        f"Folder “{out}”: the source changed while it was read; predict it again into another folder."
    )


def _part(
    model: AdaptedCLIP,
    text: torch.Tensor,
    read: Iterator[ReadFile],
    manifest: dict[str, Any],
    on_batch: Callable[[int], object],
) -> tuple[bytes, dict[str, int]]:
    """One part as the bytes of a Parquet file, and how many files, skipped and unknown it has."""
    names, reasons, usable = [], [], []
    seen = [text.new_zeros((0, text.shape[1]), device="cpu")]
    while batch := list(islice(read, encoded_at_once(model.device))):
        good = [file for file in batch if file.pixels is not None]
        if good:
            with tower_autocast(manifest["precision"], model.device):
                seen.append(features(model, DecodedBatch(good)))
        for file in batch:
            names.append(file.name)
            reasons.append(file.reason or None)
            usable.append(file.pixels is not None)
        on_batch(len(batch))
    encoded = torch.cat(seen)
    cosines = model.cosines(encoded, text).numpy()
    own = [name for name, good in zip(names, usable, strict=True) if good]
    found = Predictions(own, cosines, model.classes, model.logit_scale)
    table = _table(found, names, reasons, np.asarray(usable, bool), manifest, encoded)
    unknown = int(found.unknown(manifest["threshold"]).sum()) if own else 0
    return table, {"files": len(names), "skipped": len(names) - len(own), "unknown": unknown}


def _table(
    found: Predictions,
    names: list[str],
    reasons: list[str | None],
    usable: np.ndarray,
    manifest: dict[str, Any],
    encoded: torch.Tensor,
) -> bytes:
    """The columns of the CSV with their types, `top` and `top_confidence`, `reason`, `features`."""
    pa, parquet = arrow("Parquet")
    # The row of each file among those that were predicted; null where it was not.
    row = pa.array(np.cumsum(usable) - 1, mask=~usable)
    classes, k = pa.array(found.classes), manifest["top"]
    logits = found.logit_scale * np.asarray(found.cosines, np.float64)
    top = np.argsort(-logits, axis=1, kind="stable")[:, :k]  # the first of equals, as argmax
    if len(found):
        shifted = np.exp(logits - logits.max(1, keepdims=True))
        sure = np.take_along_axis(shifted, top, 1) / shifted.sum(1, keepdims=True)
        unknown = found.unknown(manifest["threshold"])
        confidence, score = found.confidence, found.score
    else:
        unknown, sure = np.zeros(0, bool), np.zeros((0, k))
        confidence = score = np.zeros(0)
    columns = {
        "prediction": classes.take(pa.array(top[:, 0])),
        "confidence": pa.array(confidence),
        "score": pa.array(score),
        "unknown": pa.array(unknown),
        "top": pa.FixedSizeListArray.from_arrays(classes.take(pa.array(top.ravel())), k),
        "top_confidence": pa.FixedSizeListArray.from_arrays(
            pa.array(sure.astype(np.float32).ravel()), k
        ),
    }
    assert ("path", *columns)[: len(COLUMNS)] == COLUMNS
    if kind := manifest["features"]:
        flat = pa.array(encoded.numpy().astype(kind).ravel())
        columns["features"] = pa.FixedSizeListArray.from_arrays(flat, encoded.shape[1])
    table = {"path": pa.array(names, pa.string())}
    table |= {name: column.take(row) for name, column in columns.items()}
    table["reason"] = pa.array(reasons, pa.string())
    about = {k: v for k, v in manifest.items() if k not in ("parts", "source")}
    metadata = {"ueo_studio": json.dumps(about, ensure_ascii=False)}
    file = io.BytesIO()
    parquet.write_table(pa.table(table).replace_schema_metadata(metadata), file)
    return file.getvalue()
