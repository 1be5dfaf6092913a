"""The queue, its worker and its viewers; what remains after the process ends."""

import gc
import time
import weakref

import pytest

from tests.helpers.small_runs import make, manager, store, until, wait  # noqa: F401
from ueo_core.models import backbones
from ueo_core.runs.lock import RunLock, run_locked
from ueo_core.runs.manager import Manager
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.utils.errors import UserError


def test_the_queue_is_first_in_first_out_with_one_slot(manager, make):  # noqa: F811
    ids = [manager.submit(make(f"r{i}", root=manager.root)) for i in range(3)]
    for run in ids:
        wait(manager, run, "finished")
    ends = [manager.folder(r).state["updated"] for r in ids]
    assert ends == sorted(ends)
    assert manager.active() is None or manager.queue() == []


def test_pause_step_resume_and_stop(manager, make):  # noqa: F811
    run = manager.submit(make(root=manager.root, epochs=400))
    wait(manager, run, "running")
    manager.act(run, "pause")
    at = wait(manager, run, "paused").step
    manager.act(run, "step", amount=2)
    now = until(manager, run, lambda now: now.step >= at + 2 and now.state == "paused")
    assert now.step == at + 2
    manager.act(run, "resume")
    wait(manager, run, "running")
    manager.act(run, "stop")
    done = wait(manager, run, "finished")
    assert done.step < done.steps and "Stopped early" in done.reason


def test_a_paused_run_can_be_stopped_and_keeps_its_result(manager, make):  # noqa: F811
    folder = make(root=manager.root, epochs=400)
    run = manager.submit(folder)
    wait(manager, run, "running")
    manager.act(run, "pause")
    step = wait(manager, run, "paused").step
    manager.act(run, "stop")
    assert wait(manager, run, "finished").step == step
    assert (folder.path / "delta.safetensors").is_file()


def test_a_queued_run_can_be_canceled_and_resumed(manager, make):  # noqa: F811
    first = manager.submit(make("first", root=manager.root, epochs=400))
    second = manager.submit(make("second", root=manager.root))
    wait(manager, first, "running")
    assert manager.queue() == [second]
    manager.act(second, "cancel")
    assert manager.snapshot(second).state == "paused" and manager.queue() == []
    manager.act(second, "resume")
    manager.act(first, "stop")
    wait(manager, second, "finished")


def test_an_action_that_the_state_does_not_allow_is_a_clear_error(manager, make):  # noqa: F811
    run = manager.submit(make(root=manager.root))
    wait(manager, run, "finished")
    with pytest.raises(UserError, match="The run is finished"):
        manager.act(run, "pause")
    for name in ("nowhere", "../run", ""):
        with pytest.raises(UserError):
            manager.folder(name)


def test_shutdown_checkpoints_and_a_new_process_resumes(tmp_path, make):  # noqa: F811
    first = Manager(tmp_path / "runs")
    folder = make(root=first.root, epochs=400)
    run = first.submit(folder)
    wait(first, run, "running")
    until(first, run, lambda now: now.step >= 2)
    first.shutdown()
    assert folder.state["state"] == "paused"
    assert folder.checkpoints()[-1] == folder.state["step"]
    second = Manager(tmp_path / "runs")
    second.act(run, "resume")
    wait(second, run, "running")
    second.act(run, "stop")
    wait(second, run, "finished")
    second.shutdown()


def test_a_run_whose_process_has_ended_is_marked_as_interrupted(tmp_path, make):  # noqa: F811
    folder = make(root=tmp_path / "runs")
    folder.set_state("running")
    snapshot = Manager(tmp_path / "runs").snapshot(folder.id)
    assert snapshot.state == "paused" and "Interrupted" in snapshot.reason
    assert "resume" in snapshot.actions


def test_queued_runs_can_be_reordered(manager, make):  # noqa: F811
    first = manager.submit(make("first", root=manager.root, epochs=4000))
    wait(manager, first, "running")
    a, b, c = (manager.submit(make(name, root=manager.root)) for name in "abc")
    manager.reorder(c, -1)
    assert manager.queue() == [a, c, b]
    manager.reorder(c, -5)
    manager.reorder(a, 9)
    assert manager.queue() == [c, b, a]
    with pytest.raises(UserError, match="no longer queued"):
        manager.reorder(first, 1)
    manager.act(first, "stop")
    for run in (a, b, c):
        wait(manager, run, "finished")
    began = {r: manager.folder(r).path.joinpath("delta.safetensors").stat().st_mtime for r in "abc"}
    assert sorted(began, key=began.get) == [c, b, a]


def test_only_the_viewer_with_the_controls_can_act(manager, make):  # noqa: F811
    run = manager.submit(make(root=manager.root, epochs=4000))
    wait(manager, run, "running")
    manager.viewers.watch("teacher"), manager.viewers.watch("pupil")
    for click in (
        lambda: manager.act(run, "pause", viewer="pupil"),
        lambda: manager.reorder(run, 1, viewer="pupil"),
    ):
        with pytest.raises(UserError, match="Another browser has the controls"):
            click()
    assert manager.snapshot(run).state == "running"
    manager.viewers.hand_over("teacher")
    manager.act(run, "pause", viewer="pupil")
    wait(manager, run, "paused")
    with pytest.raises(UserError, match="Another browser has the controls"):
        manager.act(run, "resume", viewer="teacher")


def test_a_finished_run_can_be_trained_longer(manager, make):  # noqa: F811
    run = manager.submit(make(root=manager.root))
    wait(manager, run, "finished")
    manager.act(run, "extend", amount=2)
    assert manager.snapshot(run).steps == 12
    done = until(manager, run, lambda now: now.state == "finished" and now.step == 12)
    assert [p["step"] for p in done.series] == list(range(1, 13))
    with pytest.raises(UserError, match="Further epochs: 0 is out of range"):
        manager.act(run, "extend", amount=0)
    assert manager.snapshot(run).state == "finished"


def test_a_run_of_another_process_cannot_be_controlled(manager, make):  # noqa: F811
    folder = make(root=manager.root)
    with RunLock(folder.path):  # as a command line does
        folder.move("start")
        assert manager.snapshot(folder.id).state == "running"
        for action in ("pause", "stop"):
            with pytest.raises(UserError, match="another process is executing it"):
                manager.act(folder.id, action)
        assert folder.state["state"] == "running"
    # Its process has ended: the next snapshot shows that, without a restart.
    assert manager.snapshot(folder.id).state == "paused"
    manager.act(folder.id, "resume")
    wait(manager, folder.id, "finished")
    assert not run_locked(folder.path)


def test_a_run_is_read_again_only_when_a_file_has_changed(manager, make, monkeypatch):  # noqa: F811
    folder, reads = make(root=manager.root), []
    folder.set_state("paused")
    monkeypatch.setattr(
        "ueo_core.runs.manager.read_snapshot", lambda f: reads.append(f.id) or read_snapshot(f)
    )
    for _ in range(3):
        assert manager.snapshot(folder.id).state == "paused"
    folder.set_state("failed", reason="Changed.")
    assert manager.snapshot(folder.id).reason == "Changed."
    assert reads == [folder.id] * 2


def test_an_idle_worker_frees_the_model(tmp_path, make, monkeypatch):  # noqa: F811
    held, real = [], backbones.load

    def load(*key):
        loaded = real(*key)
        held.append(weakref.ref(loaded.model))
        return loaded

    monkeypatch.setattr(backbones, "load", load)
    idle = Manager(tmp_path / "runs", idle_seconds=0.3)
    run = idle.submit(make(root=idle.root))
    wait(idle, run, "finished")
    deadline = time.monotonic() + 60
    while held[0]() is not None:
        assert time.monotonic() < deadline, gc.get_referrers(held[0]())
        time.sleep(0.05)
    idle.act(run, "extend")  # and loads it again for the next run
    until(idle, run, lambda now: now.state == "finished" and now.step == 9)
    assert len(held) == 2
    idle.shutdown()


def test_shutdown_stores_a_reason_and_releases_the_queue(tmp_path, make):  # noqa: F811
    first = Manager(tmp_path / "runs")
    runs = [first.submit(make(name, root=first.root, epochs=4000)) for name in "ab"]
    until(first, runs[0], lambda now: now.step >= 1)
    first.shutdown()
    reasons = [first.folder(run).state["reason"] for run in runs]
    assert "The app was closed: resume" in reasons[0] and "before the run started" in reasons[1]
    assert not any(run_locked(first.folder(run).path) for run in runs)
