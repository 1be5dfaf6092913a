"""A server that is killed or ended, in a real browser: the run shows it, resumes, and ends with the same result."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.helpers.small_runs import adapter_of, same

from .conftest import ROOT, serve
from .live import paused_run, press, until_step, until_text

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.mark.timeout(900)
def test_a_run_resumed_after_a_kill_and_two_signals_has_the_same_result(page, own_home):
    folder = paused_run(epochs=30)
    whole = type(folder)(own_home / "whole")
    shutil.copytree(folder.path, whole.path)
    for found, number in (
        ("Ready\\.", signal.SIGKILL),
        ("Interrupted: the app or the computer was shut down", signal.SIGINT),
        ("The app was closed: resume to continue", signal.SIGTERM),
        ("The app was closed: resume to continue", None),
    ):
        step = max(folder.checkpoints(), default=0)
        with serve(own_home) as (url, process):
            page.goto(f"{url}/Live?run={folder.id}")
            until_text(page, found)
            press(page, "Resume")
            if number is None:
                page.get_by_text("Inspect what changed").first.wait_for(timeout=180_000)
                continue
            until_step(page, step + 6)
            process.send_signal(number)
            process.wait(60)
        state = folder.state
        if number == signal.SIGKILL:
            assert state["state"] == "running"  # as the kill left it
        else:
            assert state["state"] == "paused" and folder.checkpoints()[-1] == state["step"] > step
    subprocess.run(
        [sys.executable, "-m", "ueo_core", "resume", str(whole.path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert folder.state["step"] == whole.state["step"] == 120
    assert same(adapter_of(folder), adapter_of(whole))
