"""The form of a tower: what is measured, what is chosen, and that features stay the same."""

import pytest
import torch

from tests.helpers.model_families import shrink_timm, shrunk, write_model
from ueo_core.models import backbones, measured_form
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.equality import equal_features, random_image
from ueo_core.models.measured_form import FIRST, LAST, use_layout
from ueo_core.models.measured_form import measured_form as measure

CLASSES = ["cat", "dog"]


@pytest.fixture
def convolutions(tmp_path, monkeypatch) -> AdaptedCLIP:
    """A small tower of timm whose convolutions run channels first."""
    shrink_timm(monkeypatch)
    config, weights = write_model(tmp_path / "model", shrunk("MobileCLIP-S1"))
    return AdaptedCLIP(backbones.load(str(config), str(weights), "cpu"), CLASSES)


@pytest.fixture
def times(monkeypatch) -> dict:
    """Milliseconds of each form, in place of a clock; the layout is that of the model then."""
    found = {(FIRST, "float32"): 8.0, (LAST, "float32"): 6.0, (LAST, "bfloat16"): 48.0}
    monkeypatch.setattr(
        measured_form,
        "_seconds",
        lambda model, images, precision: len(images) * found[layout_of(model), precision] / 1000,
    )
    monkeypatch.setattr(measured_form, "SECONDS", 0.0)
    monkeypatch.setattr(measured_form, "multiplies_bfloat16", lambda device: True)
    return found


def layout_of(model: AdaptedCLIP) -> str:
    kernels = [m.weight for m in model.visual.modules() if isinstance(m, torch.nn.Conv2d)]
    # A kernel of one pixel or one channel is the same either way.
    telling = [w for w in kernels if w.shape[1] > 1 and w.shape[2] > 1]
    first = {w.is_contiguous() for w in telling}
    assert len(first) == 1
    return FIRST if first.pop() else LAST


def test_the_faster_layout_and_format_are_chosen_and_the_model_is_left_in_them(convolutions, times):
    found = measure(convolutions, "auto")
    assert found == {
        "layout": LAST,
        "precision": "float32",
        "ms": {FIRST: 8.0, LAST: 6.0, "float32": 6.0, "bfloat16": 48.0},
    }
    assert layout_of(convolutions) == LAST
    times[LAST, "bfloat16"] = 3.0
    use_layout(convolutions, FIRST)
    assert measure(convolutions, "auto")["precision"] == "bfloat16"


def test_a_gain_within_the_noise_changes_nothing(convolutions, times):
    times |= {(LAST, "float32"): 7.0, (FIRST, "bfloat16"): 7.0}
    found = measure(convolutions, "auto")
    assert (found["layout"], found["precision"]) == (FIRST, "float32")
    assert layout_of(convolutions) == FIRST


def test_a_setting_is_obeyed_and_a_tower_with_a_layout_of_its_own_keeps_it(
    convolutions, times, tiny
):
    for precision in ("float32", "bfloat16"):
        use_layout(convolutions, FIRST)
        assert "precision" not in measure(convolutions, precision)
        assert measure(AdaptedCLIP(tiny, CLASSES), precision) == {}


def test_without_bfloat16_in_the_processor_it_is_not_tried(convolutions, times, monkeypatch):
    monkeypatch.setattr(measured_form, "multiplies_bfloat16", lambda device: False)
    del times[LAST, "bfloat16"]
    assert "precision" not in measure(convolutions, "auto")


def test_a_teaching_model_keeps_float32(monkeypatch):
    monkeypatch.setattr(measured_form, "multiplies_bfloat16", lambda device: True)
    monkeypatch.setattr(measured_form, "_seconds", lambda model, images, precision: 1.0)
    assert measure(AdaptedCLIP(backbones.load("drawings-vit", None, "cpu"), CLASSES), "auto") == {}


def test_a_measurement_leaves_the_model_as_it_was(convolutions, monkeypatch):
    monkeypatch.setattr(measured_form, "SECONDS", 0.0)
    monkeypatch.setattr(measured_form, "multiplies_bfloat16", lambda device: True)
    backbone = convolutions.backbone.model.visual
    image = random_image(backbone)
    kernels = [
        m.weight.is_contiguous() for m in backbone.modules() if isinstance(m, torch.nn.Conv2d)
    ]
    with torch.no_grad():
        before = convolutions.encode_image(image)
    adapter = convolutions.adapter_copy()
    trains = [p.requires_grad for p in convolutions.parameters()]
    found = measure(convolutions, "auto")
    assert set(found["ms"]) == {FIRST, LAST, "float32", "bfloat16"}
    assert all(0 < ms < 1e5 for ms in found["ms"].values())
    assert [p.requires_grad for p in convolutions.parameters()] == trains
    assert all(p.grad is None for p in convolutions.parameters())
    assert all(torch.equal(v, adapter[k]) for k, v in convolutions.adapter().items())
    for layout in (FIRST, LAST):
        use_layout(convolutions, layout)
        with torch.no_grad():
            assert equal_features(convolutions.encode_image(image), before)
    # The backbone is shared with other models.
    assert kernels == [
        m.weight.is_contiguous() for m in backbone.modules() if isinstance(m, torch.nn.Conv2d)
    ]
