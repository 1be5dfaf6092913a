"""Library calls leave the process as it is: allocator, threads, generators, logging, warnings."""

import logging
import random
import warnings

import numpy as np
import pytest
import sklearn.preprocessing  # noqa: F401 (its first import loads rich, which draws a random number)
import torch

from tests.conftest import Arrays
from tests.helpers.adapters import write_adapter
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.inference.adapter_file import read_adapter_file
from ueo_core.inference.predict import cosines, load_model
from ueo_core.methods.build_loss import feature_method
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.cached_activations import CachedActivations
from ueo_core.training.guard import safety_check
from ueo_core.training.loop import adapt, image_features
from ueo_core.utils import memory

CLASSES = ["dog", "cat", "house"]


def process_state() -> dict:
    """What code could change for the whole process."""
    loggers = [logging.getLogger(name) for name in ("", "huggingface_hub", "open_clip", "ueo_core")]
    return {
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype": torch.get_default_dtype(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "matmul": torch.get_float32_matmul_precision(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "torch generator": torch.get_rng_state().numpy().tobytes(),
        "numpy generator": str(np.random.get_state()),  # noqa: NPY002 (the global one)
        "python generator": random.getstate(),
        "warnings": list(warnings.filters),
        "logging": [(x.level, list(x.handlers), list(x.filters), x.disabled) for x in loggers],
        "errors": np.geterr(),
    }


@pytest.fixture
def unchanged(monkeypatch):
    """Fails when the test has changed the process."""
    allocator = []
    monkeypatch.setattr(memory, "_set_allocator", allocator.append)
    before = process_state()
    yield
    after = process_state()
    assert [k for k in before if before[k] != after[k]] == []
    assert allocator == []


@pytest.mark.parametrize("mode", ["full", "quick"])
def test_loading_training_and_checking(tiny_files, unchanged, mode):
    config, weights = tiny_files["vit"]
    backbone = backbones.load(str(config), str(weights), "cpu")
    model = AdaptedCLIP(backbone, CLASSES, mode=mode)
    views = Views(Arrays(6), backbone)
    if mode == "quick":
        views = CachedActivations(views, model, "float32")
    before = model.cosines(image_features(model, views)).detach()
    settings = Settings(epochs=2, batch_size=3, device="cpu", mode=mode)
    for _ in adapt(model, views, torch.full((6,), 0.5), settings):
        pass
    after = model.cosines(image_features(model, views)).detach()
    safety_check(model, views, before, after, seed=0, batch=3)


def test_leaving_a_training_loop_early(tiny, unchanged):
    model = AdaptedCLIP(tiny, CLASSES)
    steps = adapt(model, Views(Arrays(6), tiny), torch.full((6,), 0.5), Settings(batch_size=3))
    next(steps)
    steps.close()
    assert not any(p.requires_grad for p in model.parameters())


def test_prediction_with_an_adapter_file(tiny_files, tmp_path, unchanged):
    path = tmp_path / "adapter.safetensors"
    write_adapter(path, *(str(file) for file in tiny_files["vit"]))
    assert cosines(load_model(read_adapter_file(path), "cpu"), Arrays(3)).shape[0] == 3


@pytest.mark.parametrize("method", [n for n in METHODS if n not in ("ueo", "infomax", "entmin")])
def test_the_baselines(tiny, unchanged, method):
    model, views = AdaptedCLIP(tiny, CLASSES), Views(Arrays(6), tiny)
    features = image_features(model, views)
    settings = Settings(method=method, epochs=2, batch_size=3, device="cpu")
    if METHODS[method].on_features:
        feature_method(method)(model, features, features[:2], settings, lambda: None)
    else:
        list(adapt(model, views, torch.full((6,), 0.5), settings, start=features))
