"""`bench`: the plain script against the studio, a row as soon as it is measured."""

import argparse

from ueo_core.cli.progress import Ticker


def bench(args: argparse.Namespace, tick: Ticker) -> tuple[list[str], dict]:
    from ueo_core.bench import run
    from ueo_core.bench.processes import Task
    from ueo_core.utils.errors import UserError

    if args.threads is not None and args.threads < 1:
        raise UserError(f"{args.threads} threads: there is no such number; give 1 or more.")
    common = Task(
        backbone="",
        pretrained=None,
        classes=0,
        batch=args.batch_size,
        device=args.device,
        threads=args.threads or run.threads_here(),
        chunk=args.chunk,
        precision=args.precision,
        epochs=args.epochs,
    )
    todo = run.tasks(
        [args.backbone] if args.backbone else run.BACKBONES,
        [args.classes] if args.classes is not None else run.CLASSES,
        common,
        args.pretrained,
    )
    found = []
    for row in run.rows(todo, args.rounds, args.photos if args.whole else None, tick):
        found.append(row)
        tick(f"{row['backbone']}, {row['classes']} classes: {row['ratio']:.1f}×")
    return run.markdown(found), {"rows": found}
