"""Dispatch, and the one way in which every command ends."""

import argparse
import importlib
import json
import logging
import sys
from collections.abc import Callable

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
    ticker = Ticker()
    try:
        args = build().parse_args(argv)
        lines, data = command(args.command)(args, ticker)
    except UserError as error:
        ticker.close()
        print(str(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        ticker.close()
        print("Interrupted; a run that had begun can be resumed.", file=sys.stderr)
        return 130
    ticker.close()
    if args.json:
        print(json.dumps(data, ensure_ascii=False, allow_nan=False))
    else:
        print("\n".join(lines))
    return 0
