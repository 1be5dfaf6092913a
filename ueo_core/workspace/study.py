"""A protocol of the Compare page: its choices and its rows so far, in a folder. No torch.

studio_home()/protocols/<id>/study.json   the choices
studio_home()/protocols/<id>/out/         what `protocol.carry_out` keeps; it continues from there
"""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.config.methods import METHODS, VARIANTS
from ueo_core.config.settings import Settings
from ueo_core.drawings.sample import SHIFTS as DRAWN_SHIFTS
from ueo_core.drawings.sample import problem
from ueo_core.evaluation.metrics import OOD
from ueo_core.protocol.benchmarks import recognized
from ueo_core.protocol.category_shift import LabeledFolder, possible_shifts
from ueo_core.protocol.tables import read_row
from ueo_core.utils.background_jobs import Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import saving, write_json
from ueo_core.utils.paths import studio_home
from ueo_core.utils.shapes import NAME, NUMBER, Maybe, check_shape
from ueo_core.workspace.dataset import TEACHING_SIDE, Dataset, open_dataset, sample_dataset

if TYPE_CHECKING:  # it imports torch, and a page lists studies before torch is loaded
    from ueo_core.workspace.time_estimate import Estimate

DRAWINGS = "drawings"  # the built-in problem, in place of a dataset
TEST_SHARE = 0.5  # of every class of a dataset, kept out of the pool
MOST_STUDY_SEEDS = 20


_STUDY = {
    "data": str,
    "data_title": str,
    "marks": str,
    "by_share": bool,
    "backbone": str,
    "pretrained": NAME,
    "shifts": [str],
    "methods": [str],
    "seeds": int,
    "epochs": int,
    "lr": Maybe(NUMBER),
    "kept": NUMBER,
}


@dataclass(frozen=True)
class Study:
    """What is compared on what."""

    data: str  # id of a dataset, or DRAWINGS
    data_title: str
    marks: str  # of the dataset's images, class names and labels; of the Drawings, their domain
    by_share: bool  # the paper's share of the folders is known, whatever the class names are
    backbone: str
    pretrained: str | None
    shifts: tuple[str, ...]
    methods: tuple[str, ...]  # keys of VARIANTS
    seeds: int  # 0 … seeds − 1
    epochs: int  # of the methods that train in the loop
    lr: float | None = None  # their learning rate; None: the usual one of the backbone

    @property
    def id(self) -> str:
        """The same for the same images and settings: more methods, category shifts or seeds are added to its rows."""
        kept = [self.data, self.marks, self.by_share, self.backbone, self.pretrained, self.epochs]
        kept += [] if self.lr is None else [self.lr]
        return sha256(json.dumps(kept).encode()).hexdigest()[:12]

    @property
    def title(self) -> str:
        share = ", the paper's share of classes" if self.by_share else ""
        epochs = f"{self.epochs} epoch{'s' * (self.epochs != 1)}"
        rate = "" if self.lr is None else f" · rate {self.lr:g}"
        return f"{self.data_title}{share} · {Path(self.backbone).name} · {epochs}{rate}"

    @property
    def drawn(self) -> bool:
        """Whether it is of the Drawings."""
        return self.data == DRAWINGS

    @property
    def folder(self) -> Path:
        return studio_home() / "protocols" / self.id

    @property
    def keys(self) -> list[tuple[str, int, str]]:
        """Shift, seed and method of every row."""
        return [
            (shift, seed, method)
            for shift in self.shifts
            for seed in range(self.seeds)
            for method in self.methods
        ]

    @property
    def chosen(self) -> dict:
        """The settings that a person changed; no method's own defaults replace them."""
        usual = Settings.for_backbone(self.backbone)
        chosen = {"epochs": self.epochs, "lr": usual.lr if self.lr is None else self.lr}
        return {name: value for name, value in chosen.items() if value != getattr(usual, name)}

    @property
    def settings(self) -> Settings:
        return Settings.for_backbone(self.backbone, pretrained=self.pretrained, **self.chosen)


def measured_part(dataset: Dataset) -> str | None:
    """The part of a dataset that a protocol can measure with: the one whose images have labels."""
    found = _measured(dataset)
    return found[0] if found else None


def _measured(dataset: Dataset) -> tuple[str, list[str | None]] | None:
    """The part that `measured_part` names, and its labels."""
    if dataset.is_sample:
        return None  # its pool lacks classes on purpose; the Drawings are used instead
    for part, labels in dataset.labels().items():
        if labels and len(set(labels) - {None}) > 1:
            return part, labels
    return None


def _require_measured(dataset: Dataset) -> tuple[str, list[str | None]]:
    """As `_measured`. UserError for a dataset without such a part."""
    found = _measured(dataset)
    if found is None:
        raise UserError(
            f"Dataset “{dataset.title}”: a protocol measures, so it needs images with labels of two names "
            "or more; give it labels on the Data page."
        )
    return found


def dataset_fingerprint(dataset: Dataset) -> str:
    """Changes with the images, the class names and the labels of a dataset."""
    part, labels = _require_measured(dataset)
    kept = [dataset.reference(part)["fingerprint"], dataset.classes, labels]
    return sha256(json.dumps(kept).encode()).hexdigest()[:16]


def labeled(dataset: Dataset, by_share: bool, short_side: int = TEACHING_SIDE) -> LabeledFolder:
    """The labeled images of a dataset as a protocol splits them. UserError where it cannot."""
    part, labels = _require_measured(dataset)
    known = () if by_share else dataset.classes
    paper = recognized(sorted({n for n in labels if n})) if by_share else None
    images = dataset.images(part, short_side)
    return LabeledFolder(images, tuple(labels), known, paper, None, TEST_SHARE)


def study_shifts(data: str, by_share: bool) -> tuple[list[str], list[str]]:
    """The shifts that the images allow, and what to know of them. UserError where they allow none."""
    if data == DRAWINGS:
        return list(DRAWN_SHIFTS), []
    folder = labeled(open_dataset(data), by_share)
    shifts, notes = possible_shifts(folder, "all")
    return [*shifts, "plain"], notes + folder.notes(shifts)


@dataclass(frozen=True)
class Sizes:
    """Number of images of one category shift."""

    shift: str
    classes: int
    pool: int
    ood: int  # in the pool
    test: int


def shift_sizes(study: Study) -> list[Sizes]:
    """How many images every category shift has, of the first seed. UserError for one that is not possible."""
    found = []
    for shift in study.shifts:
        if study.drawn:
            drawn = problem(shift, 0, study.marks)
            unknown = sum(noun not in drawn.classes for noun in drawn.pool)
            found.append(
                Sizes(shift, len(drawn.classes), len(drawn.pool), unknown, len(drawn.test))
            )
        else:
            case = labeled(open_dataset(study.data), study.by_share).case(shift, 0)
            unknown = int((case.pool.truth == OOD).sum())
            found.append(Sizes(shift, len(case.classes), len(case.pool), unknown, len(case.test)))
    return found


def study_seconds(study: Study, measured: "Estimate", rows: Sequence[dict]) -> float:
    """About how long the missing rows take, from a probe of the same backbone."""
    there = {(r["shift"], r["seed"], r["method"]) for r in rows}
    by_shift = {s.shift: s for s in shift_sizes(study)}
    total = 0.0
    for shift, seed, name in study.keys:
        method = METHODS.get(VARIANTS[name].method or "")
        if (shift, seed, name) in there:
            continue
        images = by_shift[shift].pool + by_shift[shift].test
        total += images * measured.image_seconds
        if method and not method.on_features:
            steps = steps_in_all(
                by_shift[shift].pool, study.settings.changed(method=VARIANTS[name].method)
            )
            total += steps * measured.step_seconds
    return total


def probe_dataset(study: Study) -> Dataset:
    """The images on which the time of a step is measured: the study's, or the built-in problem's."""
    return sample_dataset() if study.drawn else open_dataset(study.data)


def carry_out_study(study: Study, job: Job) -> list[dict]:
    """Do what is missing of a study; a cancelled or interrupted one goes on from its rows. → all rows"""
    # torch takes seconds to import, and the page must paint before.
    from ueo_core.models import backbones
    from ueo_core.protocol.drawings_table import drawings_rows
    from ueo_core.protocol.plan import folder_plan
    from ueo_core.protocol.runner import carry_out

    out, seeds = study.folder / "out", range(study.seeds)

    def tell(done: int, total: int, what: str, place: int = 0, places: int = 1) -> None:
        job.what = what
        job.progress(place * total + done, places * total)

    if study.drawn:
        for place, shift in enumerate(study.shifts):
            drawings_rows(
                [study.backbone],
                shift,
                seeds,
                study.marks,
                study.methods,
                out,
                study.chosen,
                partial(tell, place=place, places=len(study.shifts)),
                job.check,
            )
    else:
        settings = study.settings
        backbone = backbones.load(settings.backbone, settings.pretrained, settings.device)
        folder = labeled(open_dataset(study.data), study.by_share, backbone.store_side)
        plan = folder_plan(
            folder, study.shifts, seeds, study.methods, settings, frozenset(study.chosen)
        )
        carry_out(plan, backbone, out, tell, job.check)
    return study_rows(study)


# What is kept


def save_study(study: Study) -> None:
    """Write the choices down, so that the study is found again."""
    with saving(f"Protocol “{study.title}”"):
        write_json(study.folder / "study.json", asdict(study) | {"kept": time.time()})


def delete_study(study: Study) -> None:
    """Delete a study and its rows; half deleted, it is no longer listed."""
    (study.folder / "study.json").unlink(missing_ok=True)
    shutil.rmtree(study.folder, ignore_errors=True)


def studies() -> list[Study]:
    """All kept studies, the newest first; `damaged_studies` has those that are left out."""
    return [study for _, study in sorted(_all()[0], key=lambda x: x[0], reverse=True)]


def damaged_studies() -> list[str]:
    """A sentence about every study that cannot be read."""
    return _all()[1]


def _all() -> tuple[list[tuple[float, Study]], list[str]]:
    found, damaged = [], []
    for path in sorted((studio_home() / "protocols").glob("*/study.json")):
        try:
            data = dict(check_shape(json.loads(path.read_bytes()), _STUDY))
            when = data.pop("kept")
            for name in ("shifts", "methods"):
                data[name] = tuple(data[name])
            study = Study(**data)
            if study.id != path.parent.name:
                raise ValueError("it is of another protocol")
        except (OSError, ValueError, TypeError, RecursionError) as error:
            damaged.append(
                f"Protocol “{path.parent.name}”: its file study.json is damaged ({error}); restore it from "
                "a backup, or configure the same protocol again, which finds its rows."
            )
        else:
            found.append((when, study))
    return found, damaged


def study_rows(study: Study) -> list[dict]:
    """Every row there is, by shift, method and seed; those of earlier, other choices too."""
    found = [read_row(p) for p in (study.folder / "out").rglob("rows/*.json")]
    shifts, methods = list(study.shifts), list(VARIANTS)
    return sorted(
        (r for r in found if r and r["method"] in VARIANTS),
        key=lambda r: (
            shifts.index(r["shift"]) if r["shift"] in shifts else len(shifts),
            r["shift"],
            methods.index(r["method"]),
            r["seed"],
        ),
    )


def missing_rows(study: Study, rows: Sequence[dict]) -> int:
    """How many rows are still missing."""
    there = {(r["shift"], r["seed"], r["method"]) for r in rows}
    return sum(key not in there for key in study.keys)


def differences_from(rows: Sequence[dict], over: str) -> list[dict]:
    """The rows as differences from one method at the same shift and seed, in points.

    Rows without that counterpart are left out, and so is what one of the two has not.
    """
    base = {(r["shift"], r["seed"]): r for r in rows if r["method"] == over}
    return [_less(r, base[r["shift"], r["seed"]]) for r in rows if (r["shift"], r["seed"]) in base]


_FACTS = ("seed", "n_pool", "n_test", "seconds")  # numbers that are no measurement


def _less(row: dict, base: dict) -> dict:
    found: dict = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found[key] = _less(value, base[key])
        elif key in _FACTS or isinstance(value, str):
            found[key] = value
        else:
            other = base.get(key)
            found[key] = None if value is None or other is None else value - other
    return found
