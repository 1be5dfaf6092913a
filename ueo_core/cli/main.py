"""Dispatch, and the one way in which every command ends."""

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Callable

from ueo_core.cli.output import holds_a_table, json_line, quiet_when_closed, say_anything
from ueo_core.cli.parser import build
from ueo_core.cli.progress import Ticker
from ueo_core.utils.errors import UserError

# The module of each command; one that is not named here is in `commands`.
MODULES = {
    "bench": "bench",
    "compare": "compare",
    "evidence": "evidence",
    "export": "export",
    "gpu-check": "gpu_check",
    "ingest": "sources",
    "inspect": "inspect",
    "names": "names",
    "protocol": "protocol",
    "report": "report",
    "table": "protocol",
}


def command(name: str) -> Callable[[argparse.Namespace, Ticker], tuple[list[str], dict]]:
    """The function of a command. Only its module is imported: some need torch, which takes seconds."""
    module = importlib.import_module(f"ueo_core.cli.{MODULES.get(name, 'commands')}")
    return getattr(module, name.replace("-", "_"))


def main(argv: list[str] | None = None) -> int:
    """Run one command. → exit code: 0, 2 for bad input (one sentence on stderr), 130 when interrupted"""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    say_anything()
    with quiet_when_closed():
        return _run(argv)
    return 0  # the reader has what it wanted


def several() -> bool:
    """Whether torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


Done = tuple[argparse.Namespace, list[str], dict]


def _done(argv: list[str] | None, ticker: Ticker) -> Done | None:
    """What the command gives; None in the processes that only help with it."""

    def work() -> Done:
        args = build().parse_args(argv)
        return args, *command(args.command)(args, ticker)

    if not several():
        return work()
    from ueo_core.cli.ranks import one_of_several

    with one_of_several(work) as first:
        return work() if first else None


def _run(argv: list[str] | None) -> int:
    ticker = Ticker()
    try:
        done = _done(argv, ticker)
    except UserError as error:
        ticker.close()
        print(str(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        ticker.close()
        print("Interrupted; a run that had begun can be resumed.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise  # the reader of stdout has gone: a quiet end, see `quiet_when_closed`
    except OSError as error:
        ticker.close()
        what = f"File “{error.filename}”: it" if error.filename else "A file"
        print(
            f"{what} cannot be read or written ({error.strerror or error}); free some space or check "
            "the permissions, then try again.",
            file=sys.stderr,
        )
        return 2
    ticker.close()
    if done is None:
        return 0
    args, lines, data = done
    if args.json:
        print(json_line(data))
    else:
        print("\n".join(lines), file=sys.stderr if holds_a_table(args) else sys.stdout)
    return 0
