"""The six states of a run and every transition between them, in one table."""

from ueo_core.utils.errors import UserError

STATES = ("queued", "running", "paused", "stopping", "finished", "failed")

# (state, cause) → state. Causes in ACTIONS come from the user; the others from the worker.
TRANSITIONS: dict[tuple[str, str], str] = {
    ("queued", "start"): "running",
    ("queued", "cancel"): "paused",  # it can be queued again
    ("queued", "interrupt"): "paused",  # its process has ended
    ("queued", "fail"): "failed",
    ("running", "pause"): "running",  # takes effect after the current step, as `halt`
    ("running", "halt"): "paused",
    ("running", "skip"): "running",  # ends the safety check, see `Snapshot.actions`
    ("running", "stop"): "stopping",
    ("running", "finish"): "finished",
    ("running", "interrupt"): "paused",
    ("running", "fail"): "failed",
    ("paused", "resume"): "queued",
    ("paused", "step"): "queued",
    ("paused", "stop"): "stopping",
    ("stopping", "finish"): "finished",
    ("stopping", "skip"): "stopping",
    ("stopping", "halt"): "paused",  # the app is closed while the result is scored
    ("stopping", "interrupt"): "paused",
    ("stopping", "fail"): "failed",
    ("finished", "extend"): "queued",  # further epochs, see `lr_schedule`
    ("failed", "resume"): "queued",
    ("failed", "stop"): "stopping",  # keeps the result up to the failure
}
ACTIONS = ("pause", "step", "resume", "stop", "extend", "cancel", "skip")


def next_state(state: str, cause: str) -> str:
    """The next state; UserError if the table has no such transition."""
    try:
        return TRANSITIONS[state, cause]
    except KeyError:
        can = ", ".join(actions(state)) or "nothing"
        raise UserError(
            f"The run is {state}: {cause} is not possible now; possible: {can}."
        ) from None


def actions(state: str) -> tuple[str, ...]:
    """The actions of the user in a state, in the order of ACTIONS; pages enable buttons by it."""
    return tuple(a for a in ACTIONS if (state, a) in TRANSITIONS)
