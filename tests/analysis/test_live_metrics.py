"""The numbers of the Live page, from snapshots."""

import numpy as np
import pytest

from tests.helpers.run_folders import write_run
from ueo_core.analysis import live_metrics
from ueo_core.runs.snapshot import read_snapshot


def test_labels_group_the_weights_and_the_densities():
    now = read_snapshot(write_run("r"))
    found = live_metrics.weight_bars(now)
    assert {k: v.sum() for k, v in found.counts.items()} == {"known": 60, "unknown": 20}
    assert list(live_metrics.score_densities(now).density) == [
        "step 0 · known",
        "step 0 · unknown",
        "now · known",
        "now · unknown",
    ]
    assert live_metrics.progress_signs(now, 3)["ACC"] == [(0, 50.0), (4, 54.0)]


def test_without_labels_there_are_other_indicators():
    now = read_snapshot(write_run("r", labeled=False))
    assert list(live_metrics.weight_bars(now).counts) == ["all images"]
    assert list(live_metrics.score_densities(now).density) == [
        "step 0 · all images",
        "now · all images",
    ]
    signs = live_metrics.progress_signs(now, 3)
    assert signs["Same prediction"] == [(0, 100.0), (4, 96.0)]
    assert signs["Uncertainty"][0][1] == pytest.approx(100 * 0.5 / np.log(3))


def test_change_is_in_percent_and_borderline_images_have_their_predictions_at_step_0_and_now():
    now = read_snapshot(write_run("r"))
    steps, layers, values = live_metrics.change_by_layer(now)
    assert steps == [0, 4] and layers == ["prompt context", "norm 1"]
    np.testing.assert_allclose(values, [[0, 4], [0, 0.4]])
    (image,) = live_metrics.borderline_images(now)
    assert (image.before, image.now, image.changed) == ("cat", "dog", True)


def test_a_run_without_events_has_no_data_for_charts():
    folder = write_run("q", state="queued")
    (folder.path / "events.jsonl").unlink()
    folder.set_state("queued", step=0, steps=None)
    now = read_snapshot(folder)
    assert live_metrics.weight_bars(now) is None and live_metrics.score_densities(now) is None
    assert live_metrics.borderline_images(now) == [] and live_metrics.share_done(now) == 0
    assert live_metrics.change_by_layer(now)[2].shape == (0, 0)


def test_layers_have_readable_names():
    names = {
        "context": "prompt context",
        "layer1.0.bn2": "stage 1, block 1, norm 2",
        "layer2.0.downsample.1": "stage 2, block 1, shortcut norm",
        "transformer.resblocks.11.ln_1": "block 12, norm 1",
        "ln_post": "norm after the blocks",
        "trunk.blocks.3.1.bn1": "stage 4, block 2, norm 1",
        "trunk.stages.0.1.norm": "stage 1, block 2, norm",
        "something.else": "something, else",
    }
    assert {name: live_metrics.layer_title(name) for name in names} == names
