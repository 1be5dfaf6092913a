"""The settings of the triangle, their ranges, and the presets. No torch here."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

CLASS_NAMES = ("A", "B", "C")  # the triangle's three corners
IMAGES = 60  # images in the batch, one point each
STEPS = 60  # gradient steps, all computed in advance
LEARNING_RATE = 0.3  # plain gradient descent; a cosine schedule lowers it to zero, as in UEO
LOGIT_SCALE = 8.0  # s of the triangle; small, so that predictions start inside the triangle

# The kinds of unknown images in the batch.
KINDS = {
    "two": "two unknown objects, each similar to a class",
    "one": "one unknown object, similar to one class",
    "nothing": "similar to no class",
    "lookalike": "as similar to a class as known images",
}


@dataclass(frozen=True)
class TriangleSettings:
    """All settings of the triangle; they determine everything that is drawn."""

    seed: int = 0  # of the random batch
    share: int = 40  # unknown images in the batch, percent
    kind: str = "two"  # a key of KINDS
    sure: float = 0.4  # strength of the class feature of known images; sets their confidence
    trade: float = 1.0  # λ
    temperature: float = 1.0  # T_w of the weights: 1 is `scaled`, LOGIT_SCALE is `released`
    absent: bool = False  # no image of class C in the batch
    # Images that the user moved at step 0: (index, p_A, p_B), predictions in percent.
    moved: tuple[tuple[int, int, int], ...] = ()

    # The range of each numeric setting: smallest, largest, step.
    RANGES: ClassVar[dict[str, tuple[float, float, float]]] = {
        "seed": (0, 999, 1),
        "share": (0, 80, 5),
        "sure": (0.2, 0.8, 0.05),
        "trade": (0.0, 3.0, 0.1),
        "temperature": (1.0, LOGIT_SCALE, 0.5),
    }

    def within(self) -> "TriangleSettings":
        """The same settings with every value clipped to its range; a typed link may exceed it."""
        values: dict[str, Any] = {
            name: type(getattr(self, name))(min(max(getattr(self, name), low), high))
            for name, (low, high, _) in self.RANGES.items()
        }
        return replace(
            self,
            kind=self.kind if self.kind in KINDS else "two",
            moved=_valid_moves(self.moved),
            **values,
        )

    def with_seed(self, seed: int) -> "TriangleSettings":
        """The same settings on another batch: seeds wrap around, and no image is moved."""
        largest = int(self.RANGES["seed"][1])
        return replace(self, seed=seed % (largest + 1), moved=())


def _valid_moves(moved: tuple[tuple[int, int, int], ...]) -> tuple[tuple[int, int, int], ...]:
    """Moves of existing images, clipped to the triangle, at most one per image, sorted by index."""
    valid = {}
    for index, a, b in moved:
        a = min(max(a, 1), 98)
        b = min(max(b, 1), 99 - a)
        if 0 <= index < IMAGES:
            valid[index] = (index, a, b)
    return tuple(valid[k] for k in sorted(valid))


@dataclass(frozen=True)
class TrianglePreset:
    """Named settings of the triangle, and what to observe."""

    title: str
    hint: str  # what to observe; it does not give the result away
    settings: TriangleSettings


PRESETS: dict[str, TrianglePreset] = {
    "strangers": TrianglePreset(
        "Unknown images",
        "Four of ten images belong to no class. Watch the diamonds.",
        TriangleSettings(),
    ),
    "closed": TrianglePreset(
        "Only known images",
        "Every image belongs to a class, so the weights have little effect.",
        TriangleSettings(share=0),
    ),
    "lookalike": TrianglePreset(
        "Similar unknown images",
        "Unknown images are as similar to a class as known images. Watch whether the weights differ.",
        TriangleSettings(kind="lookalike"),
    ),
    "absent": TrianglePreset(
        "Empty class",
        "No image shows class C. Watch which images move to its corner.",
        TriangleSettings(absent=True),
    ),
    "released": TrianglePreset(
        "Unscaled weights",
        "The weights are computed from unscaled cosines, as in the released script. Compare UEO with InfoMax.",
        TriangleSettings(temperature=LOGIT_SCALE),
    ),
    "lambda": TrianglePreset(
        "λ = 0",
        "Term two is switched off. Watch what UEO does without it.",
        TriangleSettings(trade=0.0),
    ),
}
