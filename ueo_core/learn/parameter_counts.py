"""What is trained and what is frozen, counted. The adapted part is all there is to save."""

from dataclasses import dataclass

from torch import Tensor

from ueo_core.models.adapted_clip import AdaptedCLIP

BYTES = 4  # of a number in the saved delta, float32


@dataclass(frozen=True)
class Count:
    """Numbers in a model: the trained ones and all of them."""

    name: str
    trained: int
    total: int

    @property
    def share(self) -> float:
        """Trained over all."""
        return self.trained / self.total

    @property
    def kilobytes(self) -> float:
        """Size of the saved part, kB."""
        return self.trained * BYTES / 1000


# OpenAI's CLIP models with four context vectors, as the paper trains them; a test counts
# both again in open_clip's own models.
RN50 = Count("RN50", 53_248 + 4 * 512, 102_007_137)
VIT = Count("ViT-B/16", 39_936 + 4 * 512, 149_620_737)


def count(model: AdaptedCLIP) -> Count:
    """Count a model's numbers. The context is added to it, the rest are its own."""
    trained = sum(v.numel() for v in model.adapter().values())
    whole = sum(p.numel() for p in model.backbone.model.parameters())
    return Count(model.backbone.name, trained, whole + model.context.numel())


def total_change(adapter: dict[str, Tensor], original: dict[str, Tensor]) -> float:
    """‖v − v₀‖ / ‖v₀‖ over all trained numbers together, percent."""
    moved = sum(float((adapter[k] - v).square().sum()) for k, v in original.items())
    size = sum(float(v.square().sum()) for v in original.values())
    return 100 * (moved / size) ** 0.5
