"""The queue, its one worker and its viewers; what outlives a process."""

import pytest

from tests.small_runs import make, manager, store, until, wait  # noqa: F401
from ueo_core.errors import UserError
from ueo_core.runs import Manager


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


def test_a_waiting_run_can_be_cancelled_and_taken_up_again(manager, make):  # noqa: F811
    first = manager.submit(make("first", root=manager.root, epochs=400))
    second = manager.submit(make("second", root=manager.root))
    wait(manager, first, "running")
    assert manager.queue() == [second]
    manager.act(second, "cancel")
    assert manager.snapshot(second).state == "paused" and manager.queue() == []
    manager.act(second, "resume")
    manager.act(first, "stop")
    wait(manager, second, "finished")


def test_what_the_state_forbids_is_a_sentence(manager, make):  # noqa: F811
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


def test_a_run_whose_process_died_says_so(tmp_path, make):  # noqa: F811
    folder = make(root=tmp_path / "runs")
    folder.set_state("running")
    snapshot = Manager(tmp_path / "runs").snapshot(folder.id)
    assert snapshot.state == "paused" and "Interrupted" in snapshot.reason
    assert "resume" in snapshot.actions
