"""Requests to a run while it runs."""

import threading
from dataclasses import dataclass, field


class CheckSkipped(Exception):
    """The safety check ends without a result, because the user wants no more of it."""


@dataclass
class Control:
    """Requests to a running run; set from any thread, read between steps."""

    pause: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    skip: threading.Event = field(default_factory=threading.Event)  # the safety check
    until: int | None = None  # pause after this step
    why: str = "Paused."  # the reason that a pause stores in the state
