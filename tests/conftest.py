"""Shared pieces of the tests: small models and images that the tests make themselves."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach for the network

import json
from functools import cache

import torch

if not torch.cuda.is_available():  # Triton's kernels run on the CPU, one program after another
    os.environ.setdefault("TRITON_INTERPRET", "1")

import numpy as np
import open_clip
import pytest
from hypothesis import settings
from open_clip.model import CLIP
from safetensors.torch import save_file

from ueo_core.evaluation import selection
from ueo_core.models import backbones

# The same examples in every run, so that a change lands by what it does; HYPOTHESIS_PROFILE=default draws
# new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
TINY_RESNET = TINY | {
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16}
}


needs_cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]


class Arrays:
    """Random pixels in memory, with nothing but pixels."""

    def __init__(self, n: int, seed: int = 0, size: tuple[int, int] = (40, 48)):
        g = np.random.default_rng(seed)
        self.arrays = [g.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(n)]

    def __len__(self) -> int:
        return len(self.arrays)

    def pixels(self, i: int) -> np.ndarray:
        return self.arrays[i]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Every test has a home of its own, so that none touches the user's runs and images."""
    monkeypatch.setenv("UEO_STUDIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def any_pool(monkeypatch):
    """Evidence decides on every pool and however little it differs; random models tell no images apart."""
    monkeypatch.setattr(selection, "FEW_DIFFERENCES", -1.0)
    monkeypatch.setattr(selection, "MORE_EVIDENCE", 0.0)
    monkeypatch.setattr(selection, "MORE_CONSISTENCY", -9.0)


@pytest.fixture(scope="session")
def demo():
    """Learn's demo: a teaching model on the built-in problem. No test leaves it changed."""
    from ueo_core.drawings.sample import problem
    from ueo_core.learn.demo import open_demo

    return open_demo("drawings-resnet", problem())


@pytest.fixture(scope="session")
def trajectories():
    """Learn's triangle: the trajectories of a preset on 24 batches. → function of the preset's key

    A general statement must hold on all of them, or on most.
    """
    from ueo_core.learn.simplex import simulate
    from ueo_core.learn.triangle_settings import PRESETS

    return cache(
        lambda preset: [simulate(PRESETS[preset].settings.with_seed(s)) for s in range(24)]
    )


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory):
    """Config and checkpoint of a tiny open_clip ViT and ResNet. → {"vit"|"resnet": (json, safetensors)}"""
    folder, files = tmp_path_factory.mktemp("tiny"), {}
    for name, config in (("vit", TINY), ("resnet", TINY_RESNET)):
        torch.manual_seed(3)
        model = CLIP(**config)
        for module in model.visual.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                # open_clip begins residual branches at zero, where inner norms get no gradient.
                torch.nn.init.normal_(module.weight, 1.0, 0.2)
                torch.nn.init.normal_(module.bias, 0.0, 0.2)
        path, weights = folder / f"tiny-{name}.json", folder / f"tiny-{name}.safetensors"
        path.write_text(json.dumps(config))
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, weights)
        files[name] = path, weights
    return files


@pytest.fixture(params=["vit", "resnet"])
def tiny(request, tiny_files) -> backbones.Backbone:
    """A freshly loaded tiny backbone."""
    config, weights = tiny_files[request.param]
    return backbones.load(str(config), str(weights), "cpu")


@pytest.fixture(scope="session")
def real_checkpoint(tmp_path_factory):
    """Makes a random checkpoint of a named open_clip architecture. → function name → path"""
    folder = tmp_path_factory.mktemp("real")

    def make(name: str):
        path = folder / f"{name}.safetensors"
        if not path.exists():
            torch.manual_seed(0)
            model = open_clip.create_model(name)
            save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
        return path

    return make
