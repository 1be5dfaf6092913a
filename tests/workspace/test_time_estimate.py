"""The time estimate: its counts are those of a real run, and its probe writes nothing."""

import pytest
import torch

from tests.workspace.test_dataset import store_images
from ueo_core.config.settings import Settings
from ueo_core.evaluation.guard_rule import DRAWS
from ueo_core.models.hardware import this_machine
from ueo_core.runs.create import create_run
from ueo_core.runs.worker import execute
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import runs_root
from ueo_core.workspace.dataset import create_dataset, open_dataset
from ueo_core.workspace.time_estimate import Estimate, estimate_time, forward_images


@pytest.fixture
def dataset():
    pool = store_images([f"{i}.png" for i in range(6)])
    test = store_images([f"t/{i}.png" for i in range(40, 43)])
    return create_dataset("d", pool, holdout=test, classes=["key", "fish"])


@pytest.fixture
def settings(tiny_files):
    config, weights = (str(p) for p in tiny_files["vit"])
    return Settings(
        backbone=config, pretrained=weights, epochs=2, batch_size=4, lr=0.1, device="cpu"
    )


def test_image_counts_are_those_of_a_real_run(dataset, settings, monkeypatch):
    from ueo_core.models.adapted_clip import AdaptedCLIP

    seen = {"step": 0, "forward": 0}
    real = AdaptedCLIP.encode_image

    def counted(self, images):
        seen["step" if torch.is_grad_enabled() else "forward"] += len(images)
        return real(self, images)

    monkeypatch.setattr(AdaptedCLIP, "encode_image", counted)
    # How long the safety check measures depends on its results; one measurement is counted below.
    settings = settings.changed(guard=False)
    run = create_run(
        runs_root() / "r", settings, ["key", "fish"], dataset.pool, holdout=dataset.holdout
    )
    assert execute(run)["state"] == "finished"
    assert seen["forward"] == forward_images(dataset, settings)
    assert seen["step"] == 2 * 6
    with_guard = forward_images(dataset, settings.changed(guard=True))
    assert with_guard - seen["forward"] == 2 * DRAWS * dataset.pool["n"]
    measured = Estimate(10, 1, "cpu", measured_steps=1, change_per_rate=1e-3)
    assert measured.run_seconds(dataset, settings) == run.state["steps"] * 10 + seen["forward"]


def test_the_probe_takes_real_steps_and_makes_no_run(dataset, settings):
    measured = estimate_time(dataset, settings)
    assert measured.step_seconds > 0 and measured.image_seconds > 0
    assert measured.measured_steps == 3 and measured.device == "cpu"
    assert not runs_root().exists()
    assert open_dataset(dataset.id) == dataset


def test_the_probe_raises_the_errors_of_a_run(dataset, settings):
    with pytest.raises(UserError, match="no such"):
        estimate_time(dataset, settings.changed(backbone="RN999", pretrained=None))
    with pytest.raises(UserError, match="shorter name"):
        estimate_time(dataset.changed(classes=["key", "long " * 40]), settings)


def test_the_probe_can_be_canceled(dataset, settings):
    class Left(Exception):
        pass

    def leave():
        raise Left

    with pytest.raises(Left):
        estimate_time(dataset, settings, leave)


def test_the_machine_lists_its_backbones():
    machine = this_machine()
    assert machine.cores >= 1
    assert {b["name"] for b in machine.backbones} >= {"drawings-resnet", "RN50-quickgelu"}
    assert all(b["available"] for b in machine.here)
    assert len(machine.here) <= len(machine.backbones)


def test_a_hint_about_a_learning_rate_that_is_too_low_or_too_high(dataset, settings):
    measured = estimate_time(dataset, settings)
    assert measured.change_per_rate > 0
    assert "hardly anything" in measured.rate_hint(dataset, settings.changed(lr=1e-12))
    assert "Use a lower rate" in measured.rate_hint(dataset, settings.changed(lr=100))
    assert not measured.rate_hint(dataset, settings.changed(lr=0.1 / measured.change_per_rate / 12))
