"""Sources on the command line: what can be used of them, and labels that serve scoring alone."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ueo_core.cli.progress import Ticker
from ueo_core.data.class_names import read_class_names
from ueo_core.data.image_set import ImageSet
from ueo_core.data.intake_report import IntakeReport
from ueo_core.data.labels import FolderMap, as_classes, csv_labels, folder_labels, map_folders
from ueo_core.data.limits import LIMITS_EXAMPLE
from ueo_core.data.store import Store
from ueo_core.runs.create import reference
from ueo_core.utils.durations import clock
from ueo_core.utils.errors import UserError
from ueo_core.workspace.prediction_history import no_usable_image

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


def ingest(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    """The command: take a source in, and say what of it can be used."""
    classes = read_class_names(args.classes) if args.classes else None
    report = Store(args.store, args.short_side).ingest(
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
    if classes is not None:
        mapping = map_folders(report.folders, classes)
        data["mapping"] = asdict(mapping)
        lines += [f"  folder {folder!r} is that class" for folder in mapping.exact]
        lines += [f"  {line}" for line in look_alikes(mapping)]
        lines += [f"  folder {folder!r} is no class (OOD)" for folder in mapping.unmatched]
    return lines, data


def labels_of(
    images: ImageSet, table: str | None, classes: list[str]
) -> tuple[list[str | None], FolderMap]:
    """Labels of a labeled source, from a CSV or else from its subfolders, for scoring only.

    Class names where they are one; only the same name counts, look-alikes are in the map.
    """
    in_csv = Path(table) if table and table != FOLDERS else None
    raw = csv_labels(images, in_csv) if in_csv else folder_labels(images)
    mapping = map_folders({name for name in raw if name}, classes)
    return as_classes(raw, classes), mapping


def look_alikes(mapping: FolderMap) -> list[str]:
    """A sentence per label that almost matches a class name; nothing is merged silently."""
    return [
        f"label {label!r} almost matches the class {name!r} but counts as unknown (OOD); rename one of "
        "them if they are the same"
        for label, name in mapping.suggestions.items()
    ]


def scoring_only(
    args: argparse.Namespace, store: Store, pool: ImageSet, classes: list[str], tick: Ticker
) -> tuple[dict, list[str]]:
    """The labels that `adapt` was given for scoring: keywords of `create_run`, and lines to show."""
    if args.holdout_labels and not args.holdout:
        raise UserError(
            "--holdout-labels: there is no test set for them; give it with --holdout SOURCE."
        )
    kept: dict[str, Any] = {}
    notes: list[str] = []
    if args.labels:
        kept["pool_labels"], mapping = labels_of(pool, args.labels, classes)
        notes += look_alikes(mapping)
    if args.holdout:
        held, _ = take_in(args.holdout, store, tick)
        labels, mapping = labels_of(held, args.holdout_labels, classes)
        if not any(labels):
            raise UserError(
                f"Test set “{args.holdout}”: its images are in no subfolder, so none has a label; "
                "sort them into one folder per class, or give --holdout-labels FILE."
            )
        kept |= {"holdout": reference(store, held), "holdout_labels": labels}
        notes += look_alikes(mapping)
    return kept, notes
