"""`predict --parquet`: any number of images, read in place, as Parquet files."""

import argparse
import time
from typing import Any

from ueo_core.cli.model_io import named_adapter_file, threshold_of
from ueo_core.cli.progress import Ticker, with_time_left
from ueo_core.data.limits import Limits
from ueo_core.data.stream import open_stream
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.utils.errors import UserError

# Options that belong to --parquet alone.
OPTIONS = ("top", "features", "images_per_part", "processes", "precision")


def refuse_without_parquet(args: argparse.Namespace) -> None:
    """UserError where an option is given that only `--parquet` has."""
    for name in OPTIONS:
        if getattr(args, name) is not None:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: it belongs to --parquet DIR; leave it out, or give that.")


def predict_parts(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict[str, Any]]:
    """The command with `--parquet DIR`."""
    from ueo_core.cli.ranks import all_take_part
    from ueo_core.inference.predict import load_model
    from ueo_core.inference.prediction_parts import PartOptions, write_parts
    from ueo_core.runs.worker import peak_memory_mb

    if args.excel:
        raise UserError("--excel: it belongs to --csv FILE; leave it out.")
    if args.negatives is not None:
        raise UserError(
            "--negatives: its threshold depends on all images at once, which --parquet never holds; give "
            "--csv FILE, or leave the words out."
        )
    given = {name: getattr(args, name) for name in OPTIONS}
    chosen = {name: value for name, value in given.items() if value is not None}
    adapter_file = named_adapter_file(args)
    options = PartOptions(**chosen, srgb=adapter_file.srgb)
    threshold = threshold_of(args, adapter_file)
    source = open_stream(args.source, Limits.configured(), args.parquet)
    model = load_model(adapter_file, args.device)
    shown = with_time_left(tick)

    def tell(what: str, done: int, total: int | None) -> None:
        if total is None:
            tick(f"{done:,} files {what}")
        else:
            shown(done, total, f"{done:,} of {total:,} images {what}")

    began = time.monotonic()
    with source:
        written = write_parts(
            model, source, args.parquet, threshold, options, tell, all_take_part()
        )
    seconds = time.monotonic() - began
    data = written.to_json() | {"seconds": round(seconds, 2), "peak_memory_mb": peak_memory_mb()}
    data |= {"parquet": str(args.parquet), "score": DEFAULT_SCORE}
    resumed = f" ({written.resumed:,} of them from before)" if written.resumed else ""
    return [
        f"{written.files:,} files{resumed}, {written.unknown:,} unknown at {threshold:.6f}, "
        f"{written.skipped:,} without a prediction, in {len(written.parts):,} parts in {args.parquet}"
    ], data
