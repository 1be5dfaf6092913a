"""The adaptation loop: one generator of step records, no thread, no file, no screen, no label."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ueo_core.config.lr_schedule import learning_rate, split_epoch, steps_in_all
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.methods.build_loss import Batch, Loss, build
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.cuda_graph import GraphedStep
from ueo_core.utils import memory, precision
from ueo_core.utils.errors import UserError

# Streams of randomness, so that order and augmentation are functions of (seed, place) alone
# and a resumed run draws what an undisturbed one would have drawn.
ORDER, VIEW, CROPS = 1, 2, 3


@dataclass(frozen=True)
class Step:
    """What one optimiser step did; entropies in nats."""

    step: int  # 1 … steps
    steps: int
    epoch: int  # 1 … epochs
    loss: float
    entropy: float  # Σ w̃ H(p)
    marginal: float  # H(p̄)
    lr: float
    seconds: float
    batch: tuple[int, ...]  # indices into the pool


@torch.no_grad()
def image_features(
    model: AdaptedCLIP, views: Views, batch_size: int | None = None, on_batch=None, indices=None
) -> Tensor:
    """Unit features of all evaluation views, or of `indices`, on the CPU. → (N, D)

    batch_size: None takes what suits the device; `on_batch(done)` is told and may raise to leave
    early.
    """
    parts, done = [], 0
    with memory.kept(model.device):
        for images in views.batches(batch_size, indices):
            parts.append(model.encode_image(images).cpu())
            done += len(images)
            if on_batch:
                on_batch(done)
    return torch.cat(parts) if parts else torch.empty(0)


def check_pool(n: int) -> None:
    """UEO compares images of a batch with each other: one image alone has no gradient."""
    if n < 2:
        raise UserError(
            f"The pool has {n} usable image{'s' * (n != 1)}; adaptation needs at least two, so add more."
        )


def _backward(
    model: AdaptedCLIP,
    images: Tensor,
    text: Tensor | None,
    loss_of: Callable[[Tensor, Tensor], Loss],
    settings: Settings,
) -> Loss:
    """Loss and gradients of one batch, exact for any chunk. loss_of: image and text features → loss

    text: (C, D) features where the prompt does not train, else None. The loss is not additive
    over parts of a batch. With a chunk smaller than the batch: features of all parts, the loss
    on the whole (B, D), dL/df, then each part against its share of dL/df (as GradCache does).
    Only the first part keeps what its backward pass needs; the others are encoded a second time.
    """

    def encoded(part: Tensor) -> Tensor:
        with precision.towers(settings.precision, model.device):
            return model.encode_image(part)

    if text is None:
        with precision.towers(settings.precision, model.device):
            text = model.encode_text()
    chunk = settings.chunk
    if chunk is None or chunk >= len(images):
        loss = loss_of(encoded(images), text)
        loss.total.backward()
        return loss
    first, *others = images.split(chunk)
    with torch.no_grad():
        rest = [encoded(part) for part in others]
    held = encoded(first)
    features = torch.cat([held.detach(), *rest]).requires_grad_()
    loss = loss_of(features, text)
    loss.total.backward()
    if held.requires_grad:
        own, *grads = features.grad.split(chunk)
        held.backward(own)
        for part, grad in zip(others, grads, strict=True):
            encoded(part).backward(grad)
    return loss


def fitting_chunk(
    model: AdaptedCLIP, views: Views, settings: Settings, total: int | None
) -> int | None:
    """How many images' activations fit into `total` bytes of memory; None: a whole batch's.

    Found by looking at what autograd keeps of one image and of two: no step is tried, and the
    same machine, model and settings always give the same answer.
    """
    image = views.evaluation([0])

    def held(n: int) -> int:
        with precision.towers(settings.precision, model.device):
            return memory.saved_bytes(lambda: model.tower(torch.cat([image] * n)))

    share = memory.STEP_SHARE if model.device.type == "cpu" else memory.SHARE
    return memory.largest_chunk(settings.batch_size, held(2) - held(1), total, share)


@contextlib.contextmanager
def _training(parameters: list[nn.Parameter]) -> Iterator[None]:
    """Freezes them again in the end, whichever way that comes."""
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(False)
            p.grad = None


def adapt(
    model: AdaptedCLIP,
    views: Views,
    confidence: Tensor,
    settings: Settings,
    done: int = 0,
    start: Tensor | None = None,
) -> Iterator[Step]:
    """Fine-tune `model` in place on unlabeled views, yielding after every step.

    confidence: (N,) zero-shot confidences w_i of the pool's images, fixed throughout;
    done: steps already in the model's delta, for a resumed run; start: (N, D) zero-shot
    features of the pool, for methods that compare with them. The caller may stop iterating
    at any step: the model then holds that step's parameters. SGD without momentum has no
    state, so (delta, done) is a complete checkpoint; a method with a memory cannot be resumed.
    """
    n = len(views)
    check_pool(n)
    if done and METHODS[settings.method].memory:
        raise ValueError(f"{settings.method} has a memory that no checkpoint holds")
    if settings.mode == "quick" and model.tail is None:
        raise ValueError("quick mode trains a model and views that were made for it")
    confidence = confidence.to(model.device)
    objective = build(settings, None if start is None else start.to(model.device))
    parameters = model.select(settings.trained)
    optimizer = torch.optim.SGD(parameters, lr=settings.lr)
    sizes = split_epoch(n, settings.batch_size)
    steps = steps_in_all(n, settings)
    drawn = None

    def draw(step: int) -> tuple[np.ndarray, Tensor]:
        """The indices of a step's batch, and its training views."""
        epoch, place = divmod(step, len(sizes))
        order = np.random.default_rng([settings.seed, ORDER, epoch]).permutation(n)
        first = sum(sizes[:place])
        batch = order[first : first + sizes[place]]
        return batch, views.training(batch, np.random.default_rng([settings.seed, VIEW, step]))

    with _training(parameters), memory.kept(model.device):
        if settings.chunk is None:
            total = memory.memory_of(model.device)
            settings = settings.changed(chunk=fitting_chunk(model, views, settings, total))
        # Where the prompt does not train, its features are the same at every step.
        fixed_text = None if model.context.requires_grad else model.encode_text()

        def compute(images: Tensor, at: Tensor) -> Loss:
            def loss_of(features: Tensor, text: Tensor) -> Loss:
                return objective(Batch(features, text, model.logit_scale, confidence[at], at))

            return _backward(model, images, fixed_text, loss_of, settings)

        # One launch for a whole step where the device is faster than its launches.
        graphed = None
        if model.device.type == "cuda" and METHODS[settings.method].on_device:
            graphed = GraphedStep(compute, parameters)
        for step in range(done, steps):
            began = time.perf_counter()
            lr = learning_rate(step, n, settings)
            for group in optimizer.param_groups:
                group["lr"] = lr
            batch, images = drawn or draw(step)
            at = torch.from_numpy(batch).to(model.device)
            if graphed:
                found = graphed(images, at)
            else:
                optimizer.zero_grad()
                found = torch.stack([v.detach() for v in compute(images, at)])
            # The device may still be at it; reading the losses is what waits for it, once.
            drawn = draw(step + 1) if views.ahead and step + 1 < steps else None
            loss = Loss(*found.tolist())
            if not math.isfinite(loss.total):
                raise FloatingPointError(f"the loss of step {step + 1} is not finite")
            optimizer.step()
            yield Step(
                step=step + 1,
                steps=steps,
                epoch=step // len(sizes) + 1,
                loss=loss.total,
                entropy=loss.entropy,
                marginal=loss.marginal,
                lr=lr,
                seconds=time.perf_counter() - began,
                batch=tuple(int(i) for i in batch),
            )
