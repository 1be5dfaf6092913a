"""`evidence`: how well criteria without labels order models, measured with labels on Drawings."""

import argparse

from ueo_core.cli.progress import Ticker, with_time_left
from ueo_core.cli.protocol import parse_backbones
from ueo_core.utils.errors import UserError


def evidence(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    from ueo_core.drawings.render import DOMAINS, check_domain
    from ueo_core.drawings.sample import SHIFTS
    from ueo_core.protocol.evidence_study import markdown, study, worlds

    domains = list(DOMAINS) if args.domain == "all" else [check_domain(args.domain)]
    shifts = list(SHIFTS) if args.shift == "all" else [args.shift]
    chosen = worlds(parse_backbones(args.backbones), domains, shifts, args.first_seed)
    rates = _rates(args.rates)
    summary = study(chosen, rates, args.epochs, args.out, with_time_left(tick))
    return [*markdown(summary), "", f"Tables in {args.out}"], summary | {"out": str(args.out)}


def _rates(text: str) -> list[float]:
    try:
        rates = [float(n) for n in text.split(",")]
    except ValueError:
        rates = []
    if not rates or not all(0 < r <= 100 for r in rates):
        raise UserError(
            f"Rates “{text}”: these are no shares of the preset's learning rate; give numbers above 0, "
            "for example 0.25,1."
        )
    return rates
