"""Runs of the app on several processes, which it starts and ends itself."""

import numpy as np
import pytest

from tests.helpers.small_runs import make, manager, store, until, wait  # noqa: F401
from ueo_core.runs import processes
from ueo_core.runs.processes import PROCESSES, wanted
from ueo_core.utils.errors import UserError


def test_the_number_of_processes(monkeypatch):
    monkeypatch.delenv(PROCESSES, raising=False)
    assert wanted() >= 1
    monkeypatch.setenv(PROCESSES, " 3 ")
    assert wanted() == 3
    for wrong in ("0", "65", "two", "-1"):
        monkeypatch.setenv(PROCESSES, wrong)
        with pytest.raises(UserError, match=f"{PROCESSES}={wrong}: give a number"):
            wanted()


def test_a_wrong_number_is_the_reason_of_the_run(make, manager, monkeypatch):  # noqa: F811
    monkeypatch.setenv(PROCESSES, "many")
    run = manager.submit(make(root=manager.root))
    now = wait(manager, run, "failed")
    assert "give a number of processes" in now.reason
    assert "give a number" in manager.folder(run).state["reason"]


def test_the_result_is_that_of_one_process(make, manager, monkeypatch):  # noqa: F811
    found = {}
    for count in ("1", "2"):
        monkeypatch.setenv(PROCESSES, count)
        run = manager.submit(make(f"run-{count}", root=manager.root))
        wait(manager, run, "finished")
        found[count] = manager.folder(run).tensors("adapted")["pool_cosines"].numpy()
    np.testing.assert_allclose(found["1"], found["2"], atol=1e-4)
    assert not np.array_equal(
        found["1"], manager.folder("run-1").tensors("zero_shot")["pool_cosines"].numpy()
    )


def test_a_process_that_dies_ends_the_run_in_a_sentence_and_it_resumes(make, manager, monkeypatch):  # noqa: F811
    started = []
    real = processes.subprocess.Popen
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda *a, **m: started.append(real(*a, **m)) or started[-1]
    )
    monkeypatch.setenv(PROCESSES, "2")
    run = manager.submit(make(root=manager.root, epochs=3000))
    until(manager, run, lambda now: now.step > 3)
    started[0].kill()
    now = wait(manager, run, "failed")
    assert "Another process of this run has ended" in now.reason
    monkeypatch.setenv(PROCESSES, "1")
    manager.act(run, "resume")
    until(manager, run, lambda now: now.state == "running" and now.phase == "adapting")
    manager.act(run, "pause")
    wait(manager, run, "paused")
