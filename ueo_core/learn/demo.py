"""The images of Learn: the built-in problem and the predictions of a teaching model."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ueo_core.analysis.histograms import Densities, densities
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.drawings.sample import Problem
from ueo_core.evaluation.metrics import OOD, auc, truth_from_labels
from ueo_core.evaluation.ood_scores import mcm, msp
from ueo_core.learn.one_image import (
    TemperatureSweep,
    cosines_of,
    pixels_of_png,
    temperature_sweep,
)
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP

KNOWN_DRAWINGS, UNKNOWN_DRAWINGS = 5, 3  # of the eight
CHUNK = 8  # images per forward pass; between two passes, other threads can use the model


class Demo:
    """A teaching model, the built-in problem, and the predictions for its test images.

    Images are drawn and encoded when they are first needed: eight of them take less than a
    second, all of them several seconds. Threads may share an instance.
    """

    def __init__(self, model: AdaptedCLIP, chosen: Problem):
        self.model, self.problem = model, chosen
        # One thread at a time uses the model, possibly with an adapter loaded.
        self.lock = threading.Lock()
        self._drawn: dict[int, bytes] = {}  # PNG; a night scene takes 0.1 s to draw
        self._cosines = np.full((len(chosen.test), len(chosen.classes)), np.nan, np.float32)
        with torch.no_grad():
            self._text = model.encode_text()

    def cosines_at(self, indices: Sequence[int]) -> NDArray[np.float32]:
        """Zero-shot cosines of test images with every class. → (n, C)"""
        rows = np.asarray(indices, int)
        missing = rows[np.isnan(self._cosines[rows, 0])]
        # Known results need no lock, so they do not wait for a thread that computes others.
        for part in np.array_split(missing, -(-len(missing) // CHUNK)) if len(missing) else ():
            with self.lock:
                new = part[np.isnan(self._cosines[part, 0])]
                if len(new):
                    views = Views(RenderedImages(self), self.model.backbone).evaluation(new)
                    with torch.no_grad():
                        features = self.model.encode_image(views)
                        self._cosines[new] = self.model.cosines(features, self._text).numpy()
        return self._cosines[rows]

    @cached_property
    def cosines(self) -> NDArray[np.float32]:
        """(N, C) zero-shot cosines of all test images."""
        return self.cosines_at(range(len(self.problem.test)))

    @property
    def all_computed(self) -> bool:
        """Whether the cosines of all test images have been computed."""
        return "cosines" in vars(self)

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """(N,) class index or OOD. For display and metrics only; training never sees it."""
        return truth_from_labels(self.problem.test, self.problem.classes)

    @property
    def scale(self) -> float:
        """The logit scale s."""
        return self.model.logit_scale

    def confidence(self, indices: Sequence[int]) -> NDArray[np.float64]:
        """Confidence of test images: max softmax at the logit scale. → (n,)"""
        return np.asarray(msp(self.cosines_at(indices), self.scale), np.float64)

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """(N,) OOD score MCM, T = 1; higher for known images."""
        return np.asarray(mcm(self.cosines), np.float64)

    @property
    def auc(self) -> float:
        """AUC of the score over the test images, percent; NaN if known or unknown images are missing."""
        value = auc(self.score, self.truth)
        return math.nan if value is None else value

    @cached_property
    def sweep(self) -> TemperatureSweep:
        """The effect of the temperature on all weights and on the AUC."""
        return temperature_sweep(self.cosines, self.truth, self.scale)

    def cosines_of(
        self, pixels: NDArray[np.uint8], adapter: dict[str, Tensor] | None = None
    ) -> NDArray[np.float32]:
        """Cosines of any image with every class, zero-shot or with an adapter. (H, W, 3) → (C,)"""
        with self.lock:
            if adapter:
                self.model.load_adapter(adapter)
            try:
                return cosines_of(self.model, pixels)
            finally:
                self.model.reset()

    def change_by_layer(self, adapter: dict[str, Tensor]) -> dict[str, float]:
        """Relative change of the context and of every normalization layer, by an adapter."""
        with self.lock:
            self.model.load_adapter(adapter)
            try:
                return self.model.change_by_layer()
            finally:
                self.model.reset()

    def image(self, i: int) -> bytes:
        """Test image i as a PNG; each image is drawn only once."""
        if i not in self._drawn:
            self._drawn[i] = self.problem.image("test", i)
        return self._drawn[i]

    def pixels(self, i: int) -> NDArray[np.uint8]:
        """Test image i. → (H, W, 3)"""
        return pixels_of_png(self.image(i))

    def prediction(self, i: int) -> str:
        """The class that the model predicts for test image i."""
        return self.problem.classes[int(self.cosines_at([i])[0].argmax())]


class RenderedImages:
    """A stage's test images as pixels, drawn when they are needed."""

    def __init__(self, demo: Demo):
        self._stage = demo

    def __len__(self) -> int:
        return len(self._stage.problem.test)

    def pixels(self, i: int) -> np.ndarray:
        return self._stage.pixels(i)


def open_demo(backbone: str, chosen: Problem) -> Demo:
    """Load a teaching model for a problem's classes. UserError without its weights."""
    loaded = backbones.load(backbone, device="cpu")
    return Demo(AdaptedCLIP(loaded, list(chosen.classes), Settings().prompt), chosen)


def draw_eight(demo: Demo, draw: int) -> list[int]:
    """Five known and three unknown test images, each of a different noun, shuffled.

    draw: random seed → indices into the test images
    """
    g = np.random.default_rng([draw, 8])
    chosen: list[int] = []
    nouns = np.array(demo.problem.test)
    for is_ood, count in ((False, KNOWN_DRAWINGS), (True, UNKNOWN_DRAWINGS)):
        candidates = sorted(set(nouns[(demo.truth == OOD) == is_ood]))
        for noun in g.permutation(candidates)[:count]:
            chosen.append(int(g.choice(np.flatnonzero(nouns == noun))))
    return [int(i) for i in g.permutation(chosen)]


@dataclass(frozen=True)
class Threshold:
    """A threshold on the score, and the images that it accepts."""

    threshold: float
    known_accepted: float  # known images at or above it, percent
    unknown_accepted: float  # unknown images at or above it, percent


def threshold_at(demo: Demo, below: int) -> Threshold:
    """The threshold with `below` percent of the known images below it."""
    known = demo.truth != OOD
    known_scores, unknown_scores = np.sort(demo.score[known]), demo.score[~known]
    n = known_scores.size
    threshold = float(known_scores[min(int(below / 100 * n), n - 1)])
    if below >= 100:
        threshold = float(np.nextafter(known_scores[-1], np.inf))
    return Threshold(
        threshold,
        100 * float((known_scores >= threshold).mean()),
        100 * float((unknown_scores >= threshold).mean()),
    )


def zero_shot_densities(demo: Demo) -> Densities:
    """Densities of the zero-shot score of known and of unknown images."""
    known = demo.truth != OOD
    return densities({"known": demo.score[known], "unknown": demo.score[~known]})


def count_guesses(demo: Demo, chosen: list[int], marked: set[int]) -> dict[str, int]:
    """How many of the eight were marked correctly.

    marked: places 0–7 marked as unknown → correct, false_alarms, unknown
    """
    ood = {place for place, i in enumerate(chosen) if demo.truth[i] == OOD}
    return {
        "correct": len(ood & marked),
        "false_alarms": len(marked - ood),
        "unknown": len(ood),
    }
