"""From snapshots to what the Live page draws."""

import numpy as np
import pytest

from tests.helpers.run_folders import write_run
from ueo_core.analysis import live_metrics
from ueo_core.runs.snapshot import read_snapshot


def test_labels_split_the_weights_and_the_hills():
    now = read_snapshot(write_run("r"))
    found = live_metrics.weight_bars(now)
    assert {k: v.sum() for k, v in found.counts.items()} == {"known": 60, "unknown": 20}
    assert list(live_metrics.confidence_hills(now).density) == [
        "step 0 · known",
        "step 0 · unknown",
        "now · known",
        "now · unknown",
    ]
    assert live_metrics.progress_signs(now, 3)["ACC"] == [(0, 50.0), (4, 54.0)]


def test_without_labels_signs_take_their_place():
    now = read_snapshot(write_run("r", labeled=False))
    assert list(live_metrics.weight_bars(now).counts) == ["all images"]
    assert list(live_metrics.confidence_hills(now).density) == [
        "step 0 · all images",
        "now · all images",
    ]
    signs = live_metrics.progress_signs(now, 3)
    assert signs["Same answer"] == [(0, 100.0), (4, 96.0)]
    assert signs["Doubt"][0][1] == pytest.approx(100 * 0.5 / np.log(3))


def test_change_in_percent_and_canaries_with_their_flip():
    now = read_snapshot(write_run("r"))
    steps, layers, values = live_metrics.change_by_layer(now)
    assert steps == [0, 4] and layers == ["context", "bn1"]
    np.testing.assert_allclose(values, [[0, 4], [0, 0.4]])
    (canary,) = live_metrics.canary_strip(now)
    assert (canary.before, canary.now, canary.flipped_at, canary.flipped) == (
        "cat",
        "dog",
        (4,),
        True,
    )


def test_a_run_that_has_done_nothing_draws_nothing():
    folder = write_run("q", state="queued")
    (folder.path / "events.jsonl").unlink()
    folder.set_state("queued", step=0, steps=None)
    now = read_snapshot(folder)
    assert live_metrics.weight_bars(now) is None and live_metrics.confidence_hills(now) is None
    assert live_metrics.canary_strip(now) == [] and live_metrics.share_done(now) == 0
    assert live_metrics.change_by_layer(now)[2].shape == (0, 0)
