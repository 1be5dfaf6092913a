"""Zero-shot predictions of a dataset's photos, before any run."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ueo_core.config.settings import Settings
from ueo_core.utils.background_jobs import Job
from ueo_core.workspace.dataset import Dataset


@dataclass(frozen=True, eq=False)  # identity: holds an array
class ZeroShot:
    """What the zero-shot model says of the pool."""

    classes: tuple[str, ...]
    cosines: NDArray[np.float32]  # (N, C)
    logit_scale: float


def predict_zero_shot(job: Job, dataset: Dataset, settings: Settings) -> ZeroShot:
    """Predict the dataset's pool with the model as it is, by the dataset's class names.

    Features are computed once for an image set and a model, so that other names need only their
    texts. UserError when the model, its images or a name cannot be used.
    """
    from ueo_core.inference.predict import zero_shot
    from ueo_core.models.adapted_clip import AdaptedCLIP
    from ueo_core.utils.memory import reuse_freed_memory

    backbone = _backbone(settings.backbone, settings.pretrained, settings.device)
    job.check()
    images = dataset.images("pool", backbone.store_side)
    model = AdaptedCLIP(
        backbone,
        list(dataset.classes),
        settings.prompt,
        templates=settings.templates,
        synonyms=dataset.synonyms,
    )
    model.texts.check_distinct(backbone)

    def on_batch(done: int) -> None:
        job.advance(done, len(images))

    with reuse_freed_memory(model.device):
        features, texts = zero_shot(model, images, on_batch)
        cosines = model.cosines(features, texts).numpy()
    return ZeroShot(dataset.classes, cosines, model.logit_scale)


@lru_cache(maxsize=1)  # names are changed several times; loading a large model takes seconds
def _backbone(name: str, pretrained: str | None, device: str):
    from ueo_core.models import backbones

    return backbones.load(name, pretrained, device)


def forget_model() -> None:
    """Free the memory of the model that was used last."""
    _backbone.cache_clear()
