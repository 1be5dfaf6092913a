"""After a kill or a signal, a resumed run has the same result."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.pages import ROOT
from tests.helpers.small_runs import adapter_of, forget, make, same, store, story  # noqa: F401
from ueo_core.runs.folder import RunFolder

pytestmark = pytest.mark.long


def python(*argv, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *map(str, argv)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        **options,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
def test_a_run_killed_twenty_times_has_the_same_result_to_the_last_bit(make, store):  # noqa: F811
    whole, killed = make("whole", epochs=60), make("killed", epochs=60)
    done, told = [], []
    for kills, folder in ((0, whole), (20, killed)):
        forget(store)
        host = python("-m", "tests.helpers.kill_host", folder.path, 7, kills)
        out, error = host.communicate(timeout=500)
        assert host.returncode == 0, error
        told.append(json.loads(out.splitlines()[-1]))
        done.append(folder)
    assert (told[0]["kills"], told[1]["kills"]) == (0, 20), told
    assert len(set(told[1]["steps"])) > 5 and told[1]["state"] == "finished"
    assert same(adapter_of(whole), adapter_of(killed))
    assert story(whole) == story(killed)
    assert (whole.path / "predictions.csv").read_bytes() == (
        killed.path / "predictions.csv"
    ).read_bytes()


def interrupted(number: int, run: RunFolder, *argv) -> None:
    """Run a command until it has taken some steps, and send it a signal."""
    before = run.state["step"] if (run.path / "state.json").exists() else 0
    host = python("-m", "ueo_core", *argv)
    try:
        deadline = time.monotonic() + 120
        while not any(e["kind"] == "step" and e["step"] > before + 2 for e in run.events()):
            assert host.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        host.send_signal(number)
        _, told = host.communicate(timeout=60)
    finally:
        host.kill()
    assert host.returncode == 130 and "can be resumed" in told and "Traceback" not in told
    state = run.state
    assert state["state"] == "paused" and "resume to continue" in state["reason"]
    assert before < state["step"] < state["steps"]
    assert run.checkpoints()[-1] == state["step"]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
def test_an_interrupted_command_writes_a_checkpoint(tiny_files, store, tmp_path):  # noqa: F811
    config, weights = tiny_files["vit"]
    pool = store[0].root.parent / "pool"
    adapt = (
        "adapt",
        pool,
        "--classes",
        "dog,cat,house",
        "--backbone",
        config,
        "--pretrained",
        weights,
        "--epochs",
        60,
        "--batch-size",
        5,
        "--lr",
        0.01,
        "--device",
        "cpu",
        "--out",
    )
    whole, told = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "told")
    interrupted(signal.SIGINT, told, *adapt, told.path)
    interrupted(signal.SIGTERM, told, "resume", told.path)
    for argv in (("resume", told.path), (*adapt, whole.path)):
        host = python("-m", "ueo_core", *argv)
        _, error = host.communicate(timeout=300)
        assert host.returncode == 0, error
    assert same(adapter_of(whole), adapter_of(told)) and story(whole) == story(told)
