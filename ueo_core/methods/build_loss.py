"""From a method's row in `config.methods` to its loss, or to its function on cached features.

A method is one module, named in its row and imported when it is used. It defines one of

    build(settings, start) -> Objective                                    a loss for the loop
    adapt_features(model, pool, test, settings, check)
        -> (Predicted, Predicted) of pool and test                         works on cached features
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from torch import Tensor

from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.utils.errors import UserError

if TYPE_CHECKING:  # open_clip takes seconds to import, and the losses do not need it
    from ueo_core.models.adapted_clip import AdaptedCLIP


@dataclass(frozen=True)
class Batch:
    """Everything that a loss may use: no labels, no class names."""

    features: Tensor  # (B, D) unit image features, with gradient
    text: Tensor  # (C, D) unit text features, with gradient
    scale: float  # s in z = s · cos
    confidence: Tensor  # (B,) zero-shot confidences w_i, fixed
    index: Tensor  # (B,) indices into the pool

    @property
    def cosines(self) -> Tensor:
        """Cosines of images and class prompts. → (B, C)"""
        return self.features @ self.text.T

    @property
    def logits(self) -> Tensor:
        """z = s · cos. → (B, C)"""
        return self.scale * self.cosines


class Loss(NamedTuple):
    """What is minimized, and the two entropies that are recorded for every method; in nats."""

    total: Tensor
    entropy: Tensor  # Σ w̃ H(p), with the method's own weights
    marginal: Tensor  # H(p̄)


Objective = Callable[[Batch], Loss]


class Predicted(NamedTuple):
    """What an adapted model says of images."""

    cosines: Tensor  # (N, C)
    score: Tensor | None = None  # (N,) an OOD score of the method's own, higher = in-distribution


class FeatureMethod(Protocol):
    """Adapts to the cached features of a pool and predicts pool and test images.

    pool (N, D), test (M, D): zero-shot unit features on the CPU; model: the zero-shot model, which
    may be changed; check: called between steps, may raise to cancel. → pool and test.
    A method with probabilities p returns log p / s: their softmax at the logit scale s is p.
    """

    def __call__(
        self,
        model: "AdaptedCLIP",
        pool: Tensor,
        test: Tensor,
        settings: Settings,
        check: Callable[[], None],
    ) -> tuple[Predicted, Predicted]: ...


def build(settings: Settings, start: Tensor | None = None) -> Objective:
    """The loss of the settings' method.

    start: (N, D) zero-shot features of the pool; required by methods with `needs_start`.
    """
    method = METHODS[settings.method]
    if method.on_features:
        raise UserError(
            f"Method {method.title}: it works on cached features and has no loss for a run; "
            "use it with the command protocol."
        )
    if method.needs_start and start is None:
        raise ValueError(f"{method.title} needs the pool's zero-shot features")
    return _module(settings.method).build(settings, start)


def feature_method(name: str) -> FeatureMethod:
    """The function of a method that works on cached features."""
    if not METHODS[name].on_features:
        raise ValueError(f"{METHODS[name].title} does not work on cached features")
    return _module(name).adapt_features


def _module(name: str) -> ModuleType:
    return importlib.import_module(METHODS[name].module)
