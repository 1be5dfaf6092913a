"""Snapshots: times, the return to a checkpoint, and a limited length."""

import pytest

from tests.helpers.run_folders import write_run
from ueo_core.runs.snapshot import EVALUATIONS, SERIES, read_snapshot


@pytest.fixture
def now():
    """Step 4 of 4 in 4 seconds, 80 images in batches of 40, measured in one second."""
    return read_snapshot(write_run("r", state="paused"))


def test_speed_and_time_left(now):
    assert now.images_per_second == pytest.approx(40)
    longer = now.with_state({"state": "running", "phase": "", "reason": "", "step": 4, "steps": 10})
    assert longer.seconds_left == pytest.approx(6 * 1 + 1)  # six steps, then the scoring
    phase = {"kind": "phase", "phase": "scoring", "done": 20, "total": 80, "seconds": 2.0}
    assert longer.applied(phase).seconds_left == pytest.approx(6)
    assert longer.applied({**phase, "done": 0}).seconds_left is None


def test_the_return_to_a_checkpoint_removes_later_events(now):
    back = now.applied({"kind": "rewind", "step": 2})
    assert [p["step"] for p in back.series] == [1, 2] and back.step == 2
    assert [e["step"] for e in back.evaluations] == [0]


def test_the_snapshot_of_a_long_run_has_a_limited_length_and_keeps_its_ends(now):
    step = {
        "kind": "step",
        "epoch": 1,
        "entropy": 0.5,
        "marginal": 0.5,
        "lr": 0.1,
        "elapsed": 1.0,
        "seen": 1,
        "batch": {},
        "peak_memory_mb": 1.0,
    }
    evaluation = now.evaluations[0]
    for i in range(1, 3 * SERIES):
        now = now.applied({**step, "step": i, "loss": -99.0 if i == 5000 else float(i % 7)})
        if i % 5 == 0:
            now = now.applied({**evaluation, "step": i})
        assert len(now.series) <= SERIES and len(now.evaluations) <= EVALUATIONS
    assert now.series[0]["step"] == 1 and now.series[-1]["step"] == 3 * SERIES - 1
    assert min(p["loss"] for p in now.series) == -99
    assert now.evaluations[0]["step"] == 0 and now.evaluations[-1]["step"] == 3 * SERIES - 5
    steps = [e["step"] for e in now.evaluations]
    assert steps == sorted(steps) and len(steps) > EVALUATIONS // 3
