"""Adapts at a rate that is chosen without labels, and chooses the model along the run.

`adapt_automatically` does all of it in memory, for the Python interface and the protocol; a run does the same
in steps that can be interrupted (`runs.worker`, `runs.scoring`), with the same parts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ueo_core.config.lr_schedule import legs, split_epoch, steps_in_all
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import ModelInputs, encoded_at_once
from ueo_core.evaluation.evidence import criteria
from ueo_core.evaluation.guard_rule import Choice
from ueo_core.evaluation.selection import choose_model, measured_steps
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.ladder import Trial, chosen_rate, ladder_rates, search
from ueo_core.training.loop import Step, adapt
from ueo_core.training.pool_evidence import PoolEvidence

ZERO = "zero-shot"
Adapter = dict[str, Tensor]


@dataclass(frozen=True, eq=False)  # identity: holds tensors
class Automatic:
    """The result of `adapt_automatically`; the model is at the last step."""

    settings: Settings  # with the chosen rate
    trials: tuple[Trial, ...]
    steps: tuple[Step, ...]
    choice: Choice
    recommended: Adapter  # what the choice names


def candidate_steps(n: int, settings: Settings) -> set[int]:
    """The steps of a run over n images whose models are candidates for the recommendation."""
    leg = legs(n, settings)[-1]
    per_epoch = len(split_epoch(n, settings.batch_size))
    return measured_steps(leg.first, steps_in_all(n, settings), per_epoch)


def averages(adapters: Mapping[int, Adapter]) -> dict[str, Adapter]:
    """Averages of the models along a run, by name; none of fewer than two. adapters: by step"""
    found = {}
    for name, steps in _averaged(adapters).items():
        chosen = [adapters[s] for s in steps]
        if len(chosen) > 1:
            found[name] = {
                k: sum((a[k] for a in chosen[1:]), chosen[0][k]) / len(chosen) for k in chosen[0]
            }
    return found


def _averaged(steps: Iterable[int]) -> dict[str, list[int]]:
    """The steps whose models each average is of: all, and the later half."""
    every = sorted(steps)
    return {"average": every, "late average": every[len(every) // 2 :]}


def names_of(steps: Mapping[int, int]) -> dict[str, str]:
    """How a sentence names each candidate. steps: epoch by step, ascending"""
    last = max(steps, default=0)
    found = {ZERO: "The original (zero-shot) model"}
    found |= {str(s): f"The model after epoch {epoch} (step {s})" for s, epoch in steps.items()}
    found[str(last)] = "The last epoch"
    count = {name: len(of) for name, of in _averaged(steps).items()}
    found["average"] = f"The average of {count['average']} models along the run"
    found["late average"] = f"The average of the last {count['late average']} models along the run"
    return found


def choose(
    model: AdaptedCLIP,
    pool: PoolEvidence,
    zero_shot: Tensor,
    confidence: Tensor,
    found: Mapping[str, Mapping[str, float]],
    adapters: Mapping[int, Adapter],
    epochs: Mapping[int, int],
    on_average: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[Choice, Adapter]:
    """Measure the averages, and choose among all candidates. → the choice and its adapter

    found: criteria of zero-shot and of each measured step (as text); adapters, epochs: by step. The
    model is left at the last step.
    """
    between = averages(adapters)
    candidates, last = dict(found), max(adapters)
    for number, (name, adapter) in enumerate(between.items()):
        on_average(number * pool.encoded, len(between) * pool.encoded)
        model.load_adapter(adapter)
        candidates[name] = criteria(pool.measure(zero_shot, confidence))
    model.load_adapter(adapters[last])
    images, classes = len(pool.views), len(model.classes)
    choice = choose_model(candidates, str(last), names_of(epochs), images, classes)
    known = {ZERO: model.original} | {str(s): a for s, a in adapters.items()} | between
    return choice, known[choice.model]


def adapt_automatically(
    model: AdaptedCLIP,
    views: ModelInputs,
    zero_shot: Tensor,
    confidence: Tensor,
    settings: Settings,
    start: Tensor | None = None,
    on_step: Callable[[str, int, int], object] = lambda what, done, total: None,
) -> Automatic:
    """Choose a rate, adapt at it, choose a model along the way; the model is left at the last step.

    zero_shot: (N, C) cosines of the pool; confidence: (N,); start: (N, D) features of the same.
    on_step(what, done, total) is called after every step, `what` being “choosing” or “adapting”, and
    may raise. FloatingPointError where every rate diverges.
    """
    batch = encoded_at_once(model.device)
    pool = PoolEvidence(model, views, settings.seed, batch, precision=settings.precision)
    model.reset()
    zero = criteria(pool.measure(zero_shot, confidence, start))
    rates = ladder_rates(model, views, settings)
    tell = lambda done, total: on_step("choosing", done, total)  # noqa: E731
    trials = tuple(
        search(model, views, zero_shot, confidence, settings, pool, rates, start, on_step=tell)
    )
    rate = chosen_rate(trials)
    if rate is None:
        raise FloatingPointError("training diverges at every rate that was tried")
    settings = settings.changed(lr=rate)
    wanted, total = candidate_steps(len(views), settings), steps_in_all(len(views), settings)
    found, adapters, epochs, steps = {ZERO: zero}, {}, {}, []
    for step in adapt(model, views, confidence, settings, start=start):
        steps.append(step)
        on_step("adapting", step.step, total)
        if step.step in wanted:
            with torch.no_grad():
                found[str(step.step)] = criteria(pool.measure(zero_shot, confidence))
            adapters[step.step], epochs[step.step] = model.adapter_copy(), step.epoch
    choice, recommended = choose(model, pool, zero_shot, confidence, found, adapters, epochs)
    return Automatic(settings, trials, tuple(steps), choice, recommended)
