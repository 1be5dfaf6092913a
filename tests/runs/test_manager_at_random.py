"""A queue of runs that is reordered, cancelled, paused and resumed at random loses nothing.

The runs are real in all but their training: steps are counted, and every change is on disk.
"""

import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ueo_core.config.settings import Settings
from ueo_core.runs import worker
from ueo_core.runs.create import create_run
from ueo_core.runs.manager import Manager
from ueo_core.runs.notices import notices
from ueo_core.runs.states import STATES
from ueo_core.utils.errors import UserError

POOL = {"n": 4, "set": "0" * 16, "store": "s", "name": "n", "fingerprint": "f"}
STEPS, MOST = 6, 30
ACTIONS = ("pause", "step", "resume", "stop", "cancel")


def counted(folder, control, emit, cache) -> None:
    """As `worker.execute`, with steps that only count."""

    def move(cause: str, **details) -> None:
        emit({"kind": "state", "state": folder.move(cause, **details)})

    if folder.state["state"] == "stopping":
        control.stop.set()
    else:
        move("start", phase="", reason="", steps=STEPS)
    done = folder.state["step"]
    while done < STEPS and not control.stop.is_set() and not control.pause.is_set():
        done += 1
        folder.append({"kind": "tick", "step": done})
        folder.update(step=done)
        time.sleep(0.001)
        if done == control.until:
            break
    if control.stop.is_set() and folder.state["state"] == "running":
        move("stop")
    if control.stop.is_set() or done == STEPS:
        move("finish", phase="", reason="", step=done)
    else:
        move("halt", phase="", reason="", step=done)


class Runs(RuleBasedStateMachine):
    """The manager of a process, and what was asked of it."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.manager = Manager(Path(self.folder.name) / "runs", hold_seconds=0.05)
        self.runs: list[str] = []
        self.stopped: set[str] = set()
        self.before = set(threading.enumerate())  # of other tests of this process

    def attempt(self, act, *given) -> bool:
        try:
            act(*given)
        except UserError as error:
            assert str(error).endswith((".", ";")), error
            return False
        return True

    def chosen(self, which: int) -> str:
        return self.runs[which % len(self.runs)]

    @precondition(lambda self: len(self.runs) < MOST)
    @rule(request=st.integers(0, 5))
    def submit(self, request):
        """A click, or a second click of the same button."""
        known = self.manager.by_request(f"r{request}")
        if known is not None:
            assert known in self.runs
            return
        path = self.manager.new_path()
        folder = create_run(path, Settings(), ["a", "b"], POOL, request=f"r{request}")
        self.runs.append(self.manager.submit(folder))

    @precondition(lambda self: len(self.runs) < MOST)
    @rule(count=st.integers(1, 10))
    def submit_several(self, count):
        for _ in range(min(count, MOST - len(self.runs))):
            folder = create_run(self.manager.new_path(), Settings(), ["a", "b"], POOL)
            self.runs.append(self.manager.submit(folder))

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, MOST), action=st.sampled_from(ACTIONS), amount=st.integers(1, 3))
    def act(self, which, action, amount):
        run = self.chosen(which)
        if self.attempt(self.manager.act, run, action, amount) and action == "stop":
            self.stopped.add(run)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, MOST), places=st.integers(-5, 5))
    def reorder(self, which, places):
        self.attempt(self.manager.reorder, self.chosen(which), places)

    @precondition(lambda self: self.runs)
    @rule(which=st.integers(0, MOST))
    def release(self, which):
        self.attempt(self.manager.release, self.chosen(which))

    @rule(viewers=st.integers(1, 3))
    def refresh(self, viewers):
        """Viewers look from threads of their own, as sessions do."""
        failed = []

        def look() -> None:
            try:
                for run in self.runs:
                    now = self.manager.snapshot(run)
                    assert now.state in STATES and 0 <= now.step <= STEPS
                notices(self.manager)
            except Exception as error:  # noqa: BLE001 - shown by the assertion below
                failed.append(error)

        threads = [threading.Thread(target=look) for _ in range(viewers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed

    @invariant()
    def nothing_is_lost_or_twice(self):
        queue = self.manager.queue()
        assert len(queue) == len(set(queue)) and set(queue) <= set(self.runs)
        assert set(self.manager.ids()) == set(self.runs)

    def teardown(self):
        """All runs can still be carried to their end, and took every step once."""
        deadline = time.monotonic() + 20
        left = set(self.runs)
        while left:
            assert time.monotonic() < deadline, left
            for run in list(left):
                state = self.manager.snapshot(run).state
                if state == "finished":
                    left.remove(run)
                elif state == "paused":
                    self.attempt(self.manager.act, run, "resume")
            time.sleep(0.002)
        for run in self.runs:
            folder = self.manager.folder(run)
            ticks = [e["step"] for e in folder.events() if e["kind"] == "tick"]
            assert ticks == list(range(1, len(ticks) + 1)), ticks
            assert len(ticks) == STEPS or run in self.stopped
            assert folder.state["state"] == "finished" and folder.state["step"] == len(ticks)
        assert self.manager.queue() == [] and self.manager.active() is None
        assert sum(t.name == "ueo-worker" for t in set(threading.enumerate()) - self.before) <= 1
        self.manager.shutdown()
        self.folder.cleanup()


@pytest.fixture(autouse=True)
def only_counted(monkeypatch):
    monkeypatch.setattr(worker, "execute", counted)


Runs.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # an example that waits shrinks for ever
    suppress_health_check=list(HealthCheck),
)
TestRuns = pytest.mark.usefixtures("only_counted")(Runs.TestCase)
