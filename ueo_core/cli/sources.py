"""Sources on the command line: what can be used of them, and labels that serve scoring alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ueo_core.cli.progress import Ticker, with_time_left
from ueo_core.data.class_list import read_class_names
from ueo_core.data.image_set import ImageSet
from ueo_core.data.intake_report import IntakeReport
from ueo_core.data.labels import (
    TableLabels,
    as_classes,
    folder_labels,
    map_folders,
    table_labels,
)
from ueo_core.data.limits import LIMITS_EXAMPLE, Limits
from ueo_core.data.store import Store
from ueo_core.data.stream import open_stream
from ueo_core.runs.create import reference
from ueo_core.utils.durations import clock
from ueo_core.utils.errors import UserError
from ueo_core.workspace.prediction_history import no_usable_image

if TYPE_CHECKING:  # they load torch
    from ueo_core.inference.pool_sample import Sample
    from ueo_core.models.adapted_clip import AdaptedCLIP

FOLDERS = "folders"  # the word that stands for the subfolders' names where a CSV may stand


def take_in(source: Path, store: Store, tick: Ticker) -> tuple[ImageSet, IntakeReport]:
    """Ingest a source for training or scoring; UserError when nothing of it is usable."""
    report = store.ingest(
        source,
        progress=lambda p: tick(f"{p.done} of {p.total} images read, {clock(p.seconds_left)} left"),
    )
    if report.set_id is None:
        raise no_usable_image(report, str(source))
    return store.open(report.set_id), report


def take_in_pool(
    args: argparse.Namespace, store: Store, model: AdaptedCLIP, seed: int, tick: Ticker
) -> tuple[ImageSet, IntakeReport, Sample | None]:
    """Ingest the pool of a run, or a sample of it where it is large; UserError when nothing is usable."""
    from ueo_core.inference.pool_sample import MOST_IMAGES, draw_pool

    most = MOST_IMAGES if args.most_images is None else args.most_images
    if most < 2:
        raise UserError(f"--most-images: {most} images are no pool; give 2 or more.")
    shown: dict[str, Callable[[int, int, str], None]] = {}  # each phase has its own time left

    def tell(what: str, done: int, total: int | None) -> None:
        if total is None:
            tick(f"{done:,} files {what}")
        else:
            shown.setdefault(what, with_time_left(tick))(
                done, total, f"{done:,} of {total:,} images {what}"
            )

    with open_stream(args.source, Limits.configured(), store.root) as stream:
        report, sample = draw_pool(model, stream, store, most, seed, tell)
    if report.set_id is None:
        raise no_usable_image(report, str(args.source))
    return store.open(report.set_id), report, sample


def ingest(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    """The command: take a source in, and say what of it can be used."""
    given = read_class_names(args.classes) if args.classes else None
    report = Store(args.store, args.short_side, args.srgb).ingest(
        args.source,
        progress=lambda p: tick(f"{p.done} of {p.total} images read, {clock(p.seconds_left)} left"),
    )
    data = report.to_json()
    lines = [
        f"{report.usable} usable, {len(report.skipped)} skipped, {report.duplicates} duplicates, "
        f"{len(report.warnings)} warnings"
    ]
    lines += [f"  skipped {s.name}: {s.reason}" for s in report.skipped]
    lines += [f"  limits are settings: {LIMITS_EXAMPLE}"] if report.limited else []
    lines += [f"  warning {w.name}: {w.reason}" for w in report.warnings]
    if given is not None:
        lines += given.remarks
        mapping = map_folders(report.folders, given.names)
        data["mapping"] = asdict(mapping)
        lines += [f"  folder {folder!r} is that class" for folder in mapping.exact]
        lines += [f"  {line}" for line in look_alikes(mapping.suggestions)]
        lines += [f"  folder {folder!r} is no class (OOD)" for folder in mapping.unmatched]
    return lines, data


@dataclass(frozen=True)
class Labels:
    """Labels of a source for scoring only, and what to know of them."""

    names: list[str | None]  # one per image: a class, another name (OOD), None without a label
    suggestions: dict[str, str]  # label -> the class that it resembles; it counts as OOD
    table: TableLabels | None  # None: from subfolders

    @property
    def unlabeled(self) -> int:
        """How many images have no label, so that no score counts them."""
        return self.names.count(None)

    def lines(self) -> list[str]:
        """What was not used of labels or images; nothing is left out or merged silently."""
        lines = look_alikes(self.suggestions)
        if self.table is not None:
            return [self.table.sentence, *lines]
        n = len(self.names)
        if self.unlabeled:
            lines.insert(0, f"{self.unlabeled} of {n} images are in no subfolder: not scored")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Counts for a script; rows are there where the labels are of a table."""
        counts: dict[str, Any] = {"unlabeled": self.unlabeled}
        if self.table is not None:
            counts |= {
                "label_rows": self.table.rows,
                "label_rows_used": self.table.used,
                "label_rows_unmatched": list(self.table.unmatched),
                "label_conflicts": self.table.conflicts,
            }
        return counts


def labels_of(images: ImageSet, table: str | None, classes: Sequence[str]) -> Labels:
    """Labels of a labeled source, from a CSV or else from its subfolders, for scoring only.

    Class names where they are one; only the same name counts.
    """
    rows = table_labels(images, Path(table)) if table and table != FOLDERS else None
    raw = rows.labels if rows else folder_labels(images)
    mapping = map_folders({name for name in raw if name}, list(classes))
    return Labels(as_classes(raw, list(classes)), mapping.suggestions, rows)


def look_alikes(suggestions: dict[str, str]) -> list[str]:
    """A sentence per label that almost matches a class name; nothing is merged silently."""
    return [
        f"label {label!r} almost matches the class {name!r} but counts as unknown (OOD); rename one of "
        "them if they are the same"
        for label, name in suggestions.items()
    ]


def scoring_only(
    args: argparse.Namespace, store: Store, pool: ImageSet, classes: list[str], tick: Ticker
) -> tuple[dict, dict[str, Labels]]:
    """The labels that `adapt` was given for scoring: keywords of `create_run`, and labels by set."""
    if args.holdout_labels and not args.holdout:
        raise UserError(
            "--holdout-labels: there is no test set for them; give it with --holdout SOURCE."
        )
    kept: dict[str, Any] = {}
    found: dict[str, Labels] = {}
    if args.labels:
        found["pool"] = labels_of(pool, args.labels, classes)
        kept["pool_labels"] = found["pool"].names
    if args.holdout:
        held, _ = take_in(args.holdout, store, tick)
        labels = labels_of(held, args.holdout_labels, classes)
        if not any(labels.names):
            raise UserError(
                f"Test set “{args.holdout}”: its images are in no subfolder, so none has a label; "
                "sort them into one folder per class, or give --holdout-labels FILE."
            )
        kept |= {"holdout": reference(store, held), "holdout_labels": labels.names}
        found["holdout"] = labels
    return kept, found
