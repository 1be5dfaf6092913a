"""`export`: what a run made, in a form to take elsewhere."""

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path

from ueo_core.answers import Answers
from ueo_core.cli.main import Ticker
from ueo_core.cli.shared import ask, offer_of, threshold_of
from ueo_core.errors import UserError
from ueo_core.export_folders import export_sorted
from ueo_core.export_snippet import snippet
from ueo_core.images import ImageSet, Originals
from ueo_core.images.files import write_whole
from ueo_core.offered import DELTA, Offer
from ueo_core.used import answers_of, asked

# What can be exported, and its name inside a folder that is there already.
KINDS = {
    "delta": DELTA,
    "csv": "predictions.csv",
    "folders": "sorted.zip",
    "snippet": "use_delta.py",
}


def export(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    offer = offer_of(args)
    out = args.to / KINDS[args.what] if args.to.is_dir() else args.to
    data = {"what": args.what, "to": str(out)}
    if args.what in ("delta", "snippet"):
        _write(out, offer, args)
        return [f"{args.what} of “{offer.title}” in {out}"], data | {"bytes": out.stat().st_size}
    threshold = threshold_of(args, offer)
    images, said = _said(args, offer, tick)
    data |= {"images": len(images), "threshold": threshold}
    if args.what == "csv":
        unknown = said.write_csv(out, threshold)
        return [f"{len(images)} images, {unknown} of them unknown, in {out}"], data | {
            "unknown": unknown
        }
    with Originals(args.store, images, args.originals or args.source) as originals:
        made = export_sorted(
            out,
            images,
            said,
            threshold,
            originals,
            lambda done, total: tick(f"{done} of {total} images written"),
        )
    data |= {k: v for k, v in asdict(made).items() if k != "path"}
    return [
        f"{made.images} images in class folders, {made.unknown} of them unknown, in {out}",
        f"{made.originals} are the original files; {made.stored} are stored images at training size",
    ], data


def _write(out: Path, offer: Offer, args: argparse.Namespace) -> None:
    if args.source or args.threshold is not None:
        raise UserError(
            f"--what {args.what}: it concerns no images, so it takes neither --images nor --threshold; "
            "leave them out."
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if args.what == "delta":
            if out.exists() and out.samefile(offer.path):
                raise UserError(
                    f"Delta “{out}”: it would be written over itself; choose another file."
                )
            with open(offer.path, "rb") as delta:
                write_whole(out, lambda file: shutil.copyfileobj(delta, file))
        else:
            text = snippet(offer, str(offer.path.resolve()), out.name).encode("utf-8")
            write_whole(out, lambda file: file.write(text) and None)
    except OSError as error:
        raise UserError(
            f"File “{out}”: it cannot be written ({error.strerror}); choose another."
        ) from None


def _said(args: argparse.Namespace, offer: Offer, tick: Ticker) -> tuple[ImageSet, Answers]:
    """The images to export and what the model says of them: a source's, else the run's pool."""
    if args.source:
        images, _, found = ask(args, offer, tick)
        return images, Answers(images.names, found["adapted"], offer.classes, offer.logit_scale)
    pool = next((a for a in asked(offer) if a.id == "pool"), None)
    if pool is None:
        raise UserError(
            f"Delta “{offer.path}”: a delta alone holds no images; say which with --images SOURCE."
        )
    return pool.images(), answers_of(offer, pool)
