"""Runs: what carries an adaptation from a queued request to a kept result."""

from ueo_core.runs.control import Control
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.job import create_run, reference
from ueo_core.runs.manager import Manager
from ueo_core.runs.snapshot import Snapshot, read_snapshot
from ueo_core.runs.states import ACTIONS, STATES, TRANSITIONS, actions, next_state

__all__ = [
    "ACTIONS",
    "STATES",
    "TRANSITIONS",
    "Control",
    "Manager",
    "RunFolder",
    "Snapshot",
    "actions",
    "create_run",
    "next_state",
    "read_snapshot",
    "reference",
]
