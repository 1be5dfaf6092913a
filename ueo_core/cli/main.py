"""Dispatch, and the one way in which every command ends."""

import json
import logging
import sys

from ueo_core.cli.parser import build
from ueo_core.cli.progress import Ticker
from ueo_core.utils.errors import UserError


def main(argv: list[str] | None = None) -> int:
    """Run one command. → exit code: 0, 2 for bad input (one sentence on stderr), 130 when interrupted"""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    ticker = Ticker()
    try:
        args = build().parse_args(argv)
        from ueo_core.cli.commands import COMMANDS

        lines, data = COMMANDS[args.command](args, ticker)
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
