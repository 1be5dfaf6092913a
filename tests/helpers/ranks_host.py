"""A piece of work on several processes, for tests: `python -m tests.helpers.ranks_host CONFIG OUT`.

CONFIG: JSON with the settings, classes and image sets; OUT: what the first process computed, as npz. Without
torchrun it is computed by this process alone.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from ueo_core.cli.main import several
from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.data.transforms import Views
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import adapt, crop_features, image_features
from ueo_core.training.ranks import Ranks, Shared, describe, serve
from ueo_core.utils.precision import tower_autocast


def work(given: dict, ranks: Ranks | None) -> dict:
    """Features, crops, and an adaptation of uneven batches."""
    settings = Settings.from_json(given["settings"])
    backbone = backbones.load(settings.backbone, settings.pretrained, "cpu")
    model = AdaptedCLIP(backbone, given["classes"])
    images = Store(Path(given["pool"]["store"]), backbone.store_side).open(given["pool"]["set"])
    views = Views(images, backbone, settings.crop_scale, settings.flip)
    if ranks:
        ranks.tell(describe(settings, model, {"pool": given["pool"]}))
        views.shared = Shared(ranks, "pool")
    before = image_features(model, views)
    found = {
        "before": before,
        "some": image_features(model, views, 2, indices=[7, 1, 4]),
        "one": image_features(model, views, indices=[3]),
        "crops": crop_features(model, views, [2, 9, 5], (0, 3, 1)),
    }
    with tower_autocast("bfloat16", model.device):
        found["short"] = image_features(model, views)
        found["short crops"] = crop_features(model, views, [2, 9, 5], (0, 3, 1))
    confidence = (before @ model.encode_text().detach().T * model.logit_scale).softmax(1).amax(1)
    steps = list(adapt(model, views, confidence, settings, start=before))
    found["losses"] = torch.tensor([s.loss for s in steps])
    found |= model.adapter_copy()
    found["after"] = image_features(model, views)
    return {k: v.numpy() for k, v in found.items()}


def main(config: str, out: str) -> None:
    """Compute, or serve the process that does."""
    torch.set_num_threads(1)
    ranks = Ranks() if several() else None
    if ranks and ranks.rank:
        return serve(ranks)
    given = json.loads(Path(config).read_text(encoding="utf-8"))
    for name, changes in given["cases"].items():
        np.savez(
            Path(out) / f"{name}.npz",
            **work(given | {"settings": given["settings"] | changes}, ranks),
        )
    if ranks:
        ranks.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
