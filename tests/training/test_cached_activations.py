"""Quick mode: one pass over the images, and an adapter that fits the whole model."""

import numpy as np
import pytest
import torch

from tests.conftest import Arrays
from tests.training.test_loop import CLASSES, adapter_after, same, settings
from tests.workspace.test_dataset import store_images
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP, read_adapter
from ueo_core.models.frozen_trunk import ClassTokenTail
from ueo_core.runs.create import create_run
from ueo_core.runs.worker import execute, open_image_set
from ueo_core.training.cached_activations import CachedActivations
from ueo_core.training.loop import image_features
from ueo_core.utils import memory
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import runs_root


def quick(tiny, n: int = 12) -> tuple[AdaptedCLIP, CachedActivations]:
    model = AdaptedCLIP(tiny, CLASSES, mode="quick")
    return model, CachedActivations(Views(Arrays(n), tiny), model, "float32")


def test_every_image_passes_the_tower_once(tiny, monkeypatch):
    model, cached = quick(tiny)
    passed = []
    head = type(model.tail).head
    monkeypatch.setattr(
        type(model.tail), "head", lambda self, x: passed.append(len(x)) or head(self, x)
    )
    calls = []
    cached.on_batch = calls.append
    image_features(model, cached)
    adapter_after(model, cached, torch.full((12,), 0.5), settings(epochs=3))
    image_features(model, cached)
    assert sum(passed) == 12 and calls[-1] == 12


def test_it_trains_the_prompt_and_the_last_norms_and_the_adapter_fits_the_whole_model(tiny):
    model, cached = quick(tiny)
    before = {k: v.clone() for k, v in model.adapter().items()}
    after = adapter_after(model, cached, torch.full((12,), 0.5), settings(lr=100.0))
    moved = {k for k in after if not torch.equal(after[k], before[k])}
    tail = {id(p) for norm in model.tail.norms for p in (norm.weight, norm.bias)}
    assert moved == {"context"} | {k for k, p in model.affine().items() if id(p) in tail}
    features = image_features(model, cached)
    model.reset()
    whole = AdaptedCLIP(tiny, CLASSES)
    whole.load_adapter(after)
    torch.testing.assert_close(image_features(whole, cached.views), features, atol=1e-5, rtol=1e-4)


def test_it_is_deterministic_and_resumes_bit_for_bit(tiny):
    model, cached = quick(tiny)
    weights = torch.linspace(0.3, 0.9, 12)
    first = adapter_after(model, cached, weights, settings())
    model.reset()
    half = adapter_after(model, cached, weights, settings(), upto=3)
    model.reset()
    model, cached = quick(tiny)
    model.load_adapter(half)
    assert same(first, adapter_after(model, cached, weights, settings(), done=3))


def test_a_whole_quick_run_passes_each_image_once_and_predicts_as_the_whole_model_does(
    tiny_files, monkeypatch
):
    config, weights = (str(p) for p in tiny_files["vit"])
    chosen = Settings(
        backbone=config,
        pretrained=weights,
        epochs=3,
        batch_size=4,
        lr=5.0,
        device="cpu",
        mode="quick",
    )
    pool, test = store_images([f"{i}.png" for i in range(6)]), store_images(["t/7.png", "t/8.png"])
    passed = []
    head = ClassTokenTail.head
    monkeypatch.setattr(
        ClassTokenTail, "head", lambda self, x: passed.append(len(x)) or head(self, x)
    )
    run = create_run(runs_root() / "r", chosen, ["key", "fish"], pool, holdout=test)
    assert execute(run)["state"] == "finished"
    # An image of noise that tries the split, pool, test set, and the crops of the safety check.
    assert passed == [1, 6, 2, 6]
    adapter, _ = read_adapter(run.path / "delta.safetensors")
    whole = AdaptedCLIP(backbones.load(config, weights, "cpu"), ["key", "fish"])
    assert any(not torch.equal(v, adapter[k]) for k, v in whole.adapter().items())
    whole.load_adapter(adapter)
    views = Views(open_image_set(pool, whole.backbone.store_side), whole.backbone)
    cosines = image_features(whole, views) @ whole.encode_text().detach().T
    torch.testing.assert_close(run.tensors("adapted")["pool_cosines"], cosines, atol=1e-5, rtol=0)


def test_rows_can_be_read_in_any_order(tiny):
    model, cached = quick(tiny, 5)
    rows = cached.rows
    assert torch.equal(cached.evaluation([3, 1]), rows[[3, 1]])
    assert torch.equal(cached.training([4], np.random.default_rng(0)), rows[[4]])
    assert torch.equal(torch.cat(list(cached.batches(2))), rows)
    assert torch.equal(torch.cat(list(cached.batches(2, [4, 0, 2]))), rows[[4, 0, 2]])


def test_too_many_activations_for_the_memory_are_an_error(tiny, monkeypatch):
    _, cached = quick(tiny)
    monkeypatch.setattr("ueo_core.training.cached_activations.memory_of", lambda device: 100)
    with pytest.raises(UserError, match="use fewer images, or the full mode"):
        _ = cached.rows
    assert memory.SHARE < 1


def test_a_model_in_full_mode_has_no_activations_to_cache(tiny):
    model = AdaptedCLIP(tiny, CLASSES)
    with pytest.raises(ValueError, match="quick mode"):
        CachedActivations(Views(Arrays(2), tiny), model, "float32")
