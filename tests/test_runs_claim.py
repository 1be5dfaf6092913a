"""A claim: one process carries a run out, and a dead one holds nothing."""

import subprocess
import sys
import time

import pytest

from ueo_core.errors import UserError
from ueo_core.runs.claim import Claim, claimed

HOLD = "import sys, time; from pathlib import Path; from ueo_core.runs.claim import Claim\nclaim = Claim(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"


def test_a_claim_excludes_others_and_ends(tmp_path):
    assert not claimed(tmp_path)
    with Claim(tmp_path):
        assert claimed(tmp_path)
        with pytest.raises(UserError, match="another process is carrying it out"):
            Claim(tmp_path)
    assert not claimed(tmp_path)


def test_a_killed_process_leaves_no_claim(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline().strip() == b"held"
        assert claimed(tmp_path)
        with pytest.raises(UserError, match="another process"):
            Claim(tmp_path)
    finally:
        other.kill()
        other.wait(30)
    deadline = time.monotonic() + 10
    while claimed(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
