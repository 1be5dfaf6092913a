"""Who watches the runs of a process, and who of them may steer."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ueo_core.utils.errors import UserError

# Seconds without a sign of life after which a viewer has left. Browsers let a hidden tab speak
# once a minute, and a teacher who shows slides in between has not left.
GONE_AFTER = 75.0


@dataclass(frozen=True)
class ViewerRole:
    """A viewer's place: whether it steers, whether nobody does, and how many others watch."""

    steers: bool
    free: bool
    others: int


class Viewers:
    """One viewer of any number steers; it keeps the controls until it hands them over or leaves.

    Viewers are told apart by any text. Whoever is alone has the controls without asking.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}  # viewer → when it last gave a sign of life
        self._holder: str | None = None

    def watch(self, viewer: str) -> ViewerRole:
        """A sign of life. → the viewer's seat"""
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
        """Take the controls; UserError while another viewer has them."""
        if not (role := self.watch(viewer)).steers and not role.free:
            raise UserError(
                "Another browser steers the runs: ask there to hand the controls over, or close it and "
                f"wait {GONE_AFTER:.0f} seconds."
            )
        with self._lock:
            self._holder = viewer

    def hand_over(self, viewer: str) -> None:
        """Let go of the controls; whoever takes them next has them."""
        with self._lock:
            if self._holder == viewer:
                self._holder = None
