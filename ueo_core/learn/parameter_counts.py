"""Counts of trained and frozen parameters. Only the trained ones have to be saved."""

from dataclasses import dataclass

from torch import Tensor

from ueo_core.models.adapted_clip import AdaptedCLIP

BYTES = 4  # per parameter in an adapter file, float32


@dataclass(frozen=True)
class Count:
    """Number of parameters of a model: the trained ones and all of them."""

    name: str
    trained: int
    total: int

    @property
    def share(self) -> float:
        """Trained parameters divided by all."""
        return self.trained / self.total

    @property
    def kilobytes(self) -> float:
        """Size of the adapter file, kB."""
        return self.trained * BYTES / 1000


# OpenAI's CLIP models with four context vectors, as in the paper; a test counts the
# parameters of open_clip's models.
RN50 = Count("RN50", 53_248 + 4 * 512, 102_007_137)
VIT = Count("ViT-B/16", 39_936 + 4 * 512, 149_620_737)


def count(model: AdaptedCLIP) -> Count:
    """Count a model's parameters. The context vectors come in addition to those of the backbone."""
    trained = sum(v.numel() for v in model.adapter().values())
    whole = sum(p.numel() for p in model.backbone.model.parameters())
    return Count(model.backbone.name, trained, whole + model.context.numel())


def total_change(adapter: dict[str, Tensor], original: dict[str, Tensor]) -> float:
    """‖v − v₀‖ / ‖v₀‖ over all trained parameters, percent."""
    changed = sum(float((adapter[k] - v).square().sum()) for k, v in original.items())
    size = sum(float(v.square().sum()) for v in original.values())
    return 100 * (changed / size) ** 0.5
