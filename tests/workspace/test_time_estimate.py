"""The estimate: its counts are those of a real run, its probe leaves nothing behind."""

import pytest
import torch

from tests.workspace.test_dataset import take_in
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
    pool = take_in([f"{i}.png" for i in range(6)])
    test = take_in([f"t/{i}.png" for i in range(40, 43)])
    return create_dataset("d", pool, holdout=test, classes=["key", "fish"])


@pytest.fixture
def settings(tiny_files):
    config, weights = (str(p) for p in tiny_files["vit"])
    return Settings(
        backbone=config, pretrained=weights, epochs=2, batch_size=4, lr=0.1, device="cpu"
    )


def test_counts_are_those_of_a_real_run(dataset, settings, monkeypatch):
    from ueo_core.models.adapted_clip import AdaptedCLIP

    seen = {"step": 0, "forward": 0}
    real = AdaptedCLIP.encode_image

    def counted(self, images):
        seen["step" if torch.is_grad_enabled() else "forward"] += len(images)
        return real(self, images)

    monkeypatch.setattr(AdaptedCLIP, "encode_image", counted)
    # Where the guard goes on looking depends on what it sees; a look is counted below.
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


def test_the_probe_refuses_what_a_run_refuses(dataset, settings):
    with pytest.raises(UserError, match="no such"):
        estimate_time(dataset, settings.changed(backbone="RN999", pretrained=None))
    with pytest.raises(UserError, match="shorter name"):
        estimate_time(dataset.changed(classes=["key", "long " * 40]), settings)


def test_the_probe_can_be_left(dataset, settings):
    class Left(Exception):
        pass

    def leave():
        raise Left

    with pytest.raises(Left):
        estimate_time(dataset, settings, leave)


def test_the_machine_names_what_is_here():
    machine = this_machine()
    assert machine.cores >= 1
    assert {b["name"] for b in machine.backbones} >= {"drawings-resnet", "RN50-quickgelu"}
    assert all(b["available"] for b in machine.here)
    assert len(machine.here) <= len(machine.backbones)


def test_a_rate_too_low_or_too_high_is_hinted_at_before_the_run(dataset, settings):
    measured = estimate_time(dataset, settings)
    assert measured.change_per_rate > 0
    assert "hardly anything" in measured.rate_hint(dataset, settings.changed(lr=1e-12))
    assert "Use a lower rate" in measured.rate_hint(dataset, settings.changed(lr=100))
    assert not measured.rate_hint(dataset, settings.changed(lr=0.1 / measured.change_per_rate / 12))
