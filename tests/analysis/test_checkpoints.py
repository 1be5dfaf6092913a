"""Checkpoints: each can be shown, is scored as by the run itself, and only once."""

import numpy as np
import pytest
import torch

from tests.helpers.run_folders import image_set, labels_of
from ueo_core.analysis.checkpoints import checkpoint_steps, score_checkpoints, unscored_steps
from ueo_core.analysis.run_result import read_features, read_inspection
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.runs.create import create_run
from ueo_core.runs.worker import execute, open_image_set
from ueo_core.training.loop import image_features
from ueo_core.utils.background_jobs import Cancelled
from ueo_core.utils.errors import UserError

CLASSES = ["cat", "dog", "sun"]


@pytest.fixture
def run(tiny_files, tmp_path):
    """A finished run of three epochs of two steps on the tiny ViT."""
    config, weights = tiny_files["vit"]
    settings = Settings(
        backbone=str(config), pretrained=str(weights), epochs=3, batch_size=5, lr=1e-2, device="cpu"
    )
    folder = create_run(
        tmp_path / "run",
        settings,
        CLASSES,
        image_set(10, "pool"),
        labels_of(10),
        image_set(6, "test"),
        labels_of(6),
    )
    assert execute(folder)["state"] == "finished"
    return folder


def test_scores_of_a_checkpoint_are_those_of_its_model_and_are_kept(run):
    assert checkpoint_steps(run) == [0, 2, 4, 6]
    assert unscored_steps(run) == [2, 4]
    with pytest.raises(UserError, match="after step 2 has not been scored"):
        read_inspection(run, 2)
    told = []
    score_checkpoints(run, [2, 4], lambda done, total: told.append((done, total)))
    assert told[-1] == (32, 32) and told == sorted(told)
    assert unscored_steps(run) == []

    settings = run.settings
    backbone = backbones.load(settings.backbone, settings.pretrained, "cpu")
    model = AdaptedCLIP(backbone, CLASSES, settings.prompt)
    model.load_adapter(run.checkpoint(4))
    for part in ("pool", "holdout"):
        views = Views(open_image_set(run.config[part], backbone.store_side), backbone)
        features = image_features(model, views)
        with torch.no_grad():
            cosines = (features @ model.encode_text().T).numpy()
        found = read_inspection(run, 4)
        np.testing.assert_allclose(found.parts[part].cosines["after"], cosines, atol=1e-5)
        np.testing.assert_allclose(read_features(run, part, 4)[:], features.numpy(), atol=1e-5)
        assert (found.step, found.final) == (4, 6)


def test_the_first_and_last_step_are_scored_by_the_run_itself(run):
    first, last = read_inspection(run, 0), read_inspection(run)
    part = first.parts["pool"]
    np.testing.assert_array_equal(part.cosines["before"], part.cosines["after"])
    assert last.step == last.final == 6
    cosines = last.parts["pool"].cosines["after"][:]
    score_checkpoints(run, [6])  # scoring the last step again gives the same result
    again = read_inspection(run)
    np.testing.assert_allclose(again.parts["pool"].cosines["after"], cosines, atol=1e-6)


def test_canceling_keeps_only_completed_steps(run):
    def cancel_in_the_second():
        if (run.path / "scored" / "000002.safetensors").exists():
            raise Cancelled

    with pytest.raises(Cancelled):
        score_checkpoints(run, [2, 4], check=cancel_in_the_second)
    assert unscored_steps(run) == [4]
    assert [p.name for p in (run.path / "scored").iterdir()] == ["000002.safetensors"]
