"""Chooses the learning rate without labels: a short ladder of rates, the worse ones dropped early.

Source: successive halving, Jamieson & Talwalkar, *Non-stochastic Best Arm Identification and
Hyperparameter Optimization*, AISTATS 2016; the evidence takes the place of a validation score.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import SETTINGS, Settings
from ueo_core.data.transforms import ModelInputs
from ueo_core.evaluation.evidence import criteria
from ueo_core.evaluation.selection import STRIDES, remaining, rungs, winner
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import CROPS, adapt, image_features
from ueo_core.training.pool_evidence import PoolEvidence

PROBED, DRAWS = 48, 2  # images and directions from which the ladder's rates are computed
NUDGE = 3e-3  # length of a direction, as a share of the parameters' norm


@dataclass(frozen=True)
class Trial:
    """One rate, trained for some of a run's steps."""

    lr: float
    step: int
    criteria: dict[str, float] | None  # of evidence.CRITERIA; None: it diverged

    def to_json(self) -> dict:
        return asdict(self)


@torch.no_grad()
def ladder_rates(model: AdaptedCLIP, views: ModelInputs, settings: Settings) -> list[float]:
    """The rates to try, ascending: STRIDES over the mean squared gradient of a logit.

    E‖∂z/∂θ‖² is estimated from how far the logits of some images move when the trained parameters
    are moved in random directions. The model is left as it was.
    """
    g = np.random.default_rng([settings.seed, CROPS])
    images = np.sort(g.permutation(len(views))[:PROBED])
    parameters = model.select(settings.trained)
    count = sum(p.numel() for p in parameters)
    length = NUDGE * math.sqrt(sum(float(p.square().sum()) for p in parameters))
    noise = torch.Generator().manual_seed(settings.seed)

    def logits() -> Tensor:
        features = image_features(model, views, indices=images)
        return model.logit_scale * model.cosines(features, model.encode_text().cpu())

    before, moved = logits(), 0.0
    start = model.adapter_copy()
    for _ in range(DRAWS):
        for p in parameters:
            step = torch.randn(p.shape, generator=noise) * length / math.sqrt(count)
            p.add_(step.to(p.device, p.dtype))
        moved += float((logits() - before).square().mean())
        model.load_adapter(start)
    for p in parameters:
        p.requires_grad_(False)
    gradient = count * moved / DRAWS / length**2
    highest = SETTINGS["lr"].high or math.inf
    rates = [float(f"{stride / gradient:.2g}") for stride in STRIDES] if gradient else []
    return [rate for rate in rates if 0 < rate <= highest]


def search(
    model: AdaptedCLIP,
    views: ModelInputs,
    zero_shot: Tensor,
    confidence: Tensor,
    settings: Settings,
    pool: PoolEvidence,
    rates: Sequence[float],
    start: Tensor | None = None,
    known: Sequence[Trial] = (),
    on_step: Callable[[int, int], object] = lambda done, total: None,
) -> Iterator[Trial]:
    """Try the rates on the first quarter of a run, yielding every trial; `chosen_rate` reads them.

    zero_shot: (N, C) cosines of the pool; confidence, start: as `loop.adapt` takes them; known: trials
    of an interrupted search, which are not done again. on_step(done, total) is called after every step
    and may raise. Every trial is the beginning of the run at that rate, to the last bit. The model
    is left at zero-shot.
    """
    # In a very short run both rungs are one step.
    steps = sorted(set(rungs(steps_in_all(len(views), settings))))
    done, live = 0, list(rates)
    kept: dict[float, tuple[int, dict[str, Tensor]]] = {}  # steps taken, and the adapter
    before = {(t.lr, t.step): t for t in known}
    total = len(rates) * steps[-1]
    for rung, last in enumerate(steps):
        found = {}
        for lr in live:
            trial = before.get((lr, last))
            if trial is None:
                first, adapter = kept.get(lr, (0, model.original))
                if METHODS[settings.method].memory:  # cannot be continued
                    first, adapter = 0, model.original

                def tell(step: int, begun: int = done - first, total: int = total) -> None:
                    on_step(begun + step, total)

                model.load_adapter(adapter)
                finite = _train(
                    model, views, confidence, settings.changed(lr=lr), first, last, start, tell
                )
                measured = pool.measure(zero_shot, confidence) if finite else None
                kept[lr] = last, model.adapter_copy()
                trial = Trial(lr, last, criteria(measured) if measured else None)
                yield trial
            done += last - (steps[rung - 1] if rung else 0)
            found[lr] = trial.criteria
        live = remaining(found)
        total = done + len(live) * (steps[-1] - last)
    model.reset()


def _train(
    model: AdaptedCLIP,
    views: ModelInputs,
    confidence: Tensor,
    settings: Settings,
    first: int,
    last: int,
    start: Tensor | None,
    tell: Callable[[int], object],
) -> bool:
    """Take the steps from `first` to `last`. → whether everything stayed finite"""
    try:
        for step in adapt(model, views, confidence, settings, first, start):
            tell(step.step)
            if step.step == last:
                break
    except FloatingPointError:
        return False
    return all(bool(v.isfinite().all()) for v in model.adapter().values())


def chosen_rate(trials: Sequence[Trial]) -> float | None:
    """The rate of a finished search; None if all have diverged, or there was none to try."""
    last = max((t.step for t in trials), default=0)
    return winner({t.lr: t.criteria for t in trials if t.step == last})
