"""A GPU's features, gradients and adaptation against the CPU's, each with a stated tolerance."""

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ueo_core.bench.names import class_names
from ueo_core.bench.reference import benchmark_stock
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.drawings.sample import problem
from ueo_core.evaluation.metrics import OOD, evaluate
from ueo_core.methods.ueo import confidence_weights
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import adapt, image_features
from ueo_core.utils.precision import tower_autocast

# Largest relative error ‖found − reference‖ / ‖reference‖ that passes, by what a path computes in:
# float32 sums in another order, TF32 keeps 10 bits of a product's factors, bfloat16 keeps 7.
TOLERANCE = {"float32": 1e-4, "tf32": 5e-3, "bfloat16": 5e-2}
GRADIENT_TOLERANCE = {"float32": 1e-3, "tf32": 3e-2, "bfloat16": 2e-1}
POINTS = 3.0  # HM after an adaptation may differ by this; summation order alone explains less
PATHS = ("float32", "tf32", "bfloat16")
IMAGES, CLASSES = 16, 10


class RandomPixels:
    """Smooth random images in memory, of the size that the store keeps of a 4 : 3 photo."""

    def __init__(self, n: int, height: int = 366, width: int = 488, seed: int = 0):
        g = np.random.default_rng(seed)
        coarse = g.integers(0, 256, (n, height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
        self.arrays = coarse.repeat(16, 1).repeat(16, 2)[:, :height, :width]

    def __len__(self) -> int:
        return len(self.arrays)

    def pixels(self, i: int) -> np.ndarray:
        return self.arrays[i]


@contextlib.contextmanager
def tensor_float_32(allowed: bool) -> Iterator[None]:
    """Allow or forbid TF32 in float32 products and convolutions of a GPU; restored afterwards."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


@dataclass(frozen=True)
class Check:
    """One comparison."""

    what: str
    path: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        return bool(np.isfinite(self.error)) and self.error <= self.tolerance


def loaded(name: str, device: torch.device) -> backbones.Backbone:
    """A teaching model with its own weights, or an open_clip architecture with random ones."""
    return backbones.prepare(benchmark_stock(name), device)


def relative(found: Tensor, reference: Tensor) -> float:
    """‖found − reference‖ / ‖reference‖"""
    reference = reference.double().cpu()
    return float((found.double().cpu() - reference).norm() / reference.norm().clamp(min=1e-30))


def features_and_gradients(name: str, device: torch.device, precision: str) -> tuple[Tensor, ...]:
    """Image features, text features, and gradients of a random projection of the cosines.

    Not of UEO's loss: where all images get one prediction, as with random weights, its gradient is
    a small difference of large terms and does not test the towers. → three flat tensors on the CPU
    """
    model = AdaptedCLIP(loaded(name, device), class_names(CLASSES))
    height, width = model.backbone.preprocessing.size
    views = Views(RandomPixels(IMAGES, height, width), model.backbone)  # of the model's own size
    images = views.evaluation(range(IMAGES))
    probe = torch.randn(IMAGES, CLASSES, generator=torch.Generator().manual_seed(0)).to(device)
    parameters = model.trainable_parameters()
    with tower_autocast(precision, device):
        features, text = model.encode_image(images), model.encode_text()
    # Raises where a parameter has no part in the result.
    gradients = torch.autograd.grad(((features @ text.T) * probe).sum(), parameters)
    flat = torch.cat([gradient.flatten().cpu() for gradient in gradients])
    return features.detach().cpu(), text.detach().cpu(), flat


def agreement(
    names: list[str], device: torch.device, tell: Callable[[str], None] = lambda text: None
) -> list[Check]:
    """Every path of every model on the device against float32 on the CPU."""
    found = []
    for name in names:
        tell(f"{name}: reference on the CPU")
        reference = features_and_gradients(name, torch.device("cpu"), "float32")
        for path in PATHS:
            tell(f"{name}: {path} against the CPU")
            with tensor_float_32(path == "tf32"):
                precision = "bfloat16" if path == "bfloat16" else "float32"
                here = features_and_gradients(name, device, precision)
            for what, a, b, limits in zip(
                ("image features", "text features", "gradients"),
                here,
                reference,
                (TOLERANCE, TOLERANCE, GRADIENT_TOLERANCE),
                strict=True,
            ):
                found.append(Check(f"{name}: {what}", path, relative(a, b), limits[path]))
    return found


def _decoded(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


@cache
def _drawn(part: str, n: int) -> "_Drawn":
    return _Drawn(part, n)


class _Drawn:
    """One part of the built-in problem, drawn into memory."""

    def __init__(self, part: str, n: int):
        drawn = problem()
        names = drawn.pool if part == "pool" else drawn.test
        self.chosen = np.linspace(0, len(names) - 1, min(n, len(names))).astype(int)
        self.labels = [names[i] for i in self.chosen]
        self.arrays = [_decoded(drawn.image(part, int(i))) for i in self.chosen]

    def __len__(self) -> int:
        return len(self.arrays)

    def pixels(self, i: int) -> np.ndarray:
        return self.arrays[i]


def adaptation(
    name: str, device: torch.device, precision: str, images: int = 192, epochs: int = 6
) -> dict:
    """Adapt to the built-in problem on a device. → {"zero_shot": HM, "adapted": HM, "adapter": …}"""
    model = AdaptedCLIP(loaded(name, device), list(problem().classes))
    pool, test = _drawn("pool", images), _drawn("test", images)
    # At a quarter of the preset's rate: at the full one, sums in another order grow to points of HM.
    rate = Settings.for_backbone(name).rate / 4
    settings = Settings.for_backbone(name, epochs=epochs, lr=rate, precision=precision)
    views, tested = Views(pool, model.backbone), Views(test, model.backbone)
    known = {c: i for i, c in enumerate(model.classes)}
    truth = np.array([known.get(label, OOD) for label in test.labels])

    @torch.no_grad()
    def harmonic_mean() -> float:
        cosines = image_features(model, tested) @ model.encode_text().cpu().T
        return evaluate(cosines.numpy(), truth, model.classes, model.logit_scale)["hm"]

    before = harmonic_mean()
    features = image_features(model, views)
    with torch.no_grad():
        confidence = confidence_weights(features @ model.encode_text().cpu().T, model.logit_scale)
    for _ in adapt(model, views, confidence, settings):
        pass
    return {"zero_shot": before, "adapted": harmonic_mean(), "adapter": model.adapter_copy()}


def resumed_equal(name: str, device: torch.device) -> float:
    """Largest difference between six steps and three steps, a restart and three more; deterministic."""
    torch.use_deterministic_algorithms(True)
    try:
        settings = Settings.for_backbone(name, epochs=6, batch_size=16)
        ends = []
        for cut in (None, 3):
            model = AdaptedCLIP(loaded(name, device), class_names(CLASSES))
            height, width = model.backbone.preprocessing.size
            views = Views(RandomPixels(16, 2 * height, 2 * width), model.backbone)
            confidence = torch.linspace(0.2, 0.9, 16)
            for step in adapt(model, views, confidence, settings):
                if step.step == cut:
                    break
            if cut:
                held = model.adapter_copy()
                model = AdaptedCLIP(loaded(name, device), class_names(CLASSES))
                model.load_adapter(held)
                for _ in adapt(model, views, confidence, settings, done=cut):
                    pass
            ends.append(model.adapter_copy())
        return max(float((ends[0][k] - ends[1][k]).abs().max()) for k in ends[0])
    finally:
        torch.use_deterministic_algorithms(False)
