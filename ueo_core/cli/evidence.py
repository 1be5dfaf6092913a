"""`evidence`: how well criteria without labels order models, and how close the studio's choice is to the best."""

import argparse
from typing import TYPE_CHECKING

from ueo_core.cli.progress import Ticker, with_time_left
from ueo_core.cli.protocol import parse_backbones, seeds_of
from ueo_core.cli.sources import take_in
from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError

if TYPE_CHECKING:  # they need torch
    from ueo_core.protocol.evidence_study import PhotoWorld, World


def evidence(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    from ueo_core.protocol.choice_table import choice_markdown
    from ueo_core.protocol.evidence_study import markdown, study

    rates, seeds = _rates(args.rates), len(seeds_of(args))
    chosen = _photos(args, seeds, tick) if args.photos else _drawings(args, seeds)
    found = study(chosen, rates, args.epochs, args.out, with_time_left(tick), not args.choice_only)
    lines = [] if args.choice_only else [*markdown(found["criteria"]), ""]
    lines += [*choice_markdown(found["choice"]), "", f"Tables in {args.out}"]
    return lines, found | {"out": str(args.out)}


def _drawings(args: argparse.Namespace, seeds: int) -> "list[World]":
    from ueo_core.drawings.render import DOMAINS, check_domain
    from ueo_core.drawings.sample import SHIFTS
    from ueo_core.protocol.evidence_study import worlds

    domains = list(DOMAINS) if args.domain == "all" else [check_domain(args.domain)]
    shifts = list(SHIFTS) if args.shift == "all" else [args.shift]
    names = parse_backbones(args.backbones)
    return worlds(names, domains, shifts, args.first_seed, seeds)


def _photos(args: argparse.Namespace, seeds: int, tick: Ticker) -> "list[PhotoWorld]":
    from ueo_core.models import backbones
    from ueo_core.protocol.evidence_study import photo_worlds

    if not args.backbone:
        raise UserError(f"Photos “{args.photos}”: no model is named for them; add --backbone.")
    backbone = backbones.load(args.backbone, args.pretrained)
    images, _ = take_in(args.photos, Store(args.out / "images", backbone.store_side), tick)
    return photo_worlds(
        *(args.photos, images, args.backbone, args.pretrained),
        *(args.shift, args.first_seed, seeds),
    )


def _rates(text: str) -> list[float]:
    try:
        rates = [float(n) for n in text.split(",")]
    except ValueError:
        rates = []
    if not rates or not all(0 < r <= 1000 for r in rates):
        raise UserError(
            f"Rates “{text}”: these are no shares of the preset's learning rate; give numbers above 0, "
            "for example 0.25,1."
        )
    return rates
