"""The story's real images: the built-in problem under a teaching model, computed live."""

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
from ueo_core.learn.anatomy import Sweep, cosines_of, from_png, sweep
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP

KNOWN, UNKNOWN = 5, 3  # drawings of the eight
PART = 8  # images looked at in one go; between two, others may borrow the model


class Stage:
    """A teaching model, the built-in problem, and what the model says of its test images.

    Images are drawn and looked at when they are first asked for: eight take a moment, all
    of them seconds. Safe to share between threads.
    """

    def __init__(self, model: AdaptedCLIP, chosen: Problem):
        self.model, self.problem = model, chosen
        # One viewer at a time borrows the model, perhaps with a delta in it.
        self.lock = threading.Lock()
        self._drawn: dict[int, bytes] = {}  # PNG; a night scene takes a tenth of a second to draw
        self._cosines = np.full((len(chosen.test), len(chosen.classes)), np.nan, np.float32)
        with torch.no_grad():
            self._text = model.encode_text()

    def look(self, wanted: Sequence[int] | NDArray) -> NDArray[np.float32]:
        """Zero-shot cosines of test images with every class. → (n, C)"""
        indices = np.asarray(wanted, int)
        unseen = indices[np.isnan(self._cosines[indices, 0])]
        # What has been seen is answered without waiting for whoever looks at the rest.
        for part in np.array_split(unseen, -(-len(unseen) // PART)) if len(unseen) else ():
            with self.lock:
                new = part[np.isnan(self._cosines[part, 0])]
                if len(new):
                    views = Views(Rendered(self), self.model.backbone).evaluation(new)
                    with torch.no_grad():
                        features = self.model.encode_image(views)
                        self._cosines[new] = self.model.cosines(features, self._text).numpy()
        return self._cosines[indices]

    @cached_property
    def cosines(self) -> NDArray[np.float32]:
        """(N, C) zero-shot cosines of all test images."""
        return self.look(range(len(self.problem.test)))

    @property
    def seen_all(self) -> bool:
        """Whether every test image has been looked at."""
        return "cosines" in vars(self)

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """(N,) class index or OOD. For display and metrics; nothing is trained on it."""
        return truth_from_labels(self.problem.test, self.problem.classes)

    @property
    def scale(self) -> float:
        """The logit scale s."""
        return self.model.logit_scale

    def sure(self, indices: Sequence[int] | NDArray) -> NDArray[np.floating]:
        """Confidence of test images: max softmax at the logit scale. → (n,)"""
        return msp(self.look(indices), self.scale)

    @cached_property
    def score(self) -> NDArray[np.floating]:
        """(N,) OOD score MCM, T = 1; higher is more known."""
        return mcm(self.cosines)

    @property
    def auc(self) -> float:
        """AUC of the score over the test images, percent."""
        value = auc(self.score, self.truth)
        assert value is not None, "the built-in problem has known and unknown images"
        return value

    @cached_property
    def sweep(self) -> Sweep:
        """What a temperature does to all weights and to the AUC."""
        return sweep(self.cosines, self.truth, self.scale)

    def cosines_of(
        self, pixels: NDArray[np.uint8], adapter: dict[str, Tensor] | None = None
    ) -> NDArray[np.float32]:
        """Cosines of any image with every class, zero-shot or with a delta. (H, W, 3) → (C,)"""
        with self.lock:
            if adapter:
                self.model.load_adapter(adapter)
            try:
                return cosines_of(self.model, pixels)
            finally:
                self.model.reset()

    def change_by_layer(self, adapter: dict[str, Tensor]) -> dict[str, float]:
        """Relative change of the context and of every normalization layer under a delta."""
        with self.lock:
            self.model.load_adapter(adapter)
            try:
                return self.model.change_by_layer()
            finally:
                self.model.reset()

    def image(self, i: int) -> bytes:
        """Test image i as a PNG, drawn once."""
        if i not in self._drawn:
            self._drawn[i] = self.problem.image("test", i)
        return self._drawn[i]

    def pixels(self, i: int) -> NDArray[np.uint8]:
        """Test image i. → (H, W, 3)"""
        return from_png(self.image(i))

    def predicted_class(self, i: int) -> str:
        """The class that the model names for test image i."""
        return self.problem.classes[int(self.look([i])[0].argmax())]


class Rendered:
    """A stage's test images as pixels, drawn when asked for."""

    def __init__(self, stage: Stage):
        self._stage = stage

    def __len__(self) -> int:
        return len(self._stage.problem.test)

    def pixels(self, i: int) -> np.ndarray:
        return self._stage.pixels(i)


def open_stage(backbone: str, chosen: Problem) -> Stage:
    """Load a teaching model for a problem's classes. UserError without its weights."""
    loaded = backbones.load(backbone, device="cpu")
    return Stage(AdaptedCLIP(loaded, list(chosen.classes), Settings().prompt), chosen)


def eight(stage: Stage, draw: int) -> list[int]:
    """Five test images of classes and three unknown ones, each of another object, shuffled.

    draw: seed. → indices into the test images
    """
    g = np.random.default_rng([draw, 8])
    chosen: list[int] = []
    nouns = np.array(stage.problem.test)
    for is_ood, count in ((False, KNOWN), (True, UNKNOWN)):
        things = sorted(set(nouns[(stage.truth == OOD) == is_ood]))
        for noun in g.permutation(things)[:count]:
            chosen.append(int(g.choice(np.flatnonzero(nouns == noun))))
    return [int(i) for i in g.permutation(chosen)]


@dataclass(frozen=True)
class Line:
    """What a threshold on the score does."""

    threshold: float
    kept: float  # known images at or above it, percent
    passed: float  # unknown images at or above it, percent


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


def two_hills(stage: Stage) -> Densities:
    """Densities of the score of known and unknown images, zero-shot."""
    known = stage.truth != OOD
    return densities({"known": stage.score[known], "unknown": stage.score[~known]})


def found(stage: Stage, chosen: list[int], ticked: set[int]) -> dict[str, int]:
    """How many of the guesses among the eight are right. ticked: places 0–7 → hits, wrong, unknown"""
    ood = {place for place, i in enumerate(chosen) if stage.truth[i] == OOD}
    return {
        "hits": len(ood & ticked),
        "wrong": len(ticked - ood),
        "unknown": len(ood),
    }
