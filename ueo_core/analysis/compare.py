"""Runs side by side: their results on the same images, their differences, means over seeds."""

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.run_result import Inspection, SetResult, read_inspection
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import SETTINGS, Settings
from ueo_core.evaluation.metrics import UNLABELED
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.stored import DamagedRun
from ueo_core.utils.errors import UserError

ZERO_SHOT = "zero-shot"  # in place of a run's id: the model before adaptation
TIME_ONLY = ("device", "chunk")  # settings that change the time, not the result
FIGURES = ("acc", "auc", "hm", "fpr95", "agreement", "seconds")


@dataclass(frozen=True, eq=False)  # identity: holds arrays
class ModelPredictions:
    """The predictions of one model for the N images of a set, and its metrics."""

    prediction: NDArray[np.int64]  # (N,) class index
    confidence: NDArray[np.floating]  # (N,) max softmax at the logit scale
    score: NDArray[np.floating]  # (N,) higher = more in-distribution
    threshold: float  # unsupervised, from the pool's scores; an image below it is rejected
    metrics: dict  # of metrics.evaluate


@dataclass(frozen=True, eq=False)  # identity: holds arrays
class ComparedRun:
    """One finished run on one image set."""

    run: str
    title: str
    settings: Settings
    classes: tuple[str, ...]
    pool: dict  # reference of the images it was adapted on
    part: str  # pool or holdout: the images it is compared on
    reference: dict  # of those images
    truth: NDArray[np.int64]  # (N,) class index, OOD or UNLABELED
    predictions: dict[str, ModelPredictions]  # "before" (zero-shot) and "after"
    logit_scale: float
    step: int
    steps: int
    seconds: float  # spent adapting
    synonyms: str = ""  # further names of the classes, as JSON
    guard: dict | None = None  # the recommendation without labels, `guard_rule.Choice`

    @cached_property
    def images(self) -> str:
        """A key that is equal for the same images and class names."""
        return json.dumps([self.reference["fingerprint"], self.classes])

    @cached_property
    def benchmark(self) -> str:
        """A key that is equal for the same images, class names and labels, as paired tests need."""
        return self.images + sha256(self.truth.tobytes()).hexdigest()

    @cached_property
    def zero_shot(self) -> str:
        """A key that is equal for the same zero-shot model on the same benchmark."""
        return json.dumps([self.benchmark, *_model(self.settings), self.synonyms])

    @property
    def labeled(self) -> bool:
        return bool((self.truth != UNLABELED).any())

    @property
    def agreement(self) -> float:
        """Share of images with the same prediction as zero-shot, percent."""
        return 100 * float(
            (self.predictions["before"].prediction == self.predictions["after"].prediction).mean()
        )

    @cached_property
    def configuration(self) -> str:
        """A key that is equal for runs that differ only in their seed, or in `TIME_ONLY`."""
        kept = {
            k: v for k, v in self.settings.to_json().items() if k != "seed" and k not in TIME_ONLY
        }
        early = self.step if self.step < self.steps else None
        return json.dumps(
            [self.benchmark, self.pool["fingerprint"], early, kept, self.synonyms], sort_keys=True
        )


def _model(settings: Settings) -> tuple:
    return settings.backbone, settings.pretrained, settings.prompt, settings.templates


def parts_of(folders: Iterable[RunFolder]) -> list[str]:
    """The sets that all of these runs have; the default for a comparison comes first.

    Damaged runs are left out.
    """
    configs = []
    for folder in folders:
        with contextlib.suppress(DamagedRun):
            configs.append((folder.config, folder.labels()))
    if not configs or any(c["holdout"] is None for c, _ in configs):
        return ["pool"]
    tested = all(labels.get("holdout") for _, labels in configs)
    return ["holdout", "pool"] if tested else ["pool", "holdout"]


def open_compared_run(folder: RunFolder, part: str, score: str) -> ComparedRun:
    """A finished run on one of its sets by one score; UserError if it has no such result."""
    opened = read_inspection(folder)
    if part not in opened.parts:
        raise UserError(
            f"Run “{opened.title}”: it has no test set; compare on the pool, or deselect this run."
        )
    chosen = opened.parts[part]
    # Other kinds of events are skipped; the last step has the total time.
    seconds = max((e["elapsed"] for e in folder.events() if e["kind"] == "step"), default=0.0)
    return ComparedRun(
        run=opened.run,
        title=opened.title,
        settings=folder.settings,
        classes=opened.classes,
        pool=opened.parts["pool"].reference,
        part=part,
        reference=chosen.reference,
        truth=chosen.truth,
        predictions=_predictions(opened, chosen, score),
        logit_scale=opened.logit_scale,
        step=opened.step,
        steps=opened.steps,
        seconds=seconds,
        synonyms=json.dumps(further) if (further := folder.config["synonyms"]) else "",
        guard=opened.guard,
    )


def _predictions(opened: Inspection, part: SetResult, score: str) -> dict[str, ModelPredictions]:
    limits = opened.parts["pool"].thresholds(score)
    return {
        side: ModelPredictions(
            part.prediction[side],
            part.confidence[side],
            part.scores(score)[side],
            float(limits[side]),
            metrics,
        )
        for side, metrics in part.metrics(score, opened.classes).items()
    }


# Differences


@dataclass(frozen=True)
class Difference:
    """A setting that is not the same in all runs."""

    name: str  # as it is shown
    values: dict[str, str]  # by run


def differences(compared_runs: Sequence[ComparedRun]) -> list[Difference]:
    """The settings, steps, images and class names that are not the same for all runs."""
    rows: dict[str, dict[str, object]] = {}
    for c in compared_runs:
        for name, value in c.settings.to_json().items():
            shown = METHODS[value].title if name == "method" else value
            rows.setdefault(name.replace("_", " "), {})[c.run] = shown
        rows.setdefault("steps taken", {})[c.run] = c.step
        rows.setdefault("adapted on", {})[c.run] = (c.pool["name"], c.pool["fingerprint"])
        rows.setdefault("scored on", {})[c.run] = (c.reference["name"], c.reference["fingerprint"])
        rows.setdefault("classes", {})[c.run] = c.classes
        rows.setdefault("further names", {})[c.run] = c.synonyms
    found = []
    for name, values in rows.items():
        if len(set(values.values())) > 1:
            found.append(Difference(name, {run: _shown(name, v) for run, v in values.items()}))
    return found


def _shown(name: str, value: Any) -> str:
    if name in ("adapted on", "scored on"):
        return str(value[0])
    if name == "classes":
        return f"{len(value)}: {', '.join(value)}"
    if name == "further names":
        return (
            "; ".join(f"{k}: {', '.join(v)}" for k, v in json.loads(value or "{}").items())
            or "none"
        )
    if name == "extensions":
        return ", ".join(f"{epochs} more epochs" for _, epochs in value) or "none"
    about = SETTINGS.get(name.replace(" ", "_"))
    return about.shown(value) if about else str(value)


def cautions(compared_runs: Sequence[ComparedRun]) -> list[str]:
    """What cannot be compared, and why, in sentences; empty if everything can be compared."""
    if not compared_runs:
        return []
    first, sentences = compared_runs[0], []
    by_images = _split(compared_runs, lambda c: c.reference["fingerprint"])
    if len(by_images) > 1:
        sets = "; ".join(f"{g[0].reference['name']}: {_names(g)}" for g in by_images)
        sentences.append(
            f"These runs are scored on {len(by_images)} different sets of images ({sets}). Differences of "
            "their metrics may come from the images alone; tests and different predictions are shown only "
            "for runs on the same images."
        )
    by_classes = _split(compared_runs, lambda c: frozenset(c.classes))
    if len(by_classes) > 1:
        common = frozenset.intersection(*(frozenset(c.classes) for c in compared_runs))
        apart = "; ".join(
            f"{_names(g)}: {len(g[0].classes)} classes"
            + (f", only here: {', '.join(only[:6])}{' …' if len(only) > 6 else ''}" if only else "")
            for g in by_classes
            for only in [sorted(set(g[0].classes) - common)]
        )
        sentences.append(
            f"These runs have different class names ({apart}). An image that is known for one may be "
            "unknown for the other, so neither ACC nor AUC can be compared between them."
        )
    pools = _split(compared_runs, lambda c: c.pool["fingerprint"])
    if len(pools) > 1 and len(by_images) == 1:
        sentences.append(
            f"These runs were adapted on {len(pools)} different pools and are scored on the same images "
            f"({first.reference['name']}); a difference may come from the pool."
        )
    labels = _split([c for c in compared_runs if c.images == first.images], lambda c: c.benchmark)
    if len(labels) > 1:
        sentences.append(
            "The same images have different labels in "
            + " and ".join(_names(g) for g in labels)
            + "; only runs with the same labels are tested against each other."
        )
    repeated = [c for g in groups(compared_runs) for c in g[len(one_per_seed(g)) :]]
    if repeated:
        sentences.append(
            f"{_names(repeated)}: the same settings and seed as another selected run; counted once."
        )
    return sentences


def _split(compared_runs: Iterable[ComparedRun], key) -> list[list[ComparedRun]]:
    found: dict = {}
    for c in compared_runs:
        found.setdefault(key(c), []).append(c)
    return list(found.values())


def _names(compared_runs: Sequence[ComparedRun]) -> str:
    names = ", ".join(f"“{c.title}”" for c in compared_runs[:3])
    return names + (f" and {len(compared_runs) - 3} more" if len(compared_runs) > 3 else "")


# Means over seeds


@dataclass(frozen=True)
class Mean:
    """A mean over the seeds."""

    value: float
    deviation: float | None  # sample standard deviation (n − 1); None for a single seed

    def __str__(self) -> str:
        return f"{self.value:.1f}" + ("" if self.deviation is None else f" ± {self.deviation:.1f}")


@dataclass(frozen=True)
class Row:
    """One row of the table: zero-shot, or runs that differ only in their seed."""

    title: str
    benchmark: str  # equal for rows that can be compared
    runs: tuple[str, ...]  # one per seed; for zero-shot the runs that start from it
    seeds: tuple[int, ...]  # empty for zero-shot
    figures: dict[str, Mean | None]  # FIGURES, in percent or seconds; None: no labels


def groups(compared_runs: Sequence[ComparedRun]) -> list[list[ComparedRun]]:
    """Groups of runs that differ only in their seed; one run per seed comes first in each."""
    found = []
    for group in _split(compared_runs, lambda c: c.configuration):
        first = one_per_seed(group)
        found.append(first + [c for c in group if c not in first])
    return found


def one_per_seed(group: Sequence[ComparedRun]) -> list[ComparedRun]:
    """The first run of every seed: a repeated one would reduce the standard deviation."""
    first: dict[int, ComparedRun] = {}
    for c in group:
        first.setdefault(c.settings.seed, c)
    return list(first.values())


def names(compared_runs: Sequence[ComparedRun]) -> dict[str, str]:
    """A short name for each run: its method and the settings that differ from the other runs.

    Values that more than half of the runs have are left out. Runs of a group share a name. → by run
    """
    found = {c.run: [METHODS[c.settings.method].title] for c in compared_runs}
    for apart in differences(compared_runs):
        if apart.name in ("method", "seed", "steps taken", "classes", *TIME_ONLY):
            continue
        values = list(apart.values.values())
        for run, value in apart.values.items():
            if 2 * values.count(value) <= len(values):
                found[run].append(_word(apart, run))
    for c in compared_runs:
        if c.step < c.steps:
            found[c.run].append(f"stopped at step {c.step}")
    return {run: " · ".join(dict.fromkeys(words)) for run, words in found.items()}


def labels(compared_runs: Sequence[ComparedRun]) -> dict[str, str]:
    """A unique label for every run: its name, the seed if seeds differ, the folder if needed."""
    found = names(compared_runs)
    if len({c.settings.seed for c in compared_runs}) > 1:
        found = {c.run: f"{found[c.run]} · seed {c.settings.seed}" for c in compared_runs}
    taken = list(found.values())
    return {run: f"{v} · {run}" if taken.count(v) > 1 else v for run, v in found.items()}


_PLAIN = (
    "backbone",
    "adapted on",
    "scored on",
    "weight temperature",
    "extensions",
)  # shown without the name of the setting
_OF_ZERO_SHOT = ("backbone", "pretrained", "prompt", "scored on")  # zero-shot depends on these


def _word(apart: Difference, run: str) -> str:
    value = apart.values[run]
    return value if apart.name in _PLAIN else f"{apart.name} {value}"


@dataclass(frozen=True, eq=False)  # identity: holds arrays
class Model:
    """A run's adapted model, or its zero-shot model."""

    name: str
    compared_run: ComparedRun
    side: str  # "before" (zero-shot) or "after"

    @property
    def predictions(self) -> ModelPredictions:
        return self.compared_run.predictions[self.side]


def models(compared_runs: Sequence[ComparedRun]) -> dict[str, Model]:
    """All models: each different zero-shot model once, then the adapted ones. → by key"""
    starts = [group[0] for group in _split(compared_runs, lambda c: c.zero_shot)]
    apart, called = differences(starts), labels(compared_runs)
    found = {}
    for c in starts:
        words = ["Zero-shot", *(_word(d, c.run) for d in apart if d.name in _OF_ZERO_SHOT)]
        found[f"{ZERO_SHOT}.{c.run}"] = Model(" · ".join(words), c, "before")
    return found | {c.run: Model(called[c.run], c, "after") for c in compared_runs}


def table(compared_runs: Sequence[ComparedRun]) -> list[Row]:
    """The rows of the table: each zero-shot model on each benchmark, then the groups of runs."""
    called, rows = names(compared_runs), []
    for model in models(compared_runs).values():
        if model.side != "before":
            continue
        start = model.compared_run
        figures = {k: _one(model.predictions.metrics.get(k)) for k in FIGURES} | {
            "agreement": Mean(100.0, None),
            "seconds": Mean(0.0, None),
        }
        of = tuple(c.run for c in compared_runs if c.zero_shot == start.zero_shot)
        rows.append(Row(model.name, start.benchmark, of, (), figures))
    for group in groups(compared_runs):
        counted = one_per_seed(group)
        values = [
            c.predictions["after"].metrics | {"agreement": c.agreement, "seconds": c.seconds}
            for c in counted
        ]
        rows.append(
            Row(
                called[counted[0].run],
                counted[0].benchmark,
                tuple(c.run for c in counted),
                tuple(c.settings.seed for c in counted),
                {k: mean([v[k] for v in values]) for k in FIGURES},
            )
        )
    return rows


def _one(value: float | None) -> Mean | None:
    return None if value is None else Mean(float(value), None)


def mean(values: Sequence[float | None]) -> Mean | None:
    """Mean and sample standard deviation; None if a value is missing."""
    known = [v for v in values if v is not None]
    if not known or len(known) < len(values):
        return None
    deviation = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Mean(float(np.mean(known)), deviation)
