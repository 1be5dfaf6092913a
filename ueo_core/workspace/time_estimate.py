"""How long a run will take, estimated from a few of its own steps."""

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.config.settings import Settings
from ueo_core.data.subset import Subset
from ueo_core.data.transforms import Views
from ueo_core.evaluation.guard_rule import IMAGES, draws_of, rate_hint
from ueo_core.evaluation.selection import CANDIDATES, STRIDES, search_steps
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.backbones import Backbone
from ueo_core.models.measured_form import measured_form
from ueo_core.runs.scoring import PROBE
from ueo_core.training import pool_evidence
from ueo_core.training.cached_activations import CachedActivations
from ueo_core.training.loop import adapt, image_features
from ueo_core.utils.memory import reuse_freed_memory
from ueo_core.workspace.dataset import Dataset

PROBE_STEPS = 3  # timed, after one that warms up
PROBE_IMAGES = 32  # forward only


@dataclass(frozen=True)
class Estimate:
    """What a probe measured, in seconds."""

    step_seconds: float  # median of one optimizer step
    image_seconds: float  # one image, forward only
    device: str
    measured_steps: int
    change_per_rate: float  # relative change of the trained parameters by one step at rate 1

    def rate_hint(self, dataset: Dataset, settings: Settings) -> str:
        """A sentence on a learning rate that looks too low or too high, else nothing."""
        if settings.automatic:
            return ""
        steps = steps_in_all(dataset.pool["n"], settings)
        return rate_hint(self.change_per_rate * settings.rate, steps)

    def run_seconds(self, dataset: Dataset, settings: Settings) -> float:
        """A whole run, without loading the model: its steps and the scoring around them."""
        steps = steps_in_all(dataset.pool["n"], settings)
        steps += search_steps(steps) if settings.automatic else 0
        return steps * self.step_seconds + forward_images(dataset, settings) * self.image_seconds


def forward_images(dataset: Dataset, settings: Settings) -> int:
    """How many images a run encodes outside its steps: all before and after, a probe between epochs.

    In quick mode each image and each crop passes the tower once, and the rest takes almost no time. Else
    the safety check measures zero-shot and the last epoch, and blends if needed; a run that chooses its
    rate measures every model that it compares.
    """
    pool, holdout = dataset.pool["n"], dataset.holdout["n"] if dataset.holdout else 0
    if settings.automatic:
        images = min(pool_evidence.IMAGES, pool)
        crops = pool_evidence.DRAWS * min(pool_evidence.CROPPED, pool)
        # Zero-shot, the trials of all rates and of half of them, points of the run, two averages.
        models = 3 + len(STRIDES) + -(-len(STRIDES) // 2) + min(CANDIDATES, settings.epochs)
    else:
        images, models = 0, 2
        crops = draws_of(settings.mode) * min(IMAGES, pool) if settings.guard else 0
    if settings.mode == "quick":
        return pool + holdout + crops
    # A probe of the pool is among the images of a point.
    points = CANDIDATES if settings.automatic and not holdout else 0
    between = min(PROBE, holdout or pool) * max(0, settings.epochs - 1 - points)
    return models * (images + crops) + 2 * (pool + holdout) + between


def estimate_time(
    dataset: Dataset, settings: Settings, check: Callable[[], None] = lambda: None
) -> Estimate:
    """Load the backbone, take a few real steps on the pool and discard the result.

    Raises what a run would: UserError for a backbone that cannot be loaded or class names
    that do not fit. `check` is called between the parts and may raise to leave early.
    """
    backbone = backbones.load(settings.backbone, settings.pretrained, settings.device)
    check()
    with reuse_freed_memory(backbone.device):  # as a run does
        return _probe(dataset, settings, backbone, check)


def _probe(
    dataset: Dataset, settings: Settings, backbone: Backbone, check: Callable[[], None]
) -> Estimate:
    def adapted(mode: str) -> AdaptedCLIP:
        return AdaptedCLIP(
            backbone,
            list(dataset.classes),
            settings.prompt,
            mode,
            settings.templates,
            dataset.synonyms,
        )

    model = adapted("full")
    model.texts.check_distinct(backbone)
    pool = dataset.images("pool", backbone.store_side)
    first = Subset(pool, range(min(PROBE_IMAGES, len(pool))))
    few = Views(first, backbone, settings.crop_scale, settings.flip)
    features = image_features(model, few)  # the first call allocates
    began = time.perf_counter()
    image_features(model, few)
    image_seconds = (time.perf_counter() - began) / len(few)
    check()
    views: Views | CachedActivations
    if settings.mode == "quick":
        model = adapted(settings.mode)
        batch = Subset(pool, range(min(settings.batch_size, len(pool))))
        views = CachedActivations(Views(batch, backbone), model, settings.precision)
    else:
        views = Views(pool, backbone, settings.crop_scale, settings.flip)
    # Equal weights and repeated features: what they are does not change how long a step takes.
    confidence = torch.ones(len(views))
    start = features[torch.arange(len(views)) % len(few)]
    times, rates = [], 0.0
    # Any rate does: the parameters are discarded.
    timed = settings.changed(lr=Settings.lr) if settings.automatic else settings
    form = measured_form(model, settings.precision)
    timed = timed.changed(precision=form.get("precision", settings.precision))
    probe = adapt(model, views, confidence, timed, start=start)
    for step in itertools.islice(probe, 1 + PROBE_STEPS):
        times.append(step.seconds)
        rates += step.lr
        check()
    times = times[1:] or times
    return Estimate(
        step_seconds=statistics.median(times),
        image_seconds=image_seconds,
        device=str(model.device),
        measured_steps=len(times),
        change_per_rate=model.change() / rates if rates else 0.0,
    )
