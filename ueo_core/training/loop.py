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
from ueo_core.data.transforms import Indices, ModelInputs, Views
from ueo_core.methods.build_loss import Batch, Loss, build
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.cuda_graph import GraphedStep
from ueo_core.training.encoded_parts import EncodedParts
from ueo_core.training.ranks import Shared
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

    def encode(chosen: Indices | None, share: int = 1) -> Tensor:
        parts, done = [], 0
        for images in views.batches(batch_size, chosen):
            parts.append(model.encode_image(images).cpu())
            done += len(images)
            if on_batch:
                on_batch(min(share * done, total))
        return torch.cat(parts) if parts else torch.empty(0)

    chosen = np.arange(len(views)) if indices is None else np.asarray(indices)
    total, shared = len(chosen), shared_by(views)
    if shared is None:
        return encode(indices)
    here = precision.precision_here(model.device)
    work = {
        "work": "evaluation",
        "indices": chosen.tolist(),
        "batch": batch_size,
        "precision": here,
    }
    return shared.features(model, work, total, lambda part: encode(chosen[part], shared.ranks.size))


@torch.no_grad()
def crop_features(
    model: AdaptedCLIP, views: ModelInputs, indices: Indices, key: tuple[int, ...]
) -> Tensor:
    """Unit features of random crops of some images, that depend on `key` only, on the CPU. → (n, D)"""
    if (shared := shared_by(views)) is None or not isinstance(views, Views):
        return model.encode_image(views.crops(indices, key)).cpu()
    chosen = [int(i) for i in indices]
    here = precision.precision_here(model.device)
    work = {"work": "crops", "indices": chosen, "key": list(key), "precision": here}

    def encode(part: slice) -> Tensor:
        return model.encode_image(views.training(chosen, np.random.default_rng(key), part)).cpu()

    return shared.features(model, work, len(chosen), encode)


def shared_by(views: ModelInputs) -> Shared | None:
    """That other processes have these images, too; None where this is the only one."""
    return getattr(views, "shared", None)


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
    shared: Shared | None = None,
    n: int = 0,
    beside: torch.cuda.Stream | None = None,
) -> Loss:
    """Loss and gradients of one batch, exact for any chunk and any number of processes.

    loss_of: image and text features → loss; text: (C, D) features where the prompt does not train,
    else None. shared: where other processes have encoded the rest of a batch of n images. beside: a
    stream for the text tower, whose results `loss_of` waits for; None: the current one.
    """
    if text is None:
        with torch.cuda.stream(beside), precision.tower_autocast(settings.precision, model.device):
            text = model.encode_text()
    chunk = settings.chunk
    if shared is None and (chunk is None or chunk >= len(images)):
        with precision.tower_autocast(settings.precision, model.device):
            features = model.encode_image(images)
        loss = loss_of(features, text)
        loss.total.backward()
        return loss
    encoded = EncodedParts(model, images, chunk, settings.precision)
    if shared is None:
        features = encoded.features.requires_grad_()
        loss = loss_of(features, text)
        loss.total.backward()
        if features.grad is not None:
            encoded.backward(features.grad)
        return loss
    ranks = shared.ranks
    features = ranks.collect(encoded.features, n).requires_grad_()
    gradient = torch.zeros_like(features)
    try:
        loss = loss_of(features, text)
        loss.total.backward()
        if features.grad is not None:
            gradient = features.grad
    finally:  # also after an error: the others wait for their rows
        encoded.backward(ranks.spread(gradient, encoded.features, n))
        ranks.add_gradients([p for p in model.affine().values() if p.requires_grad])
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
    # On a GPU the update is queued before the losses are read, so that the device need not wait.
    queued = model.context.is_cuda
    optimizer = torch.optim.SGD(parameters, lr=settings.rate, fused=True if queued else None)
    sizes = split_epoch(n, settings.batch_size)
    steps = steps_in_all(n, settings)
    drawn: tuple[np.ndarray, Tensor] | None = None
    if (shared := shared_by(views)) and min(sizes) < shared.ranks.size:
        raise UserError(
            f"Batches of {min(sizes)} images cannot be shared by {shared.ranks.size} processes; start "
            "fewer, or use a larger batch size."
        )

    def draw(step: int) -> tuple[np.ndarray, Tensor]:
        """The indices of a step's batch, and its training views."""
        epoch, place = divmod(step, len(sizes))
        order = np.random.default_rng([settings.seed, ORDER, epoch]).permutation(n)
        first = sum(sizes[:place])
        batch = order[first : first + sizes[place]]
        g = np.random.default_rng([settings.seed, VIEW, step])
        if shared is None or not isinstance(views, Views):
            return batch, views.training(batch, g)
        return batch, views.training(batch, g, shared.part(len(batch)))

    with _training(parameters):
        if settings.chunk is None:
            total = memory.memory_of(model.device)
            if shared and total and model.device.type == "cpu":  # all processes use the same memory
                total //= shared.ranks.size
            settings = settings.changed(chunk=fitting_chunk(model, views, settings, total))
        # Where the prompt does not train, its features are the same at every step.
        fixed_text = None if model.context.requires_grad else model.encode_text()
        # The text tower's many small kernels run beside the image tower's large ones. With several
        # streams cuBLAS promises no equal bits.
        beside = None
        if queued and fixed_text is None and not torch.are_deterministic_algorithms_enabled():
            beside = torch.cuda.Stream()

        def compute(images: Tensor, at: Tensor) -> Loss:
            if beside:
                beside.wait_stream(torch.cuda.current_stream())

            def loss_of(features: Tensor, text: Tensor) -> Loss:
                if beside:
                    torch.cuda.current_stream().wait_stream(beside)
                return objective(Batch(features, text, model.logit_scale, confidence[at], at))

            return _backward(model, images, fixed_text, loss_of, settings, shared, len(at), beside)

        # One launch for a whole step where the device is faster than its launches.
        graphed = None
        if shared is None and model.device.type == "cuda" and METHODS[settings.method].on_device:
            graphed = GraphedStep(model, compute, parameters)
        for step in range(done, steps):
            began = time.perf_counter()
            lr = learning_rate(step, n, settings)
            for group in optimizer.param_groups:
                group["lr"] = lr
            batch, images = drawn or draw(step)
            if shared:
                about = {
                    "trained": settings.trained,
                    "chunk": settings.chunk,
                    "precision": settings.precision,
                }
                shared.begin_step(model, batch, [settings.seed, VIEW, step], about)
            at = torch.from_numpy(batch).to(model.device)
            if graphed:
                found = graphed(images, at)
            else:
                optimizer.zero_grad()
                found = torch.stack([v.detach() for v in compute(images, at)])
            if queued:
                # The kernel of the update leaves it out where this is 1.
                optimizer.found_inf = (~found[:1].isfinite()).float()  # type: ignore[attr-defined]
                optimizer.step()
            # Prepare the next batch before reading the losses, which waits for the device, once.
            drawn = draw(step + 1) if views.ahead and step + 1 < steps else None
            loss, entropy, marginal = found.tolist()
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss of step {step + 1} is not finite")
            if not queued:
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
