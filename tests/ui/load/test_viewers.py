"""The load measurement against a real server: viewers open a page and tick."""

import json
import os
import subprocess
import sys

from tests.browser.conftest import ROOT, serve
from tests.helpers.coroutines import run
from tests.helpers.run_folders import write_run
from ui.load.viewers import Measured, watch


def test_percentiles_are_of_the_ticks():
    measured = Measured(ticks=[0.4, 0.1, 0.3, 0.2])
    assert (measured.percentile(0), measured.percentile(0.5), measured.percentile(1)) == (
        0.1,
        0.3,
        0.4,
    )
    assert Measured().percentile(0.5) is None


def test_viewers_of_a_paused_run_tick_and_those_of_a_finished_one_do_not(own_home):
    write_run("a", state="paused")
    write_run("b")
    with serve(own_home) as (url, _):
        paused = run(watch(url, "Live", "run=a", 2, 3.0))
        assert len(paused.opened) == 2 and len(paused.ticks) >= 4 and paused.received > 1000
        assert run(watch(url, "Live", "run=b", 1, 1.5)).ticks == []
        command = [sys.executable, "-m", "ui.load", url, "--query", "run=a", "--viewers", "1"]
        done = subprocess.run(
            [*command, "--seconds", "2"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "UEO_STUDIO_HOME": str(own_home)},
        )
        found = json.loads(done.stdout)
        assert found["viewers"] == 1 and found["ticks"] > 0 and found["lost_percent"] is None
