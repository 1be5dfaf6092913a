"""`export`: what a run made, in a form to take elsewhere."""

import argparse
from dataclasses import asdict

from ueo_core.cli.model_io import ask, named_adapter_file, threshold_of
from ueo_core.cli.output import STDOUT, write_predictions
from ueo_core.cli.parser import OLDER_FORMATS
from ueo_core.cli.progress import Ticker
from ueo_core.data.image_set import ImageSet
from ueo_core.data.originals import Originals
from ueo_core.export.downloads import StoredImages
from ueo_core.export.formats import MODELS, PREDICTIONS
from ueo_core.export.open_clip_script import weights_file
from ueo_core.export.predicted_images import PredictedImages
from ueo_core.inference.adapter_file import ADAPTER_NAME, AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.errors import UserError
from ueo_core.utils.rows import Rows
from ueo_core.workspace.prediction_history import classified_sets, features_of, predictions_of


def export(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    adapter_file = named_adapter_file(args)
    name = OLDER_FORMATS.get(args.what, args.what)
    model = MODELS.get(name)
    if model:
        out = args.to / model.name if args.to.is_dir() else args.to
        if args.source or args.threshold is not None:
            raise UserError(
                f"--what {args.what}: it concerns no images, so it takes neither --images nor "
                "--threshold; leave them out."
            )
        model.write(out, adapter_file)
        lines = [f"{args.what} of “{adapter_file.title}” in {out}"]
        lines += [_beside(adapter_file)] if name == "script" else []
        return lines, {"what": args.what, "to": str(out), "bytes": out.stat().st_size}
    made = PREDICTIONS[name]
    inside = args.to.is_dir() and not made.beside
    out = args.to / made.name if inside else args.to
    if out == STDOUT and name != "csv":
        raise UserError(f"--to -: only csv goes to standard output; give a path for {args.what}.")
    threshold = threshold_of(args, adapter_file)
    images, predictions, features = _predicted(args, adapter_file, tick)
    n = len(predictions.files)
    data = {"what": args.what, "to": str(out)}
    data |= {"images": n, "duplicates": n - len(images), "threshold": threshold}
    if name == "csv":
        unknown = write_predictions(predictions, out, threshold, args.excel)
        return [f"{n} images, {unknown} of them unknown, in {out}"], data | {"unknown": unknown}
    with Originals(args.store, images, args.originals or args.source) as originals:
        batch = PredictedImages(
            predictions, threshold, adapter_file.title, StoredImages(images, originals), features
        )
        told = made.write(out, batch, lambda done, total: tick(f"{done} of {total} images written"))
    data |= {k: v for k, v in asdict(told).items() if k != "path"}
    lines = [f"{made.title}: {told.images} images, {told.unknown} of them unknown, in {out}"]
    if told.originals or told.stored:
        lines.append(
            f"{told.originals} are the original files; {told.stored} are stored images at training size"
        )
    return [*lines, *(f"  not written {f.name}: {f.reason}" for f in told.failed)], data


def _beside(adapter_file: AdapterFile) -> str:
    """What the script needs beside it."""
    weights = weights_file(adapter_file)
    also = f", and {weights}" if weights else ""
    return (
        f"put beside it: {ADAPTER_NAME} (export --what adapter){also}; or name other files with "
        "--adapter and --weights"
    )


def _predicted(
    args: argparse.Namespace, adapter_file: AdapterFile, tick: Ticker
) -> tuple[ImageSet, Predictions, Rows | None]:
    """The images to export, predictions and features: of a source, else of the run's pool."""
    if args.source:
        images, _, found = ask(args, adapter_file, tick)
        predictions = Predictions.of_images(
            images, found["adapted"], adapter_file.classes, adapter_file.logit_scale
        )
        return images, predictions, None
    pool = next((a for a in classified_sets(adapter_file) if a.id == "pool"), None)
    if pool is None:
        raise UserError(
            f"Adapter “{adapter_file.path}”: an adapter file holds no images; give them with --images SOURCE."
        )
    return pool.images(), predictions_of(adapter_file, pool), features_of(adapter_file, pool)
