"""The queue, its worker and its viewers; what remains after the process ends."""

import gc
import json
import threading
import time
import weakref

import pytest

from tests.helpers.small_runs import make, manager, store, until, wait  # noqa: F401
from ueo_core.analysis.live_metrics import phase_sentence, share_done
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


def test_a_paused_run_keeps_the_trainer_from_the_queue(manager, make):  # noqa: F811
    first = manager.submit(make("first", root=manager.root, epochs=400))
    wait(manager, first, "running")
    second = manager.submit(make("second", root=manager.root))
    manager.act(first, "pause")
    at = wait(manager, first, "paused").step
    until(manager, first, lambda now: manager.active() is None)
    for n in (1, 2):  # both steps are taken at once, although another run is queued
        manager.act(first, "step")
        now = until(manager, first, lambda now, n=n: now.step == at + n and now.state == "paused")
        assert now.step == at + n and manager.snapshot(second).state == "queued"
    until(manager, first, lambda now: manager.held() == first)
    manager.release(second)  # of a run that keeps nothing
    assert manager.held() == first and manager.queue() == [second]
    manager.release(first)
    wait(manager, second, "finished")
    assert manager.snapshot(first).state == "paused" and manager.held() is None


def test_the_queue_goes_on_when_a_paused_run_is_left_or_deleted(tmp_path, make):  # noqa: F811
    short = Manager(tmp_path / "runs", hold_seconds=0.3)
    first = short.submit(make("first", root=short.root, epochs=400))
    wait(short, first, "running")
    second = short.submit(make("second", root=short.root))
    short.act(first, "pause")
    wait(short, second, "finished")
    assert short.snapshot(first).state == "paused"
    short.shutdown()


def test_the_safety_check_can_be_skipped_and_nothing_else(manager, make, monkeypatch):  # noqa: F811
    from ueo_core.runs import scoring

    began, asked = threading.Event(), threading.Event()

    def slow(model, views, zero, last, seed, batch, on_batch, precision):
        on_batch(10, 40)
        began.set()
        assert asked.wait(60)
        on_batch(20, 40)
        raise AssertionError("it was not skipped")

    monkeypatch.setattr(scoring, "safety_check", slow)
    run = manager.submit(make(root=manager.root))
    assert "skip" not in manager.snapshot(run).actions
    with pytest.raises(UserError):
        manager.act(run, "skip")
    assert began.wait(120)
    now = manager.snapshot(run)
    assert (now.phase, now.done, now.total) == ("checking", 10, 40) and "skip" in now.actions
    assert now.seconds_left == pytest.approx(3 * now.phase_seconds)
    assert phase_sentence(now) == "Safety check on random crops: 10 of 40 images"
    assert share_done(now) == 0.25
    manager.act(run, "skip")
    asked.set()
    done = wait(manager, run, "finished")
    assert done.notes[-1] == "The safety check was skipped, so no model is recommended."
    result = json.loads((manager.folder(run).path / "result.json").read_text(encoding="utf-8"))
    assert result["guard"] is None and result["threshold"]


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
