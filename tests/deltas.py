"""Deltas made without a run: a stock model whose adaptable part is moved at random."""

from pathlib import Path

import torch

import ueo_core as core
from ueo_core import backbones
from ueo_core.adapted import AdaptedCLIP, save_delta
from ueo_core.offered import describe

CLASSES = ["star", "fish", "wild_cat"]
THRESHOLD = 0.335


def write_delta(
    path: Path, backbone: str, pretrained: str | None = None, shift: float = 0.1, **changes
) -> AdaptedCLIP:
    """Write the delta of a model as a run would; `changes` replace metadata. → the model, adapted"""
    loaded = backbones.load(backbone, pretrained, "cpu")
    model = AdaptedCLIP(loaded, CLASSES)
    g = torch.Generator().manual_seed(1)
    delta = {
        k: v * (1 + shift * torch.randn(v.shape, generator=g)) for k, v in model.delta().items()
    }
    model.load_delta(delta)
    settings = core.Settings.for_backbone(backbone, pretrained=pretrained)
    config = {
        "title": "a run",
        "versions": {"torch": torch.__version__},
        "settings": settings.to_json(),
        "pool": {"name": "pile", "fingerprint": "f" * 64, "n": 10, "set": "s", "store": "s"},
    }
    result = {"step": 4, "score": "mcm", "threshold": THRESHOLD, "metrics": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_delta(path, model.delta(), describe(model, config, result) | changes)
    return model
