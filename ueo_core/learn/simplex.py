"""A small version of the method: three classes, one batch of points, ten trained parameters.

It imitates what UEO trains. Images are vectors of five features: one per class, one that
all images have and one that only unknown images have; the class prompts have the last two
as well. Trained are the bias of one normalization layer and one context vector that all
classes share (five parameters each). Predictions are softmax(s · cos) as in CLIP. Losses,
weights and gradients come from `ueo_core.methods.ueo` through autograd; none is implemented
a second time here.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import Tensor

from ueo_core.config.methods import METHODS
from ueo_core.evaluation.metrics import OOD, accuracy
from ueo_core.evaluation.ood_scores import mcm
from ueo_core.learn.triangle_settings import (
    CLASS_NAMES,
    IMAGES,
    LEARNING_RATE,
    LOGIT_SCALE,
    STEPS,
    TriangleSettings,
)
from ueo_core.methods.ueo import confidence_weights, terms

C = len(CLASS_NAMES)
SHARED_FEATURE, UNKNOWN_FEATURE = C, C + 1  # the two features after those of the classes
FEATURES = C + 2
SHARED_SIZE = 1.5  # of the shared feature: most of a CLIP feature is common to all images
UNKNOWN_SIZE = 1.5  # of the feature of unknown images
UNKNOWN_SIMILARITY = 0.24  # class feature of an unknown image, as a share of a known image's
SPREAD = 0.34  # standard deviation of class features, as a share of a known image's
ORDER = ("entmin", "infomax", "ueo")  # from the simplest to UEO


@dataclass(frozen=True)
class Trajectory:
    """Three methods from the same start. M methods, K + 1 states, N points.

    State 0 is zero-shot, state k follows k steps. Entropies in nats, ACC and AUC in percent.
    """

    settings: TriangleSettings
    truth: NDArray[np.int64]  # (N,) class index or OOD; for metrics and display only
    weights: NDArray[np.float32]  # (M, N) w_i; 1 for methods without weights
    trade: NDArray[np.float32]  # (M,) λ of each method
    cosines: NDArray[np.float32]  # (M, K + 1, N, C)
    points: NDArray[np.float32]  # (M, K + 1, N, C) predictions p_i
    arrows: NDArray[
        np.float32
    ]  # (M, K + 1, 2, N, C) N · dp_i along term one's descent, and term two's
    terms: NDArray[np.float32]  # (M, K + 1, 2) Σ w̃ H(p) and H(p̄)
    acc: NDArray[np.float64]  # (M, K + 1)
    auc: NDArray[np.float64]  # (M, K + 1), NaN without known or unknown images

    @property
    def methods(self) -> tuple[str, ...]:
        return ORDER

    @property
    def loss(self) -> NDArray[np.float32]:
        """Term one − λ · term two. (M, K + 1)"""
        return self.terms[..., 0] - self.trade[:, None] * self.terms[..., 1]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which points belong to a class. (N,)"""
        return self.truth != OOD

    @property
    def mean(self) -> NDArray[np.float32]:
        """p̄ = Σ q_i p_i, q_i ∝ 1/w_i, of each method and state. (M, K + 1, C)"""
        q = 1 / self.weights
        q = q / q.sum(1, keepdims=True)
        return np.einsum("mn,mknc->mkc", q, self.points)


def batch(settings: TriangleSettings) -> tuple[Tensor, NDArray[np.int64]]:
    """The images. → features (N, 5) float32, truth (N,) with OOD for unknown images"""
    g = np.random.default_rng(settings.seed)
    ood = round(IMAGES * settings.share / 100)
    x = np.zeros((IMAGES, FEATURES))
    present = C - 1 if settings.absent else C
    truth = np.array([i % present for i in range(IMAGES - ood)] + [OOD] * ood, np.int64)
    x[:, SHARED_FEATURE] = SHARED_SIZE
    for i, label in enumerate(truth):
        if label != OOD:
            x[i, label] = settings.sure
            continue
        similar = {"two": i % 2, "one": 0, "nothing": None, "lookalike": i % 2}[settings.kind]
        share = 1.0 if settings.kind == "lookalike" else UNKNOWN_SIMILARITY
        if similar is not None:  # mostly one class, and to a lesser extent the next
            x[i, similar] = share * settings.sure
            x[i, similar + 1] = 0.6 * share * settings.sure
        if settings.kind != "lookalike":
            x[i, UNKNOWN_FEATURE] = UNKNOWN_SIZE
    x[:, :C] += g.normal(0, SPREAD * settings.sure, (IMAGES, C))
    x[:, C:] += g.normal(0, 0.1, (IMAGES, FEATURES - C))
    for i, a, b in settings.moved:
        x[i, :C] = _class_features_for(x[i], np.array([a, b, 100 - a - b]) / 100)
    return torch.tensor(x, dtype=torch.float32), truth


def _class_features_for(x: NDArray, p: NDArray) -> NDArray[np.float64]:
    """Class features with which image x (F,) has the zero-shot prediction p (C,). → (C,)

    Their mean is kept. At step 0, cos_c = (x_c + a constant) / (|x| √3), so the deviations of
    the class features from their mean are those of log p times |x| √3 / s. |x|² depends on
    them as well; the equation is solved for it.
    """
    d = np.log(p) - np.log(p).mean()
    k = np.sqrt(FEATURES - C + 1) / LOGIT_SCALE
    mean = x[:C].mean()
    square = (C * mean**2 + (x[C:] ** 2).sum()) / (1 - k**2 * (d**2).sum())
    return mean + k * np.sqrt(square) * d


def cosines(x: Tensor, bias: Tensor, context: Tensor) -> Tensor:
    """Cosines of images and class prompts. (N, F), (M, F), (M, F) → (M, N, C)"""
    classes = torch.zeros(C, FEATURES)
    classes[:, :C] = torch.eye(C)
    classes[:, C:] = 1.0
    image = F.normalize(x + bias[:, None], dim=-1)  # (M, N, F)
    text = F.normalize(classes + context[:, None], dim=-1)  # (M, C, F)
    return image @ text.transpose(1, 2)


def learning_rate(step: int) -> float:
    """Cosine schedule from LEARNING_RATE to zero, so that the last steps do not oscillate."""
    return LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))


@lru_cache(maxsize=1)
def _threads() -> ThreadpoolController:
    """The thread pools of the process; found once, after torch has loaded its own."""
    return ThreadpoolController()


@lru_cache(maxsize=64)
def simulate(settings: TriangleSettings) -> Trajectory:
    """Run the three methods for STEPS steps from the same start."""
    # One thread: the arrays are small, and next to a running adaptation several threads made
    # every operation fifty times slower. This limit affects the calling thread only;
    # torch.set_num_threads would affect the others as well.
    with _threads().limit(limits=1, user_api="openmp"):
        return _simulate(settings.within())


def _simulate(settings: TriangleSettings) -> Trajectory:
    x, truth = batch(settings)
    m = len(ORDER)
    bias = torch.zeros(m, FEATURES, requires_grad=True)
    context = torch.zeros(m, FEATURES, requires_grad=True)
    with torch.no_grad():
        start = cosines(x, bias[:1], context[:1])[0]
    confidence = confidence_weights(start, LOGIT_SCALE / settings.temperature)
    weights = torch.stack([METHODS[name].weights(confidence) for name in ORDER])  # (M, N)
    trade = torch.tensor([METHODS[name].trade(settings.trade) for name in ORDER])
    all_cosines = np.empty((m, STEPS + 1, IMAGES, C), np.float32)
    descent = np.empty((m, STEPS + 1, 2, IMAGES, C), np.float32)  # −dL/dz of each term
    values = np.empty((m, STEPS + 1, 2), np.float32)
    for k in range(STEPS + 1):
        cos = cosines(x, bias, context)
        logits = LOGIT_SCALE * cos
        # The arrows need the gradient of each term at the logits; their sum is backpropagated.
        z = logits.detach().requires_grad_()
        both = terms(z, weights)
        # The methods share no parameter, so the gradient of their sum has those of each method.
        (one,) = torch.autograd.grad(both.entropy.sum(), z, retain_graph=True)
        (two,) = torch.autograd.grad((trade * both.marginal).sum(), z)
        gradients = torch.autograd.grad(logits, (bias, context), one - two)
        all_cosines[:, k] = cos.detach().numpy()
        descent[:, k, 0], descent[:, k, 1] = -one.numpy(), two.numpy()
        values[:, k] = torch.stack([v.detach() for v in both], 1).numpy()
        with torch.no_grad():
            for parameter, gradient in zip((bias, context), gradients, strict=True):
                parameter -= learning_rate(k) * gradient
    points = torch.from_numpy(LOGIT_SCALE * all_cosines).softmax(-1).numpy()
    p = points[:, :, None]  # dp = p ∘ (dz − Σ p dz)
    arrows = IMAGES * p * (descent - (p * descent).sum(-1, keepdims=True))
    return Trajectory(
        settings=settings,
        truth=truth,
        weights=weights.numpy(),
        trade=trade.numpy(),
        cosines=all_cosines,
        points=points,
        arrows=arrows,
        terms=values,
        acc=_accuracies(points, truth),
        auc=_aucs(all_cosines, truth),
    )


def _accuracies(points: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """ACC of every method and state, percent. (M, K + 1, N, C) → (M, K + 1)"""
    predictions = points.argmax(-1)
    return np.array([[accuracy(p, truth, C) for p in row] for row in predictions])


def _aucs(cos: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """AUC of the MCM score of every method and state, percent: the share of ordered pairs.

    Computed for all states at once, because one ranking per state would take longer than the
    steps. (M, K + 1, N, C) → (M, K + 1), NaN without known or unknown images
    """
    known = truth != OOD
    if known.all() or not known.any():
        return np.full(cos.shape[:2], np.nan)
    score = mcm(cos.reshape(-1, C)).reshape(cos.shape[:3])
    a, b = score[..., known, None], score[..., None, ~known]
    return 100 * ((a > b) + 0.5 * (a == b)).mean((-1, -2))
