"""Evidence without labels: what can be measured of a model on its pool, and how it is put together.

Nobody without labels can see whether adaptation helped. Each criterion here is a number that needs
none and that a better model tends to have larger; how well each of them orders models, and how well
their sum does, is measured with labels by `python -m ueo_core evidence` (docs/evidence.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from scipy.stats import spearmanr

from ueo_core.evaluation.guard_rule import consistency, spread
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import ashman_d

NEIGHBORS = 5  # images with the most similar features, per image
FAR = 6.0  # group widths from which two groups of scores no longer overlap
SHARPNESS = 0.05  # temperature of soft neighborhood density, its paper's


@dataclass(frozen=True, eq=False)  # identity: holds arrays
class Measured:
    """What is known of one model without labels."""

    cosines: NDArray  # (N, C) of evaluation views of the pool
    features: NDArray  # (N, D) unit features of the same
    logit_scale: float
    cropped: NDArray  # (n,) indices of the images that were cropped as well
    crops: NDArray  # (R, n, C) cosines of R random crops of each of these
    confidence: NDArray  # (N,) zero-shot confidence of the pool, the same for every model
    zero_shot: NDArray  # (N,) predictions of the zero-shot model

    @cached_property
    def prediction(self) -> NDArray[np.int64]:
        """(N,) class of the largest cosine."""
        return self.cosines.argmax(1)

    @cached_property
    def again(self) -> NDArray[np.int64]:
        """(R, n) predictions for the crops."""
        return self.crops.argmax(2)

    @cached_property
    def probabilities(self) -> NDArray:
        """(N, C) softmax at the logit scale."""
        return softmax(self.logit_scale * np.asarray(self.cosines, np.float64), axis=1)

    @property
    def classes(self) -> int:
        return self.cosines.shape[1]


def crop_consistency(m: Measured) -> float:
    """Chance-corrected agreement of images and random crops of them, see `guard_rule.consistency`."""
    return consistency(m.prediction[m.cropped], m.again, m.classes)


def confident_consistency(m: Measured) -> float:
    """Agreement of crops with their images, of the half with the larger zero-shot confidence. 0 to 1

    Unknown images are trained to agree as well, and most of them are in the other half; a model that
    gives all these images one class is caught by the other two parts of `evidence`.
    """
    confidence = m.confidence[m.cropped]
    half = confidence >= np.median(confidence)
    return float((m.again[:, half] == m.prediction[m.cropped][half]).mean())


def neighbor_consistency(m: Measured) -> float:
    """Chance-corrected agreement of images with their nearest neighbors by feature. ≤ 1

    (A − E)/(1 − E), A the share of pairs of an image and one of its NEIGHBORS nearest that have the
    same prediction, E = Σ_c p_c². In the spirit of the neighborhood criteria of Saito et al. (2021),
    for hard predictions, so that it does not grow with confidence alone.
    """
    n = len(m.prediction)
    k = min(NEIGHBORS, n - 1)
    if k < 1:
        return 0.0
    features = np.asarray(m.features, np.float32)
    similarity = features @ features.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    agreed = float((m.prediction[nearest] == m.prediction[:, None]).mean())
    share = np.bincount(m.prediction, minlength=m.classes) / n
    chance = float((share**2).sum())
    return (agreed - chance) / (1 - chance) if chance < 1 else 0.0


def soft_neighborhood_density(m: Measured) -> float:
    """Entropy of the similarities of predictions (Saito et al., ICCV 2021). In nats, 0 to log(N − 1)"""
    p = m.probabilities / np.linalg.norm(m.probabilities, axis=1, keepdims=True)
    logits = (p @ p.T) / SHARPNESS
    np.fill_diagonal(logits, -np.inf)
    log_s = log_softmax(logits, axis=1)
    s = np.exp(log_s)
    return float(-(s * np.where(s > 0, log_s, 0)).sum(1).mean())


def nuclear_norm(m: Measured) -> float:
    """Nuclear norm of the predictions (Cui et al., CVPR 2020) as a share of its bound √(N·min(N, C))."""
    p = m.probabilities
    return float(np.linalg.norm(p, "nuc") / np.sqrt(len(p) * min(p.shape)))


def certainty(m: Measured) -> float:
    """Minus the mean entropy of the predictions, in nats."""
    p = m.probabilities
    return float((p * np.log(np.maximum(p, 1e-300))).sum(1).mean())


def information(m: Measured) -> float:
    """Mutual information of image and prediction, InfoMax's objective (Krause et al., 2010), in nats."""
    return certainty(m) + spread_of(m) * float(np.log(m.classes))


def spread_of(m: Measured) -> float:
    """Entropy of the mean prediction as a share of log C, see `guard_rule.spread`."""
    return spread(m.probabilities)


def separation(m: Measured) -> float:
    """Distance of two groups of OOD scores in their widths, see `thresholds.ashman_d`."""
    return ashman_d(SCORES[DEFAULT_SCORE].compute(m.cosines, 1.0))


def two_groups(m: Measured) -> float:
    """The separation of scores as a share of FAR, at most 1: further apart says no more. 0 to 1"""
    return min(separation(m), FAR) / FAR


def score_agreement(m: Measured) -> float:
    """Rank correlation of the OOD scores of images and of crops of them, mean over crops. ≤ 1

    Agreement of crops is asked of predictions only; this asks it of known and unknown. 0 where all
    scores are the same.
    """
    compute = SCORES[DEFAULT_SCORE].compute
    whole = compute(m.cosines[m.cropped], 1.0)
    found = [
        float(spearmanr(whole, part)[0]) if np.ptp(whole) and np.ptp(part) else 0.0
        for part in (compute(crops, 1.0) for crops in m.crops)
    ]
    return float(np.mean(found))


def kept_predictions(m: Measured) -> float:
    """Share of images that keep their zero-shot prediction. 0 to 1"""
    return float((m.prediction == m.zero_shot).mean())


def evidence(m: Measured) -> float:
    """The evidence by which models are ordered, at most 5: the plain sum, without fitted weights.

    Crops, neighbors and confident images say whether classes are told apart; the agreement of
    scores and their groups say whether known and unknown are.
    """
    return (
        crop_consistency(m)
        + neighbor_consistency(m)
        + confident_consistency(m)
        + score_agreement(m)
        + two_groups(m)
    )


@dataclass(frozen=True)
class Criterion:
    """A criterion and its display name."""

    title: str
    measure: Callable[[Measured], float]


CRITERIA: dict[str, Criterion] = {
    "evidence": Criterion("evidence: the sum of the next five", evidence),
    "crops": Criterion("consistency under crops", crop_consistency),
    "neighbors": Criterion("consistency among neighbors", neighbor_consistency),
    "confident": Criterion("consistency of confident images", confident_consistency),
    "scores": Criterion("agreement of scores under crops", score_agreement),
    "groups": Criterion("two groups of scores", two_groups),
    "information": Criterion("mutual information", information),
    "nuclear": Criterion("nuclear norm", nuclear_norm),
    "certainty": Criterion("certainty", certainty),
    "spread": Criterion("spread of predictions", spread_of),
    "separation": Criterion("separation of scores", separation),
    "density": Criterion("soft neighborhood density", soft_neighborhood_density),
    "kept": Criterion("kept predictions", kept_predictions),
}


def criteria(measured: Measured) -> dict[str, float]:
    """Every criterion of a model, by its key in CRITERIA."""
    return {name: round(c.measure(measured), 6) for name, c in CRITERIA.items()}
