"""Datasets: image sets with class names and, apart from them, labels for scoring only.

studio_home()/datasets/<id>.json          title, classes, image-set references, origin
studio_home()/datasets/<id>.labels.json   labels of pool and holdout; training never opens it
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ueo_core.data.class_names import check_class_names, check_synonyms
from ueo_core.data.image_set import ImageSet
from ueo_core.data.intake_report import SetInfo
from ueo_core.data.labels import as_classes, folder_labels, map_folders
from ueo_core.data.safe_names import printable
from ueo_core.data.store import Store
from ueo_core.drawings.sample import DEFAULT_SHIFT, SHOWCASE_DOMAIN, problem
from ueo_core.drawings.stored import ingest_problem
from ueo_core.runs.create import reference
from ueo_core.runs.folder import IMAGE_SETS, RunFolder
from ueo_core.runs.stored import REFERENCE
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import read_object, saving, write_json
from ueo_core.utils.paths import runs_root, store_root, studio_home
from ueo_core.utils.shapes import NAME, NUMBER, Maybe, check_shape, has_shape
from ueo_core.workspace.prediction_cache import sets_in_use

TEACHING_SIDE = 105  # pixels; what the 64-pixel Drawings models need, see backbones.store_side
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
Labels = Sequence[str | None]
_DATASET = {
    "id": str,
    "title": str,
    "pool": REFERENCE,
    "holdout": Maybe(REFERENCE),
    "classes": Maybe([str]),
    "accepted": Maybe([str]),
    "declined": Maybe([str]),
    "labels_from": Maybe(str),
    "origin": Maybe({"spool": Maybe(str), "path": Maybe(str)}),
    "created": Maybe(NUMBER),
}


@dataclass(frozen=True)
class Dataset:
    """What a run is made from. Immutable; `changed` gives the next version."""

    id: str
    title: str
    pool: dict  # reference of the unlabeled image set, as runs keep it
    holdout: dict | None = None  # reference of a test set, only ever scored
    classes: tuple[str, ...] = ()  # empty until a person has named them
    accepted: tuple[str, ...] = ()  # label names whose suggested class was confirmed
    labels_from: str = ""  # "", "folders", "csv" or "sample": where the pool's labels come from
    # {"kind": "sample"|"upload"|"path", …}; "unfinished": the intake was stopped before its end
    origin: dict = field(default_factory=dict)
    created: float = 0.0  # seconds since the epoch
    synonyms: dict[str, list[str]] = field(default_factory=dict)  # further names by class
    declined: tuple[str, ...] = ()  # label names whose suggested class was refused

    @property
    def ready(self) -> bool:
        """Whether a run can be made of it."""
        return len(self.classes) >= 2 and self.pool["n"] >= 2

    @property
    def is_sample(self) -> bool:
        return self.origin.get("kind") == "sample"

    def reference(self, part: str) -> dict:
        """The reference of `pool` or `holdout`. UserError when there is no test set."""
        named = self.pool if part == "pool" else self.holdout
        if named is None:
            raise UserError(
                f"Dataset “{self.title}”: it has no test set; add one on the Data page."
            )
        return named

    def images(self, part: str = "pool", short_side: int = TEACHING_SIDE) -> ImageSet:
        """The images of `pool` or `holdout`. UserError when they were deleted."""
        named = self.reference(part)
        return Store(Path(named["store"]), short_side).open(named["set"])

    def raw_labels(self) -> dict[str, list[str | None] | None]:
        """Label names as given: {"pool", "holdout"} → one per image, or None without labels."""
        data = read_object(_path(self.id, "labels.json"))
        sizes = {"pool": self.pool["n"], "holdout": (self.holdout or {"n": 0})["n"]}
        # Of another number of images: a kill came between this file and the dataset's own.
        return {
            p: raw if has_shape(raw := data.get(p) or [], [NAME]) and 0 < len(raw) == n else None
            for p, n in sizes.items()
        }

    def labels(self) -> dict[str, list[str | None] | None]:
        """Labels as class names where they are one, for scoring only; other names are OOD."""
        return {
            part: None if raw is None else as_classes(raw, list(self.classes), self.accepted)
            for part, raw in self.raw_labels().items()
        }

    def similar_labels(self) -> dict[str, str]:
        """Label names that almost match a class: {label: class}, answered or not.

        They differ in case, number, or `_` for a space, and count as unknown unless confirmed.
        """
        names = {name for raw in self.raw_labels().values() for name in raw or () if name}
        return map_folders(names, list(self.classes)).suggestions

    def with_answer(self, similar: Iterable[str], confirmed: Iterable[str]) -> Dataset:
        """Store which of the `similar` label names are their class; those left out are not."""
        similar, confirmed = set(similar), set(confirmed)
        accepted = set(self.accepted) - similar | confirmed
        declined = set(self.declined) - similar | (similar - confirmed)
        values = {"accepted": tuple(sorted(accepted)), "declined": tuple(sorted(declined))}
        if (self.accepted, self.declined) == tuple(values.values()):
            return self
        return self.changed(**values)

    def holdout_overlap(self) -> int:
        """How many test images the run also adapts to: a score on them says little."""
        if not self.holdout:
            return 0
        pool, held = (self.images(part) for part in ("pool", "holdout"))
        adapted = {pool.content_hash(i) for i in range(len(pool))}
        return sum(held.content_hash(i) in adapted for i in range(len(held)))

    def changed(self, **values) -> Dataset:
        """Write a new version, with some values replaced. UserError for names no run can take."""
        if values.get("classes"):
            values["classes"] = tuple(check_class_names(values["classes"]))
        further = values.get("synonyms", self.synonyms)
        named = values.get("classes", self.classes)
        values["synonyms"] = {name: further[name] for name in named if further.get(name)}
        return _write(replace(self, **values))

    def with_labels(self, raw: Labels | None, source: str, part: str = "pool") -> Dataset:
        """Set a part's labels (names, None where unknown), or remove them; for scoring only.

        source: "folders" or "csv"; kept for the pool, whose page offers to change it.
        """
        n = (self.pool if part == "pool" else self.holdout or {"n": 0})["n"]
        if raw is not None and len(raw) != n:
            raise UserError(f"Labels: {len(raw)} were given for {n} images; give one per image.")
        self._keep_labels(part, raw)
        if part == "holdout":
            return self
        return self.changed(labels_from="" if raw is None else source, accepted=(), declined=())

    def with_holdout(self, holdout: dict | None, raw: Labels | None = None) -> Dataset:
        """Declare a test set, which is only ever scored, with its labels; None removes it."""
        self._keep_labels("holdout", raw)
        return self.changed(holdout=holdout)

    def with_pool(self, pool: dict, origin: dict) -> Dataset:
        """The same dataset over more images of its source; labels follow the images' names."""
        raw, before = self.raw_labels()["pool"], self.images().names
        if raw is not None:
            images = Store(Path(pool["store"])).open(pool["set"])
            known = dict(zip(before, raw, strict=True))
            folders = folder_labels(images)
            self._keep_labels(
                "pool",
                folders if self.labels_from == "folders" else [known.get(n) for n in images.names],
            )
        return self.changed(pool=pool, origin=origin)

    def _keep_labels(self, part: str, raw: Labels | None) -> None:
        kept = None if raw is None else list(raw)
        with saving(f"Labels of dataset “{self.title}”"):
            write_json(_path(self.id, "labels.json"), {**self.raw_labels(), part: kept})


def create_dataset(
    title: str,
    pool: dict,
    *,
    classes: Iterable[str] = (),
    holdout: dict | None = None,
    labels: dict[str, Labels | None] | None = None,
    labels_from: str = "",
    origin: dict | None = None,
    id: str | None = None,
) -> Dataset:
    """Create and store a dataset. pool, holdout: from `reference`; labels: names by part.

    UserError when the images are fewer than two, or the class names cannot be told apart.
    """
    if pool["n"] < 2:
        raise UserError(
            f"Dataset “{printable(title, 60)}”: {pool['n']} usable image{'s' * (pool['n'] != 1)}; "
            "adaptation needs at least two, so add more."
        )
    classes = tuple(check_class_names(classes)) if classes else ()
    id = id or f"{_slug(title)}-{secrets.token_hex(3)}"
    if labels:
        kept = {part: list(names) if names else None for part, names in labels.items()}
        with saving(f"Labels of dataset “{printable(title, 60)}”"):
            write_json(_path(id, "labels.json"), kept)
    return _write(
        Dataset(
            id,
            printable(title, 120),
            pool,
            holdout,
            classes,
            (),
            labels_from,
            origin or {},
            time.time(),
        )
    )


def open_dataset(id: str) -> Dataset:
    """A stored dataset; UserError for an unknown id."""
    if not _ID.fullmatch(str(id)) or not _path(id, "json").exists():
        raise UserError(
            f"Dataset “{printable(str(id), 40)}”: not known; choose one on the Data page."
        )
    try:
        data = check_shape(json.loads(_path(id, "json").read_bytes()), _DATASET)
        lists = {name: tuple(data.get(name) or ()) for name in ("classes", "accepted", "declined")}
        check_synonyms(data.get("synonyms", {}), lists["classes"])
        if data["id"] != id:
            raise ValueError("it is of another dataset")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"Dataset “{id}”: its file is damaged ({error}); restore it from a backup, or remove the file "
            f"datasets/{id}.json of the studio's folder and add the images again."
        ) from error
    known = {
        name: data[name] for name in Dataset.__dataclass_fields__ if data.get(name) is not None
    }
    return Dataset(**{**known, **lists})


def list_datasets() -> list[Dataset]:
    """All stored datasets, the newest first; `damaged_datasets` has those that are left out."""
    return sorted(_all()[0], key=lambda d: d.created, reverse=True)


def damaged_datasets() -> list[str]:
    """A sentence about every dataset that cannot be read."""
    return _all()[1]


def _all() -> tuple[list[Dataset], list[str]]:
    found, damaged = [], []
    for path in sorted((studio_home() / "datasets").glob("*.json")):
        if not path.name.endswith(".labels.json"):
            try:
                found.append(open_dataset(path.stem))
            except UserError as error:
                damaged += [str(error)] if path.exists() else []  # else deleted in the meantime
    return found, damaged


def delete_dataset(id: str) -> None:
    """Delete a dataset, its labels and the rest of its upload. The store and runs stay."""
    spool = str(open_dataset(id).origin.get("spool", ""))
    if re.fullmatch(r"[0-9a-f]{32}", spool):  # uploads kept to resume the intake
        shutil.rmtree(studio_home() / "uploads" / spool, ignore_errors=True)
    with saving(f"Dataset “{id}”"):
        for ending in ("json", "labels.json"):
            _path(id, ending).unlink(missing_ok=True)


def unused_sets(store: Store) -> list[SetInfo]:
    """The image sets that no dataset, run or prediction uses; they can be deleted safely.

    UserError if a dataset or a run is damaged: what it uses is not known.
    """
    datasets, damaged = _all()
    used = {part["set"] for d in datasets for part in (d.pool, d.holdout) if part}
    for path in runs_root().glob("*/config.json"):
        try:
            config = RunFolder(path.parent).config
        except UserError as error:
            damaged += [str(error)] if path.exists() else []
            continue
        used |= {config[part]["set"] for part in IMAGE_SETS if config[part]}
    if damaged:
        raise UserError(f"Unused images are not known while a file is damaged. {damaged[0]}")
    used |= sets_in_use(studio_home())
    return [info for info in store.sets() if info.id not in used]


def sample_dataset(
    shift: str = DEFAULT_SHIFT,
    seed: int = 0,
    domain: str = SHOWCASE_DOMAIN,
    progress: Callable[[int, int], None] | None = None,
    on_image: Callable[[bytes], object] | None = None,
    files: Iterable[tuple[str, str, bytes]] | None = None,
) -> Dataset:
    """The built-in problem as a dataset, drawn at the first call and found again later.

    The labels come from the problem that was drawn. `progress(done, total)` counts images; on_image gets
    the PNG of each that is drawn; files: of the problem, where they have been drawn already.
    """
    chosen = problem(shift, seed, domain)
    id = f"sample-{shift}-{domain}-{seed}"
    with contextlib.suppress(UserError):
        kept = open_dataset(id)
        kept.images("pool"), kept.images("holdout")
        # Another version of the studio may have drawn another problem under this name.
        if kept.raw_labels()["pool"] == list(chosen.pool):
            return kept
    title = f"Drawings, {domain}: {shift}, seed {seed}"
    store = Store(store_root(), TEACHING_SIDE)
    sets, labels = ingest_problem(chosen, store, title, progress, on_image, files)
    return create_dataset(
        title,
        reference(store, sets["pool"]),
        holdout=reference(store, sets["test"]),
        classes=chosen.classes,
        labels={"pool": labels["pool"], "holdout": labels["test"]},
        labels_from="sample",
        origin={"kind": "sample", "shift": shift, "seed": seed, "domain": domain},
        id=id,
    )


def _write(dataset: Dataset) -> Dataset:
    with saving(f"Dataset “{dataset.title}”"):
        write_json(_path(dataset.id, "json"), asdict(dataset))
    return dataset


def _path(id: str, ending: str) -> Path:
    return studio_home() / "datasets" / f"{id}.{ending}"


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")[:40] or "images"
