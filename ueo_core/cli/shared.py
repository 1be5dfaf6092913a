"""What several commands do: open an adapted model, ask it about a source."""

import argparse
import math

from ueo_core.cli.main import Ticker
from ueo_core.cli.sources import take_in
from ueo_core.errors import UserError
from ueo_core.images import Store
from ueo_core.offered import Offer, read_offer


def offer_of(args: argparse.Namespace) -> Offer:
    """The adapted model that RUN names: a run's folder or a delta file."""
    guarded = getattr(args, "guarded", False)  # `evaluate` scores both and has no such option
    return read_offer(args.run, args.backbone, args.pretrained, guarded)


def ask(args: argparse.Namespace, offer: Offer, tick: Ticker, rivals: bool = False):
    """Images of a source and their cosines. → images, report, {"adapted": (N, C)}

    rivals: "zero_shot" as well, and "guarded" where the guard of a run offers another model
    than its last epoch, which `offer` then has to be.
    """
    from ueo_core.predict import cosines, fitted

    model = fitted(offer, args.device)
    images, report = take_in(args.source, Store(args.store, model.backbone.store_side), tick)
    told = lambda n: tick(f"{n} of {len(images)} images scored")  # noqa: E731
    found = {"adapted": cosines(model, images, told)}
    if not rivals:
        return images, report, found
    last = model.delta_copy()
    model.reset()
    found = {"zero_shot": cosines(model, images, told)} | found
    share = offer.guard["share"] if offer.run and offer.guard else 1.0
    if share == 0:
        found["guarded"] = found["zero_shot"]
    elif share < 1:
        model.load_between(share, last)
        found["guarded"] = cosines(model, images, told)
    return images, report, found


def threshold_of(args: argparse.Namespace, offer: Offer) -> float:
    """The given threshold, or the run's own."""
    if args.threshold is None:
        return offer.threshold
    if not math.isfinite(args.threshold):
        raise UserError(
            f"Threshold {args.threshold}: it is no number on the MCM score; give 0 to 1."
        )
    return args.threshold
