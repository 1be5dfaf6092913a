"""The state table: every transition is made by the code that uses it."""

import errno

import pytest

from tests.helpers.small_runs import make, store  # noqa: F401
from ueo_core.runs.control import Control
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.runs.states import ACTIONS, STATES, TRANSITIONS, actions, next_state
from ueo_core.runs.worker import execute
from ueo_core.utils.errors import UserError

CAUSES = ("start", "halt", "finish", "fail", "interrupt", *ACTIONS)


class Waiting(Manager):
    """A manager whose worker starts no run, so that only the effect of a click is seen."""

    def _work(self) -> None:
        return


class Killed(BaseException):
    pass


def states_of(folder: RunFolder, control: Control | None = None) -> list[str]:
    """Execute a run. → its states, the initial one first"""
    seen = [folder.state["state"]]
    execute(
        folder,
        control,
        lambda e: seen.append(e["state"]["state"]) if e["kind"] == "state" else None,
    )
    assert folder.state["state"] == seen[-1]
    return seen


def clicked(folder: RunFolder, action: str, **options) -> str:
    Waiting(folder.path.parent).act(folder.id, action, **options)
    return folder.state["state"]


def found_after_a_restart(folder: RunFolder, state: str) -> str:
    folder.set_state(state)  # as a kill leaves it
    Waiting(folder.path.parent)
    assert "Interrupted" in folder.state["reason"]
    return folder.state["state"]


def without_images(folder: RunFolder) -> RunFolder:
    path = folder.path / "config.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"set": "', '"set": "gone'), encoding="utf-8")
    return folder


def queued_cancel(folder, monkeypatch):
    manager = Waiting(folder.path.parent)
    manager.submit(folder)
    manager.act(folder.id, "cancel")
    return folder.state["state"]


def queued_fail(folder, monkeypatch):
    real = RunFolder.move

    def full(self, cause, **details):
        if cause == "start":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, cause, **details)

    monkeypatch.setattr(RunFolder, "move", full)
    seen = states_of(folder)
    assert seen == ["queued", "failed"] and "free some space" in folder.state["reason"]
    return seen[-1]


def running_pause(folder, monkeypatch):
    """The click is accepted at once and takes effect after the current step: see `halt`."""
    manager = Waiting(folder.path.parent)
    manager.submit(folder)
    folder.move("start")
    manager._apply(folder.id, {"kind": "state", "state": folder.state})
    manager.act(folder.id, "pause")
    assert manager._control.pause.is_set() and manager.snapshot(folder.id).phase == "pausing"
    return folder.state["state"]


def running_interrupt(folder, monkeypatch):
    def die(event):
        if event["kind"] == "step":
            raise Killed

    with pytest.raises(Killed):
        execute(folder, emit=die)
    return found_after_a_restart(folder, folder.state["state"])


def running_stop(folder, monkeypatch):
    control = Control()
    control.stop.set()
    return states_of(folder, control)[2]


def paused(then):
    def run_code(folder, monkeypatch):
        assert states_of(folder, Control(until=1)) == ["queued", "running", "paused"]
        return clicked(folder, then)

    return run_code


def skip(state: str):
    """The click is accepted while the check runs, and ends it: see test_manager."""

    def run_code(folder, monkeypatch):
        manager = Waiting(folder.path.parent)
        manager.submit(folder)
        manager._apply(folder.id, {"kind": "state", "state": folder.set_state(state)})
        phase = {"kind": "phase", "phase": "checking", "done": 1, "total": 2, "seconds": 1.0}
        manager._apply(folder.id, phase)
        manager.act(folder.id, "skip")
        assert manager._control.skip.is_set()
        return folder.state["state"]

    return run_code


def stopping(folder) -> RunFolder:
    execute(folder, Control(until=1))
    assert clicked(folder, "stop") == "stopping"
    return folder


def stopping_halt(folder, monkeypatch):
    control = Control()
    control.pause.set()  # the app is closed while the result is scored
    assert states_of(stopping(folder), control) == ["stopping", "paused"]
    return folder.state["state"]


def finished_extend(folder, monkeypatch):
    assert states_of(folder) == ["queued", "running", "finished"]
    state = clicked(folder, "extend", amount=3)
    assert folder.settings.extensions == ((6, 3),) and folder.state["steps"] == 6 + 9
    return state


def failed(then):
    def run_code(folder, monkeypatch):
        assert states_of(without_images(folder)) == ["queued", "running", "failed"]
        return clicked(folder, then)

    return run_code


CODE = {
    ("queued", "start"): lambda folder, _: states_of(folder)[1],
    ("queued", "cancel"): queued_cancel,
    ("queued", "interrupt"): lambda folder, _: found_after_a_restart(folder, "queued"),
    ("queued", "fail"): queued_fail,
    ("running", "pause"): running_pause,
    ("running", "halt"): lambda folder, _: states_of(folder, Control(until=1))[2],
    ("running", "skip"): skip("running"),
    ("running", "stop"): running_stop,
    ("running", "finish"): lambda folder, _: states_of(folder)[2],
    ("running", "interrupt"): running_interrupt,
    ("running", "fail"): lambda folder, _: states_of(without_images(folder))[2],
    ("paused", "resume"): paused("resume"),
    ("paused", "step"): paused("step"),
    ("paused", "stop"): paused("stop"),
    ("stopping", "finish"): lambda folder, _: states_of(stopping(folder))[1],
    ("stopping", "skip"): skip("stopping"),
    ("stopping", "halt"): stopping_halt,
    ("stopping", "interrupt"): lambda folder, _: found_after_a_restart(folder, "stopping"),
    ("stopping", "fail"): lambda folder, _: states_of(without_images(stopping(folder)))[1],
    ("finished", "extend"): finished_extend,
    ("failed", "resume"): failed("resume"),
    ("failed", "stop"): failed("stop"),
}


def test_every_transition_has_its_code():
    assert CODE.keys() == TRANSITIONS.keys()


@pytest.mark.parametrize(("state", "cause"), CODE)
def test_the_code_makes_every_transition(make, monkeypatch, state, cause):  # noqa: F811
    folder = make()
    assert CODE[state, cause](folder, monkeypatch) == TRANSITIONS[state, cause]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_without_a_transition_changes_nothing(make, monkeypatch, state, action):  # noqa: F811
    if (state, action) in TRANSITIONS:
        return
    folder = make()
    folder.set_state(state)
    manager = Waiting(folder.path.parent)
    if state in ("queued", "running", "stopping"):  # of a live process
        manager.submit(folder)
        manager._apply(folder.id, {"kind": "state", "state": folder.set_state(state)})
    before = (folder.path / "state.json").read_bytes()
    with pytest.raises(UserError, match=f"The run is {state}: {action} is not possible now"):
        manager.act(folder.id, action)
    assert (folder.path / "state.json").read_bytes() == before


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("cause", CAUSES)
def test_any_other_pair_is_a_clear_error(state, cause):
    if (state, cause) in TRANSITIONS:
        assert next_state(state, cause) in STATES
    else:
        with pytest.raises(UserError, match=f"The run is {state}"):
            next_state(state, cause)


def test_every_state_is_reached_from_queued_and_has_a_transition():
    reached, frontier = {"queued"}, ["queued"]
    while frontier:
        at = frontier.pop()
        for (state, _), after in TRANSITIONS.items():
            if state == at and after not in reached:
                reached.add(after)
                frontier.append(after)
    assert reached == set(STATES) == {s for s, _ in TRANSITIONS}


def test_the_actions_of_each_state():
    assert {s: actions(s) for s in STATES} == {
        "queued": ("cancel",),
        "running": ("pause", "stop", "skip"),
        "paused": ("step", "resume", "stop"),
        "stopping": ("skip",),
        "finished": ("extend",),
        "failed": ("resume", "stop"),
    }


def test_a_refusal_says_what_is_possible():
    with pytest.raises(UserError) as refused:
        next_state("running", "extend")
    assert str(refused.value) == (
        "The run is running: extend is not possible now; possible: pause, stop, skip."
    )
    with pytest.raises(UserError, match="possible: skip."):
        next_state("stopping", "resume")
