"""Refreshes and viewers of a run in progress leave memory and threads as they were."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.pages import ROOT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system tells no memory"),
]


def test_memory_and_threads_stay_flat():
    command = [sys.executable, "-m", "tests.helpers.load"]
    load = ["--refreshes", "60", "--viewers", "8", "--seconds", "30"]
    done = subprocess.run([*command, *load], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["steps"] > 0
    for later in (found["refreshed"], found["left"]):
        assert later["mb"] < found["warm"]["mb"] + 80, found
    assert found["left"]["threads"] <= found["warm"]["threads"] + 2, found
