"""Progress of a command on stderr."""

import sys
import time


class Ticker:
    """Progress on stderr: one line rewritten on a terminal, an occasional line in a log."""

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
