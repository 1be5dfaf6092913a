"""Random kills over the commands and the runs of the app; see `tests.helpers.kills`."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.pages import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")


@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=pytest.mark.long)])
def test_nothing_is_lost_by_kills(tmp_path, kills):
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.kills", str(tmp_path), str(kills), "18"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["kills"] >= kills
