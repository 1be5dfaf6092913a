"""The lock of a run: held by one process at most, and released when the process ends."""

import subprocess
import sys
import time

import pytest

from ueo_core.runs.lock import RunLock, run_locked
from ueo_core.utils.errors import UserError

HOLD = "import sys, time; from pathlib import Path; from ueo_core.runs.lock import RunLock\nlock = RunLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"


def test_a_lock_excludes_others_until_it_is_released(tmp_path):
    assert not run_locked(tmp_path)
    with RunLock(tmp_path):
        assert run_locked(tmp_path)
        with pytest.raises(UserError, match="another process is executing it"):
            RunLock(tmp_path)
    assert not run_locked(tmp_path)


def test_a_killed_process_holds_no_lock(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline().strip() == b"held"
        assert run_locked(tmp_path)
        with pytest.raises(UserError, match="another process"):
            RunLock(tmp_path)
    finally:
        other.kill()
        other.wait(30)
    deadline = time.monotonic() + 10
    while run_locked(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
