"""The viewers of the runs of a process, and which of them has the controls."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ueo_core.utils.errors import UserError

# Seconds without a sign of life after which a viewer has left. Browsers let a hidden tab run
# once a minute, and a viewer that shows another tab for a while has not left.
GONE_AFTER = 75.0


@dataclass(frozen=True)
class ViewerRole:
    """Whether a viewer has the controls, whether none has, and the number of other viewers."""

    steers: bool
    free: bool
    others: int


class Viewers:
    """At most one viewer has the controls; it keeps them until it releases them or leaves.

    A viewer is identified by any text. A single viewer gets the controls automatically.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}  # viewer → time of its last sign of life
        self._holder: str | None = None

    def watch(self, viewer: str) -> ViewerRole:
        """Record a sign of life of a viewer. → its role"""
        with self._lock:
            now = self._clock()
            self._seen[viewer] = now
            self._seen = {v: at for v, at in self._seen.items() if now - at < GONE_AFTER}
            if self._holder not in self._seen:
                self._holder = None
            others = len(self._seen) - 1
            if not others:
                self._holder = viewer
            return ViewerRole(self._holder == viewer, self._holder is None, others)

    def take(self, viewer: str) -> None:
        """Give a viewer the controls; UserError while another viewer has them."""
        if not (role := self.watch(viewer)).steers and not role.free:
            raise UserError(
                "Another browser has the controls: release them there, or close it and "
                f"wait {GONE_AFTER:.0f} seconds."
            )
        with self._lock:
            self._holder = viewer

    def hand_over(self, viewer: str) -> None:
        """Release the controls; any viewer can then take them."""
        with self._lock:
            if self._holder == viewer:
                self._holder = None
