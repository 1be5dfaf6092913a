"""How long a step takes on a GPU, what share of the card's measured peak that is, and its parts."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from ueo_core.bench.gpu.agreement import RandomPixels, tensor_float_32
from ueo_core.bench.names import class_names
from ueo_core.bench.reference import PlainCLIP, benchmark_stock
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.methods.ueo import ueo
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.cuda_graph import Compute, GraphedStep
from ueo_core.training.loop import adapt
from ueo_core.utils.precision import tower_autocast

ROUNDS, WARM = 5, 3  # timed steps, and steps before them


@dataclass(frozen=True)
class Case:
    """One row: a model, a number of classes, a batch."""

    backbone: str
    classes: int
    batch: int


def seconds_of(work: Callable[[], object], rounds: int = ROUNDS, warm: int = WARM) -> float:
    """Median seconds of `work` with the device idle before and after."""
    found = []
    for number in range(warm + rounds):
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if number >= warm:
            found.append(time.perf_counter() - began)
    return statistics.median(found)


def matrix_peaks(n: int = 8192) -> dict[str, float]:
    """Operations per second of a large matrix product on random data, by what it computes in."""
    found = {}
    for name, dtype, tf32 in (
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bfloat16", torch.bfloat16, False),
    ):
        with tensor_float_32(tf32):
            a, b = (torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2))
            out = torch.empty_like(a)
            found[name] = 2 * n**3 / seconds_of(lambda: torch.mm(a, b, out=out), 8)  # noqa: B023
    return found


def copy_bandwidth(size: int = 4 * 10**9) -> float:
    """Bytes per second, read and written, of a copy within the device's memory."""
    a = torch.empty(size, device="cuda", dtype=torch.uint8)
    b = torch.empty_like(a)
    return 2 * size / seconds_of(lambda: b.copy_(a))


@lru_cache(maxsize=1)
def _plain_stock(name: str) -> backbones.Stock:
    return benchmark_stock(name)


@lru_cache(maxsize=1)
def _backbone(name: str) -> backbones.Backbone:
    return backbones.prepare(benchmark_stock(name), torch.device("cuda"))


def plain_step(case: Case) -> Callable[[], object]:
    """A step of the plain script: stock open_clip, 77-token prompts, images that are ready."""
    device = torch.device("cuda")
    built = _plain_stock(case.backbone)
    clip = PlainCLIP(built, class_names(case.classes), "a photo of a", device)
    size = built.preprocess["size"]
    size = size if isinstance(size, int) else size[0]
    images = torch.randn(case.batch, 3, size, size, device=device)
    weights = torch.ones(case.batch, device=device)
    return lambda: clip.step(images, weights)


def our_steps(case: Case, precision: str) -> Callable[[], object]:
    """The studio's own loop, a step at each call, views included."""
    backbone = _backbone(case.backbone)
    model = AdaptedCLIP(backbone, class_names(case.classes))
    settings = Settings(
        batch_size=case.batch, epochs=10_000, precision=precision, device="cuda", chunk=case.batch
    )
    views = Views(RandomPixels(case.batch), backbone)
    return adapt(model, views, torch.ones(case.batch), settings).__next__


def step_flops(case: Case) -> int:
    """Floating-point operations of a step of ours: matrix products and convolutions."""
    backbone = _backbone(case.backbone)
    model = AdaptedCLIP(backbone, class_names(case.classes))
    model.trainable_parameters()
    images = torch.randn(case.batch, 3, *backbone.preprocessing.size, device="cuda")
    with FlopCounterMode(display=False) as counter, tower_autocast("bfloat16", model.device):
        model(images).sum().backward()
    return counter.get_total_flops()


def _measured(make: Callable[[], Callable[[], object]]) -> tuple[float, float]:
    """→ seconds of a step, peak memory in MB"""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    seconds = seconds_of(make())
    return seconds, torch.cuda.max_memory_allocated() / 1e6


def time_case(case: Case, peaks: dict[str, float]) -> dict:
    """One row of the table. Plain: float32, and once more with TF32; ours: bfloat16 and float32."""
    row: dict = {"backbone": case.backbone, "classes": case.classes, "batch": case.batch}
    ways = (
        ("plain", False, lambda: plain_step(case)),
        ("plain_tf32", True, lambda: plain_step(case)),
        ("float32", False, lambda: our_steps(case, "float32")),
        ("tf32", True, lambda: our_steps(case, "float32")),
        ("bfloat16", False, lambda: our_steps(case, "bfloat16")),
    )
    for name, tf32, make in ways:
        with tensor_float_32(tf32):
            try:
                seconds, memory = _measured(make)
            except torch.OutOfMemoryError:
                row[name] = None
                continue
        row[name] = {
            "seconds": seconds,
            "images_per_second": case.batch / seconds,
            "memory_mb": memory,
        }
    row["ratio"] = _ratio(row["plain"], row["bfloat16"])
    row["ratio_same_precision"] = _ratio(row["plain"], row["float32"])
    row["flops"] = step_flops(case)
    for name in ("float32", "tf32", "bfloat16"):
        if row[name]:
            row[name]["peak_share"] = row["flops"] / row[name]["seconds"] / peaks[name]
    return row


def _ratio(plain: dict | None, ours: dict | None) -> float | None:
    return plain["seconds"] / ours["seconds"] if plain and ours else None


def parts_of_step(case: Case, precision: str = "bfloat16") -> dict[str, float]:
    """Milliseconds of a step's parts, each alone, recorded as a step is, with the device idle around it.

    Parts of a whole step overlap: it takes less than their sum. `waiting` is the time of a whole step in
    which the device computes nothing.
    """
    backbone = _backbone(case.backbone)
    model = AdaptedCLIP(backbone, class_names(case.classes))
    views = Views(RandomPixels(case.batch), backbone)
    parameters = model.select("both")
    weights = torch.ones(case.batch, device="cuda")
    indices = list(range(case.batch))
    images = views.training(indices, np.random.default_rng(0))

    def image_side(images: Tensor) -> Tensor:
        with tower_autocast(precision, model.device):
            return model.encode_image(images)

    def text_side(images: Tensor) -> Tensor:
        with tower_autocast(precision, model.device):
            return model.encode_text()

    @torch.no_grad()
    def image_forward(images: Tensor, places: Tensor) -> Sequence[Tensor]:
        return [image_side(images).sum()]

    def both(side: Callable[[Tensor], Tensor]) -> Compute:
        def compute(images: Tensor, places: Tensor) -> Sequence[Tensor]:
            total = side(images).sum()
            total.backward()
            return [total]

        return compute

    with torch.no_grad():
        features, text = image_side(images), text_side(images)

    def loss(images: Tensor, places: Tensor) -> Sequence[Tensor]:
        leaves = features.detach().requires_grad_(), text.detach().requires_grad_()
        found = ueo(model.logit_scale * leaves[0] @ leaves[1].T, weights)
        found.backward()
        return [found]

    found = {"views": seconds_of(lambda: views.training(indices, np.random.default_rng(0)))}
    computed = {
        "image forward": image_forward,
        "image forward and backward": both(image_side),
        "text forward and backward": both(text_side),
        "loss": loss,
    }
    places = torch.arange(case.batch, device="cuda")
    for name, compute in computed.items():
        step = GraphedStep(model, compute, parameters)
        found[name] = seconds_of(lambda step=step: step(images, places))  # type: ignore[misc]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer = torch.optim.SGD(parameters, lr=1e-4, fused=True)
    found["optimizer"] = seconds_of(optimizer.step)
    del step, optimizer
    model.select("both")
    whole = our_steps(case, precision)
    found["whole step"] = seconds_of(whole)
    found["waiting"] = found["whole step"] - busy_seconds(whole)
    return {name: 1e3 * seconds for name, seconds in found.items()}


def busy_seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds per call of `work` in which the device computes or copies; NaN where no profiler sees it."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(rounds):
            work()
        torch.cuda.synchronize()
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == DeviceType.CUDA
    )
    return 1e-6 * covered(spans) / rounds if spans else float("nan")


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Length of the union of intervals that are sorted by their start."""
    total, last = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, last))
        last = max(last, end)
    return total
