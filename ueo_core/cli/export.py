"""`export`: what a run made, in a form to take elsewhere."""

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path

from ueo_core.cli.model_io import ask, named_adapter_file, threshold_of
from ueo_core.cli.output import write_predictions
from ueo_core.cli.progress import Ticker
from ueo_core.data.image_set import ImageSet
from ueo_core.data.originals import Originals
from ueo_core.export.open_clip_script import open_clip_script, weights_file
from ueo_core.export.sorted_folders import export_sorted
from ueo_core.inference.adapter_file import ADAPTER_NAME, AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes, write_whole
from ueo_core.workspace.prediction_history import classified_sets, predictions_of

# What can be exported, and its name inside a folder that is there already. The last two are older
# names of adapter and script.
KINDS = {
    "adapter": ADAPTER_NAME,
    "csv": "predictions.csv",
    "folders": "sorted.zip",
    "script": "use_adapter.py",
    "delta": ADAPTER_NAME,
    "snippet": "use_delta.py",
}
ADAPTERS, SCRIPTS = ("adapter", "delta"), ("script", "snippet")


def export(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    adapter_file = named_adapter_file(args)
    out = args.to / KINDS[args.what] if args.to.is_dir() else args.to
    data = {"what": args.what, "to": str(out)}
    if args.what in ADAPTERS + SCRIPTS:
        _write(out, adapter_file, args)
        lines = [f"{args.what} of “{adapter_file.title}” in {out}"]
        if args.what in SCRIPTS:
            lines.append(_beside(adapter_file))
        return lines, data | {"bytes": out.stat().st_size}
    threshold = threshold_of(args, adapter_file)
    images, predictions = _images_and_predictions(args, adapter_file, tick)
    n = len(predictions.files)
    data |= {"images": n, "duplicates": n - len(images), "threshold": threshold}
    if args.what == "csv":
        unknown = write_predictions(predictions, out, threshold, args.excel)
        return [f"{n} images, {unknown} of them unknown, in {out}"], data | {"unknown": unknown}
    with Originals(args.store, images, args.originals or args.source) as originals:
        made = export_sorted(
            out,
            images,
            predictions,
            threshold,
            originals,
            lambda done, total: tick(f"{done} of {total} images written"),
        )
    data |= {k: v for k, v in asdict(made).items() if k != "path"}
    return [
        f"{made.images} images in class folders, {made.unknown} of them unknown, in {out}",
        f"{made.originals} are the original files; {made.stored} are stored images at training size",
        *(f"  not written {f.name}: {f.reason}" for f in made.failed),
    ], data


def _beside(adapter_file: AdapterFile) -> str:
    """What the script needs beside it."""
    weights = weights_file(adapter_file)
    also = f", and {weights}" if weights else ""
    return (
        f"put beside it: {ADAPTER_NAME} (export --what adapter){also}; or name other files with "
        "--adapter and --weights"
    )


def _write(out: Path, adapter_file: AdapterFile, args: argparse.Namespace) -> None:
    if args.source or args.threshold is not None:
        raise UserError(
            f"--what {args.what}: it concerns no images, so it takes neither --images nor --threshold; "
            "leave them out."
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if args.what in ADAPTERS:
            if out.exists() and out.samefile(adapter_file.path):
                raise UserError(
                    f"Adapter “{out}”: it would be written over itself; choose another file."
                )
            with open(adapter_file.path, "rb") as adapter:
                write_whole(out, lambda file: shutil.copyfileobj(adapter, file))
        else:
            write_bytes(out, open_clip_script(adapter_file, name=out.name).encode("utf-8"))
    except OSError as error:
        raise UserError(
            f"File “{out}”: it cannot be written ({error.strerror}); choose another."
        ) from None


def _images_and_predictions(
    args: argparse.Namespace, adapter_file: AdapterFile, tick: Ticker
) -> tuple[ImageSet, Predictions]:
    """The images to export and their predictions: of a source, else of the run's pool."""
    if args.source:
        images, _, found = ask(args, adapter_file, tick)
        return images, Predictions.of_images(
            images, found["adapted"], adapter_file.classes, adapter_file.logit_scale
        )
    pool = next((a for a in classified_sets(adapter_file) if a.id == "pool"), None)
    if pool is None:
        raise UserError(
            f"Adapter “{adapter_file.path}”: an adapter file holds no images; give them with --images SOURCE."
        )
    return pool.images(), predictions_of(adapter_file, pool)
