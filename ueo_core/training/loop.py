"""The training loop: a generator of step records, without threads, files or labels."""

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
from ueo_core.data.transforms import Indices, ModelInputs
from ueo_core.methods.build_loss import Batch, Loss, build
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.cuda_graph import GraphedStep
from ueo_core.utils import memory, precision
from ueo_core.utils.errors import UserError

# Keys of the random generators: order and augmentation depend on (seed, key, epoch or step) alone,
# so a resumed run draws what an uninterrupted one would have drawn.
ORDER, VIEW, CROPS = 1, 2, 3


@dataclass(frozen=True)
class Step:
    """Record of one optimizer step; loss and entropies in nats."""

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
    model: AdaptedCLIP,
    views: ModelInputs,
    batch_size: int | None = None,
    on_batch: Callable[[int], object] | None = None,
    indices: Indices | None = None,
) -> Tensor:
    """Unit features of all evaluation views, or of `indices`, on the CPU. → (N, D)

    batch_size: None uses a size that suits the device; on_batch(done) is called after every batch
    and may raise to cancel.
    """
    parts, done = [], 0
    for images in views.batches(batch_size, indices):
        parts.append(model.encode_image(images).cpu())
        done += len(images)
        if on_batch:
            on_batch(done)
    return torch.cat(parts) if parts else torch.empty(0)


def check_pool(n: int) -> None:
    """Raise a UserError below two images: UEO's loss of a single image has no gradient."""
    if n < 2:
        raise UserError(
            f"The pool has {n} usable image{'s' * (n != 1)}, and adaptation needs at least two; add more images."
        )


def _backward(
    model: AdaptedCLIP,
    images: Tensor,
    text: Tensor | None,
    loss_of: Callable[[Tensor, Tensor], Loss],
    settings: Settings,
) -> Loss:
    """Loss and gradients of one batch, exact for any chunk.

    loss_of: image and text features → loss; text: (C, D) features where the prompt does not train,
    else None. The loss is not additive over parts of a batch. With a chunk smaller than the batch:
    features of all parts, the loss on the whole (B, D), dL/df, then the backward pass of each part
    from its rows of dL/df (as in GradCache, Gao et al., 2021). Only the first part keeps its
    activations; the others are encoded a second time.
    """

    def encoded(part: Tensor) -> Tensor:
        with precision.tower_autocast(settings.precision, model.device):
            return model.encode_image(part)

    if text is None:
        with precision.tower_autocast(settings.precision, model.device):
            text = model.encode_text()
    chunk = settings.chunk
    if chunk is None or chunk >= len(images):
        loss = loss_of(encoded(images), text)
        loss.total.backward()
        return loss
    first, *others = images.split(chunk)
    with torch.no_grad():
        rest = [encoded(part) for part in others]
    kept = encoded(first)
    features = torch.cat([kept.detach(), *rest]).requires_grad_()
    loss = loss_of(features, text)
    loss.total.backward()
    if kept.requires_grad and features.grad is not None:
        own, *grads = features.grad.split(chunk)
        kept.backward(own)
        for part, grad in zip(others, grads, strict=True):
            encoded(part).backward(grad)
    return loss


def fitting_chunk(
    model: AdaptedCLIP, views: ModelInputs, settings: Settings, total: int | None
) -> int | None:
    """Number of images whose activations fit into `total` bytes of memory; None: the whole batch.

    Measured from what autograd saves for one image and for two: no step is tried, and the same
    machine, model and settings always give the same number.
    """
    image = views.evaluation([0])

    def saved(n: int) -> int:
        with precision.tower_autocast(settings.precision, model.device):
            return memory.saved_bytes(lambda: model.tower(torch.cat([image] * n)))

    share = memory.STEP_SHARE if model.device.type == "cpu" else memory.SHARE
    return memory.largest_chunk(settings.batch_size, saved(2) - saved(1), total, share)


@contextlib.contextmanager
def _training(parameters: list[nn.Parameter]) -> Iterator[None]:
    """Freeze the parameters at the end, also after an exception or an early stop."""
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(False)
            p.grad = None


def adapt(
    model: AdaptedCLIP,
    views: ModelInputs,
    confidence: Tensor,
    settings: Settings,
    done: int = 0,
    start: Tensor | None = None,
) -> Iterator[Step]:
    """Fine-tune `model` in place on unlabeled views, yielding a record after every step.

    confidence: (N,) zero-shot confidences w_i of the pool's images, fixed during training;
    done: steps that the model's adapter has already seen, for a resumed run; start: (N, D)
    zero-shot features of the pool, for methods with `needs_start`. The caller may stop iterating
    at any step: the model then has that step's parameters. SGD without momentum has no state, so
    (adapter, done) is a complete checkpoint; a method with a memory cannot be resumed. Raises
    FloatingPointError when a loss is not finite.
    """
    n = len(views)
    check_pool(n)
    if done and METHODS[settings.method].memory:
        raise ValueError(f"{settings.method} has a memory that no checkpoint holds")
    if settings.mode == "quick" and model.tail is None:
        raise ValueError(
            "quick mode needs a model created with mode='quick' and cached activations"
        )
    confidence = confidence.to(model.device)
    objective = build(settings, None if start is None else start.to(model.device))
    parameters = model.select(settings.trained)
    optimizer = torch.optim.SGD(parameters, lr=settings.rate)
    sizes = split_epoch(n, settings.batch_size)
    steps = steps_in_all(n, settings)
    drawn: tuple[np.ndarray, Tensor] | None = None

    def draw(step: int) -> tuple[np.ndarray, Tensor]:
        """The indices of a step's batch, and its training views."""
        epoch, place = divmod(step, len(sizes))
        order = np.random.default_rng([settings.seed, ORDER, epoch]).permutation(n)
        first = sum(sizes[:place])
        batch = order[first : first + sizes[place]]
        return batch, views.training(batch, np.random.default_rng([settings.seed, VIEW, step]))

    with _training(parameters):
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
            graphed = GraphedStep(model, compute, parameters)
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
            # Prepare the next batch before reading the losses, which waits for the device, once.
            drawn = draw(step + 1) if views.ahead and step + 1 < steps else None
            loss, entropy, marginal = found.tolist()
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss of step {step + 1} is not finite")
            optimizer.step()
            yield Step(
                step=step + 1,
                steps=steps,
                epoch=step // len(sizes) + 1,
                loss=loss,
                entropy=entropy,
                marginal=marginal,
                lr=lr,
                seconds=time.perf_counter() - began,
                batch=tuple(int(i) for i in batch),
            )
