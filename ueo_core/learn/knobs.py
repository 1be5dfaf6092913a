"""The settings of the triangle, and named presets of them. No torch here."""

from dataclasses import dataclass, replace
from typing import Any

CLASS_NAMES = ("A", "B", "C")  # the triangle's three corners
IMAGES = 60  # points in the batch
STEPS = 60  # gradient steps that are computed ahead
RATE = 0.3  # plain gradient descent; falls to zero by a cosine, as the method's own does
LOGIT_SCALE = 8.0  # s of the toy; small, so that predictions start inside the triangle

# Which unknown images the batch contains.
KINDS = {
    "two": "two unknown objects, each similar to a class",
    "one": "one unknown object, similar to one class",
    "nothing": "similar to no class",
    "lookalike": "as similar as known ones",
}


@dataclass(frozen=True)
class Knobs:
    """One setting of the triangle; everything that is drawn follows from it."""

    seed: int = 0  # draws the batch
    share: int = 40  # unknown images in the batch, percent
    kind: str = "two"  # a key of KINDS
    sure: float = 0.4  # how strongly a known image shows its class: confidence of the ID cluster
    trade: float = 1.0  # λ
    temperature: float = 1.0  # T_w of the weights: 1 is `scaled`, LOGIT_SCALE is `released`
    absent: bool = False  # no image of class C in the batch
    # Images whose start was moved by hand: (which, p_A, p_B), predictions in percent.
    moved: tuple[tuple[int, int, int], ...] = ()

    # The range of every knob that is a number: smallest, largest, step.
    RANGES = {
        "seed": (0, 999, 1),
        "share": (0, 80, 5),
        "sure": (0.2, 0.8, 0.05),
        "trade": (0.0, 3.0, 0.1),
        "temperature": (1.0, LOGIT_SCALE, 0.5),
    }

    def within(self) -> "Knobs":
        """The same knobs, every value forced into its range (links are typed by hand, too)."""
        values: dict[str, Any] = {
            name: type(getattr(self, name))(min(max(getattr(self, name), low), high))
            for name, (low, high, _) in self.RANGES.items()
        }
        return replace(
            self,
            kind=self.kind if self.kind in KINDS else "two",
            moved=_inside(self.moved),
            **values,
        )

    def with_seed(self, seed: int) -> "Knobs":
        """The same knobs on another batch; seeds wrap around, and moved dots go back."""
        return replace(self, seed=seed % (int(self.RANGES["seed"][1]) + 1), moved=())


def _inside(moved: tuple) -> tuple[tuple[int, int, int], ...]:
    """Moves of images that exist to places within the triangle, one an image, in order."""
    found = {}
    for which, a, b in moved:
        a = min(max(a, 1), 98)
        b = min(max(b, 1), 99 - a)
        if 0 <= which < IMAGES:
            found[which] = (which, a, b)
    return tuple(found[k] for k in sorted(found))


@dataclass(frozen=True)
class TrianglePreset:
    """A named setting with what to look for."""

    title: str
    look: str  # one sentence: what to watch, never what will be seen
    knobs: Knobs


PRESETS: dict[str, TrianglePreset] = {
    "strangers": TrianglePreset(
        "Unknown images in the batch",
        "Four points in ten belong to no class. Watch the diamonds.",
        Knobs(),
    ),
    "closed": TrianglePreset(
        "No unknown images",
        "Every image belongs to a class, so the weights have little effect.",
        Knobs(share=0),
    ),
    "lookalike": TrianglePreset(
        "Look-alikes",
        "Unknown images are as similar to the classes as known ones. Watch whether the weights separate them.",
        Knobs(kind="lookalike"),
    ),
    "absent": TrianglePreset(
        "An empty class",
        "No image is of class C. Watch which dots move to its corner.",
        Knobs(absent=True),
    ),
    "released": TrianglePreset(
        "Weights from unscaled cosines",
        "The weights are taken from unscaled cosines, as the released script does. Compare UEO with InfoMax.",
        Knobs(temperature=LOGIT_SCALE),
    ),
    "lambda": TrianglePreset(
        "λ = 0",
        "Term two is switched off. Watch what is left of UEO.",
        Knobs(trade=0.0),
    ),
}
DEFAULT_PRESET = "strangers"


def preset_of(knobs: Knobs) -> str | None:
    """The preset that these knobs are, whatever their seed; None where they are no preset."""
    plain = replace(knobs, seed=0)
    return next((key for key, preset in PRESETS.items() if preset.knobs == plain), None)
