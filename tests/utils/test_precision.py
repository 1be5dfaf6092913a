"""Precision: bfloat16 stays near float32, float32 masters stay float32, auto depends on the device."""

import pytest
import torch

from tests.training.test_loop import adapter_after, ready, same, settings
from ueo_core.training.loop import adapt
from ueo_core.utils import precision
from ueo_core.utils.errors import UserError


def test_auto_depends_on_the_hardware():
    cpu = torch.device("cpu")
    assert precision.resolve_precision("auto", cpu) == "float32"
    assert precision.resolve_precision("float32", cpu) == "float32"
    assert precision.resolve_precision("bfloat16", cpu) == "bfloat16"
    assert precision.resolve_precision("auto", torch.device("mps")) == "float32"
    with pytest.raises(UserError, match="precision"):
        settings(precision="float16")


def test_bfloat16_changes_features_a_little_and_keeps_masters_in_float32(tiny):
    model, views, weights = ready(tiny)
    with precision.tower_autocast("bfloat16", model.device), torch.no_grad():
        short = model.encode_image(views.evaluation(range(12))), model.encode_text()
    with torch.no_grad():
        full = model.encode_image(views.evaluation(range(12))), model.encode_text()
    for a, b in zip(short, full, strict=True):
        assert a.dtype == torch.float32
        assert 0 < float((a - b).norm(dim=1).max()) < 0.05  # of unit length
    steps = list(adapt(model, views, weights, settings(precision="bfloat16")))
    assert {v.dtype for v in model.adapter().values()} == {torch.float32}
    model.reset()
    exact = list(adapt(model, views, weights, settings()))
    assert steps[0].loss == pytest.approx(exact[0].loss, abs=0.05)
    assert steps[0].loss != exact[0].loss


def test_the_precision_of_a_place_is_that_of_the_context_around_it():
    cpu = torch.device("cpu")
    for name in ("float32", "bfloat16"):
        with precision.tower_autocast(name, cpu):
            assert precision.precision_here(cpu) == name
    assert precision.precision_here(cpu) == "float32"


def test_bfloat16_is_as_deterministic_as_float32(tiny):
    model, views, weights = ready(tiny)
    chosen = settings(precision="bfloat16")
    first = adapter_after(model, views, weights, chosen)
    model.reset()
    half = adapter_after(model, views, weights, chosen, upto=2)
    model.reset()
    model.load_adapter(half)
    assert same(first, adapter_after(model, views, weights, chosen, done=2))
