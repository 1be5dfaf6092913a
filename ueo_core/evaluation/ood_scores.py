"""OOD scores: pure functions of cosines, higher = more in-distribution.

Every score takes cosines (N, C) and the logit scale, and returns one value per image (N,). Cosines may
stay in their file (`utils.rows.Rows`): in memory is a block of rows at a time, because softmax in
float64 takes some eight times as much as the cosines.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logsumexp, softmax

from ueo_core.utils.rows import Rows, by_rows

Array = NDArray[np.floating]


def _in_blocks(compute: Callable[..., Array]) -> Callable[..., Array]:
    """The same score, for any number of images: a block of rows at a time."""

    @wraps(compute)
    def whole(cosines, *scale, **named):
        return by_rows(lambda rows: compute(rows, *scale, **named), cosines)

    return whole


@_in_blocks
def mcm(cosines: Array, scale: float = 1.0) -> Array:
    """Maximum concept matching: max softmax of the plain cosines, T = 1 (Ming et al., 2022).

    `scale` is not used; all scores have the same signature. (N, C) → (N,)
    """
    return softmax(np.asarray(cosines, np.float64), axis=1).max(1)


@_in_blocks
def msp(cosines: Array, scale: float) -> Array:
    """Maximum softmax probability at the logit scale (Hendrycks & Gimpel, 2017). (N, C) → (N,)"""
    return softmax(scale * np.asarray(cosines, np.float64), axis=1).max(1)


@_in_blocks
def max_cosine(cosines: Array, scale: float = 1.0) -> Array:
    """The largest cosine: the maximum logit over the logit scale, so in the same order. (N, C) → (N,)

    Source: MaxLogit, Hendrycks et al., 2022. No temperature changes its order, nor then AUC or FPR95.
    """
    return np.asarray(cosines, np.float64).max(1)


@_in_blocks
def energy(cosines: Array, scale: float) -> Array:
    """Negative free energy: logsumexp of the logits at the logit scale (Liu et al., 2020). → (N,)"""
    return logsumexp(scale * np.asarray(cosines, np.float64), axis=1)


@_in_blocks
def neg_entropy(cosines: Array, scale: float) -> Array:
    """Minus the entropy of the prediction at the logit scale, in nats. (N, C) → (N,)"""
    log_p = log_softmax(scale * np.asarray(cosines, np.float64), axis=1)
    return (np.exp(log_p) * log_p).sum(1)


@_in_blocks
def margin(cosines: Array, scale: float) -> Array:
    """Gap between the two largest probabilities at the logit scale. (N, C) → (N,)"""
    p = np.sort(softmax(scale * np.asarray(cosines, np.float64), axis=1), axis=1)
    return p[:, -1] - p[:, -2]


def neg_label(cosines: Rows, negatives: Rows, scale: float) -> Array:
    """Share of the classes in a softmax over classes and negative words, at the logit scale.

    Σ_c exp(s·cos_c) / (Σ_c exp(s·cos_c) + Σ_k exp(s·cos_k)), from 0 to 1. No row of SCORES: those are
    functions of the cosines with the classes alone. Source: NegLabel, Jiang et al., ICLR 2024, whose
    temperature is 0.01, which is CLIP's scale of 100; without its grouping, for few words.
    (N, C), (N, K) → (N,)
    """
    return expit(energy(cosines, scale) - energy(negatives, scale))


@dataclass(frozen=True)
class Score:
    """A score, its display name and its temperature."""

    title: str
    scaled: bool  # uses the logit scale; else the plain cosines, T = 1
    compute: Callable[..., Array]

    def temperature(self, logit_scale: float) -> str:
        """The temperature as it is shown beside the score."""
        return f"logits × {logit_scale:g}" if self.scaled else "unscaled cosines, T = 1"


SCORES: dict[str, Score] = {
    "mcm": Score("MCM", False, mcm),
    "msp": Score("MSP", True, msp),
    "max-cosine": Score("Maximum cosine", False, max_cosine),
    "energy": Score("Energy", True, energy),
    "entropy": Score("Negative entropy", True, neg_entropy),
    "margin": Score("Margin", True, margin),
}
DEFAULT_SCORE = "mcm"
# By itself, because it also takes the cosines with negative words: no row of SCORES.
NEG_LABEL = "neglabel"
NEG_LABEL_SCORE = Score("NegLabel", True, neg_label)


def score_named(name: str) -> Score:
    """A score of SCORES, or NegLabel."""
    return NEG_LABEL_SCORE if name == NEG_LABEL else SCORES[name]
