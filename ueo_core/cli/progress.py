"""Progress of a command on stderr."""

import sys
import time
from collections.abc import Callable

from ueo_core.utils.durations import clock


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

    def note(self, text: str) -> None:
        """A sentence on a line of its own, at once."""
        self.close()
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the rewritten line."""
        if self.open:
            print(file=sys.stderr)
            self.open = False


def with_time_left(tick: Ticker) -> Callable[[int, int, str], None]:
    """Progress as a line with the time left, estimated from what this call has done so far."""
    began = time.monotonic()

    def tell(done: int, total: int, what: str) -> None:
        left = (time.monotonic() - began) / done * (total - done) if done else None
        tick(f"{100 * done / total if total else 100:3.0f} %  {what}  {clock(left)} left")

    return tell
