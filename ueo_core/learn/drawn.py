"""The story's real images: the built-in problem under a teaching model, computed live."""

import threading
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ueo_core import backbones
from ueo_core.adapt import image_features
from ueo_core.adapted import AdaptedCLIP
from ueo_core.drawings.sample import Problem
from ueo_core.learn.anatomy import cosines_of, from_png
from ueo_core.metrics import OOD, auc, truth_from_labels
from ueo_core.report.histograms import Hills, hills
from ueo_core.scores import mcm, msp
from ueo_core.settings import Settings
from ueo_core.views import Views

KNOWN, STRANGE = 5, 3  # drawings of the eight


@dataclass(frozen=True)
class Stage:
    """A teaching model, the built-in problem and what the model says of its test images."""

    model: AdaptedCLIP
    problem: Problem
    features: Tensor  # (N, D) zero-shot features of the test images, unit length
    cosines: NDArray[np.float32]  # (N, C) zero-shot
    # One viewer at a time borrows the model with a delta in it.
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False)

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """(N,) class index or OOD. For the room's eyes and the metrics; nothing is trained on it."""
        return truth_from_labels(self.problem.test, self.problem.classes)

    @property
    def scale(self) -> float:
        """The logit scale s."""
        return self.model.logit_scale

    @cached_property
    def sure(self) -> NDArray[np.float64]:
        """(N,) confidence: max softmax at the logit scale."""
        return msp(self.cosines, self.scale)

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """(N,) OOD score MCM, T = 1; higher is more known."""
        return mcm(self.cosines)

    @property
    def auc(self) -> float:
        """AUC of the score over the test images, percent."""
        return auc(self.score, self.truth)

    def cosines_of(
        self, pixels: NDArray[np.uint8], delta: dict[str, Tensor] | None = None
    ) -> NDArray[np.float32]:
        """Cosines of any image with every class, zero-shot or with a delta. (H, W, 3) → (C,)"""
        with self.lock:
            if delta:
                self.model.load_delta(delta)
            try:
                return cosines_of(self.model, pixels)
            finally:
                self.model.reset()

    def change_by_layer(self, delta: dict[str, Tensor]) -> dict[str, float]:
        """Relative change of the context and of every normalisation layer under a delta."""
        with self.lock:
            self.model.load_delta(delta)
            try:
                return self.model.change_by_layer()
            finally:
                self.model.reset()

    def pixels(self, i: int) -> NDArray[np.uint8]:
        """Test image i. → (H, W, 3)"""
        return Rendered(self.problem).pixels(i)

    def answer(self, i: int) -> str:
        """The class that the model names for test image i."""
        return self.problem.classes[int(self.cosines[i].argmax())]


class Rendered:
    """Test images of a problem as pixels, drawn when asked for."""

    def __init__(self, problem: Problem):
        self.problem = problem

    def __len__(self) -> int:
        return len(self.problem.test)

    def pixels(self, i: int) -> np.ndarray:
        return from_png(self.problem.image("test", i))


def open_stage(backbone: str, chosen: Problem) -> Stage:
    """Load a teaching model for a problem's classes and look at its test images (seconds)."""
    model = AdaptedCLIP(
        backbones.load(backbone, device="cpu"), list(chosen.classes), Settings().prompt
    )
    features = image_features(model, Views(Rendered(chosen), model.backbone))
    with torch.no_grad():
        cosines = (features @ model.encode_text().T).numpy()
    return Stage(model, chosen, features, cosines)


def eight(stage: Stage, draw: int) -> list[int]:
    """Five test images of classes and three strangers, each of another thing, shuffled.

    draw: seed. → indices into the test images
    """
    g = np.random.default_rng([draw, 8])
    chosen: list[int] = []
    nouns = np.array(stage.problem.test)
    for is_stranger, count in ((False, KNOWN), (True, STRANGE)):
        things = sorted(set(nouns[(stage.truth == OOD) == is_stranger]))
        for noun in g.permutation(things)[:count]:
            chosen.append(int(g.choice(np.flatnonzero(nouns == noun))))
    return [int(i) for i in g.permutation(chosen)]


@dataclass(frozen=True)
class Line:
    """What a threshold on the score does."""

    threshold: float
    kept: float  # known images at or above it, percent
    passed: float  # strangers at or above it, percent


def draw_line(stage: Stage, below: int) -> Line:
    """The line that leaves `below` percent of the known images beneath it."""
    known = stage.truth != OOD
    mine, theirs = np.sort(stage.score[known]), stage.score[~known]
    threshold = float(mine[min(int(below / 100 * mine.size), mine.size - 1)])
    if below >= 100:
        threshold = float(np.nextafter(mine[-1], np.inf))
    return Line(
        threshold,
        100 * float((mine >= threshold).mean()),
        100 * float((theirs >= threshold).mean()),
    )


def two_hills(stage: Stage) -> Hills:
    """Densities of the score of known images and of strangers, zero-shot."""
    known = stage.truth != OOD
    return hills({"now · known": stage.score[known], "now · unknown": stage.score[~known]})


def found(stage: Stage, chosen: list[int], ticked: set[int]) -> dict[str, int]:
    """How well the room guessed among the eight. ticked: places 0–7 → hits, wrong, strangers"""
    strangers = {place for place, i in enumerate(chosen) if stage.truth[i] == OOD}
    return {
        "hits": len(strangers & ticked),
        "wrong": len(ticked - strangers),
        "strangers": len(strangers),
    }
