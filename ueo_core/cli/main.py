"""Dispatch, and the one way in which every command ends."""

import json
import logging
import sys
import time

from ueo_core.cli.options import build
from ueo_core.errors import UserError


class Ticker:
    """Progress on stderr: one line rewritten on a terminal, a line now and then in a log."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        # A log gets its first line only when the command has taken a while.
        self.last = 0.0 if self.terminal else time.monotonic()
        self.open = False

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if now - self.last < (0.1 if self.terminal else 10):
            return
        self.last, self.open = now, self.terminal
        print(
            f"\r{text:<78}" if self.terminal else text,
            end="" if self.terminal else "\n",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """End the rewritten line."""
        if self.open:
            print(file=sys.stderr)
            self.open = False


def clock(seconds: float | None) -> str:
    """Seconds as m:ss, or a dash where there is no estimate."""
    return "–" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


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
