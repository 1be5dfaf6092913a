"""`protocol` and `table`: methods side by side on the same images, over shifts and seeds."""

import argparse

from ueo_core.cli.parser import chosen_settings
from ueo_core.cli.progress import Ticker, with_time_left
from ueo_core.cli.sources import take_in
from ueo_core.config.methods import VARIANTS
from ueo_core.config.presets import preset
from ueo_core.data.class_list import read_class_names, split_names
from ueo_core.data.class_names import ClassNames
from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError


def protocol(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    from ueo_core.cli.ranks import all_take_part
    from ueo_core.models import backbones
    from ueo_core.protocol.category_shift import labeled_folder, possible_shifts
    from ueo_core.protocol.plan import check_variants, folder_plan
    from ueo_core.protocol.runner import carry_out
    from ueo_core.protocol.tables import markdown

    variants = check_variants(_names(args.methods))
    seeds = seeds_of(args)
    chosen = chosen_settings(args)
    settings = preset(args.preset, **chosen)
    del chosen["backbone"]  # it decides what the others are measured against
    given = read_class_names(args.classes) if args.classes else ClassNames([])
    classes = given.alone("a protocol")
    # Not read_class_names: a pool may hold a single class.
    pool = split_names(args.pool_classes) if args.pool_classes else ()
    backbone = backbones.load(settings.backbone, settings.pretrained, settings.device)
    images, report = take_in(args.source, Store(args.store, backbone.store_side), tick)
    folder = labeled_folder(images, args.source, classes, args.test_share, pool)
    shifts, notes = possible_shifts(folder, args.shift)
    plan = folder_plan(folder, shifts, seeds, variants, settings, frozenset(chosen))
    notes += given.remarks + folder.notes(shifts)
    rows = carry_out(plan, backbone, args.out, with_time_left(tick), ranks=all_take_part())
    data = {"rows": rows, "out": str(args.out), "notes": notes, "skipped": len(report.skipped)}
    return [*markdown(rows), "", *notes, f"Tables in {args.out}"], data


def table(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    from ueo_core.cli.ranks import all_take_part
    from ueo_core.protocol.drawings_table import drawings_rows
    from ueo_core.protocol.plan import check_variants
    from ueo_core.protocol.tables import markdown

    rows = drawings_rows(
        parse_backbones(args.backbones),
        args.shift,
        seeds_of(args),
        args.domain,
        check_variants(_names(args.methods)),
        args.out,
        chosen_settings(args),
        with_time_left(tick),
        ranks=all_take_part(),
    )
    return [*markdown(rows), "", f"Tables in {args.out}"], {"rows": rows, "out": str(args.out)}


def parse_backbones(text: str) -> list[str]:
    """Names of teaching models; UserError for another."""
    from ueo_core.models.catalog import DRAWINGS

    names = [n.strip() for n in text.split(",")]
    for name in names:
        if name not in DRAWINGS:
            raise UserError(
                f"Backbone “{name}”: the Drawings table knows the teaching models; choose {' or '.join(DRAWINGS)}."
            )
    return names


def _names(text: str) -> list[str]:
    return list(VARIANTS) if text == "all" else [n.strip() for n in text.split(",") if n.strip()]


def seeds_of(args: argparse.Namespace) -> range:
    """`--seeds` from `--first-seed` on; UserError where out of range."""
    if not 1 <= args.seeds <= 1000 or args.first_seed < 0:
        raise UserError(
            f"{args.seeds} seeds from {args.first_seed}: out of range; take 1 to 1000 seeds from 0 on."
        )
    return range(args.first_seed, args.first_seed + args.seeds)
