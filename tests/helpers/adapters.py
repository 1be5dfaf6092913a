"""Deltas made without a run: a stock model whose adaptable part is moved at random."""

from pathlib import Path

import torch

from ueo_core.config.settings import Settings
from ueo_core.inference.adapter_file import describe
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP, save_adapter

CLASSES = ["star", "fish", "wild_cat"]
THRESHOLD = 0.335


def write_adapter(
    path: Path, backbone: str, pretrained: str | None = None, shift: float = 0.1, **changes
) -> AdaptedCLIP:
    """Write the delta of a model as a run would; `changes` replace metadata. → the model, adapted"""
    loaded = backbones.load(backbone, pretrained, "cpu")
    model = AdaptedCLIP(loaded, CLASSES)
    g = torch.Generator().manual_seed(1)
    adapter = {
        k: v * (1 + shift * torch.randn(v.shape, generator=g)) for k, v in model.adapter().items()
    }
    model.load_adapter(adapter)
    settings = Settings.for_backbone(backbone, pretrained=pretrained)
    config = {
        "title": "a run",
        "versions": {"torch": torch.__version__},
        "settings": settings.to_json(),
        "pool": {"name": "photos", "fingerprint": "f" * 64, "n": 10, "set": "s", "store": "s"},
    }
    result = {"step": 4, "score": "mcm", "threshold": THRESHOLD, "metrics": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_adapter(path, model.adapter(), describe(model, config, result) | changes)
    return model
