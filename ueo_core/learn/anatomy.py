"""One image under the lens: cosines, softmax at a temperature, entropy, weight, OOD score."""

import io
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ueo_core.data.decode import decode
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.transforms import Views
from ueo_core.evaluation.metrics import auc
from ueo_core.evaluation.ood_scores import msp
from ueo_core.methods.ueo import confidence_weights, entropy
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.utils.errors import UserError

LIMITS = Limits(max_file_bytes=20 * 10**6, max_pixels=50_000_000, min_side=8)
SHORT_SIDE = 256  # pixels kept of a dropped image; the teaching models look at 64


@dataclass(frozen=True)
class Anatomy:
    """What one image's cosines become at a temperature. Class order as in the model."""

    cosines: NDArray[np.float32]  # (C,)
    probabilities: NDArray[np.float32]  # (C,) softmax(s · cos / T)
    entropy: float  # nats
    weight: float  # w = max softmax(s · cos / T)

    @property
    def inverse(self) -> float:
        """1/w, before it is divided by the batch's sum."""
        return 1 / self.weight

    @property
    def answer(self) -> int:
        return int(self.cosines.argmax())


def dissect(cosines: NDArray, scale: float, temperature: float) -> Anatomy:
    """The numbers of one image. cosines (C,); scale: s; temperature: T, 1 scaled … s released."""
    row = torch.as_tensor(np.asarray(cosines, np.float32))[None]
    logits = row * (scale / temperature)
    return Anatomy(
        cosines=row[0].numpy(),
        probabilities=logits.softmax(1)[0].numpy(),
        entropy=float(entropy(logits)[0]),
        weight=float(confidence_weights(row, scale / temperature)[0]),
    )


@dataclass(frozen=True)
class Sweep:
    """What the temperature does to weights and OOD score over a set of images."""

    temperatures: NDArray[np.float64]  # (T,) from 1 (scaled) to s (released)
    low: NDArray[np.float64]  # (T,) tenth percentile of w · C
    middle: NDArray[np.float64]  # (T,) median of w · C
    high: NDArray[np.float64]  # (T,) ninetieth percentile of w · C
    auc: NDArray[np.float64]  # (T,) AUC of the max softmax as a score, percent; NaN without both


def sweep(cosines: NDArray, truth: NDArray, scale: float, n: int = 61) -> Sweep:
    """Weights and AUC from T = 1 to T = s at n places. cosines (N, C); truth (N,) for the AUC alone."""
    temperatures = np.geomspace(1, scale, n)
    rows = torch.as_tensor(np.asarray(cosines, np.float32))
    c = rows.shape[1]
    weights = [confidence_weights(rows, scale / t).numpy() * c for t in temperatures]
    low, middle, high = np.percentile(np.stack(weights), [10, 50, 90], axis=1)
    values = [auc(msp(cosines, scale / t), truth) for t in temperatures]
    area = np.array([np.nan if v is None else v for v in values])
    return Sweep(temperatures, low, middle, high, area)


class _One:
    """A single image as a set, for `Views`."""

    def __init__(self, pixels: np.ndarray):
        self._pixels = pixels

    def __len__(self) -> int:
        return 1

    def pixels(self, i: int) -> np.ndarray:
        return self._pixels


@torch.no_grad()
def cosines_of(model: AdaptedCLIP, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Cosines of one image with every class. pixels: (H, W, 3) → (C,)"""
    view = Views(_One(pixels), model.backbone).evaluation([0])
    return model(view)[0].cpu().numpy()


def from_png(data: bytes) -> NDArray[np.uint8]:
    """Pixels of an image that this program drew itself. → (H, W, 3)"""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def from_upload(name: str, data: bytes) -> NDArray[np.uint8]:
    """Pixels of an image that a person dropped, upright and small. UserError for anything else."""
    short = name if len(name) <= 60 else name[:57] + "…"
    if len(data) > LIMITS.max_file_bytes:
        raise UserError(
            f"Image “{short}”: it is larger than {LIMITS.max_file_bytes / 1e6:.0f} MB; "
            "choose a smaller one."
        )
    try:
        return decode(data, SHORT_SIDE, LIMITS, lambda _: nullcontext()).pixels
    except RejectedFile as reason:
        raise UserError(f"Image “{short}”: {reason}; choose another file.") from None
