"""The method in small: three classes, a batch of points, ten trained numbers.

A toy of what UEO trains. Images are vectors of five features: one for each class, one
that all images show and one that only unknown images show; the class prompts carry the last
two as well. Trained are the bias of one normalization layer and one context vector,
shared by all classes (five numbers each); predictions are softmax(s · cos) as in CLIP. Losses, weights and gradients come from
`ueo_core.objectives` through autograd; nothing of them is written a second time here.
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
from ueo_core.learn.knobs import CLASS_NAMES, IMAGES, LOGIT_SCALE, RATE, STEPS, Knobs
from ueo_core.methods.ueo import confidence_weights, terms

C = len(CLASS_NAMES)
SHARED, FOREIGN = C, C + 1  # the two features behind the classes' own
FEATURES = C + 2
COMMON = 1.5  # size of the shared feature: most of a CLIP feature is common to all images
UNKNOWN = 1.5  # size of the feature of unknown images
LEAN = 0.24  # how much an unknown image shows of a class, as a share of a known image's
SPREAD = 0.34  # deviation of the class features, as a share of a known image's
ORDER = ("entmin", "infomax", "ueo")  # from the plainest to the whole


@dataclass(frozen=True)
class Trajectory:
    """What three methods do from the same start. M methods, K + 1 moments, N points.

    Moment 0 is the zero-shot start; entropies in nats, ACC and AUC in percent.
    """

    knobs: Knobs
    truth: NDArray[np.int64]  # (N,) class index, or OOD; read by metrics and eyes alone
    weights: NDArray[np.float32]  # (M, N) w_i, one for the unweighted methods
    trade: NDArray[np.float32]  # (M,) λ in force
    cosines: NDArray[np.float32]  # (M, K + 1, N, C)
    points: NDArray[np.float32]  # (M, K + 1, N, C) predictions p_i
    pulls: NDArray[np.float32]  # (M, K + 1, 2, N, C) dp_i by term one, by term two, times N
    terms: NDArray[np.float32]  # (M, K + 1, 2) Σ w̃ H(p) and H(p̄)
    acc: NDArray[np.float64]  # (M, K + 1)
    auc: NDArray[np.float64]  # (M, K + 1), NaN without unknown images

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
        """p̄ = Σ q_i p_i, q_i ∝ 1/w_i, of each method and moment. (M, K + 1, C)"""
        q = 1 / self.weights
        q = q / q.sum(1, keepdims=True)
        return np.einsum("mn,mknc->mkc", q, self.points)


def batch(knobs: Knobs) -> tuple[Tensor, NDArray[np.int64]]:
    """The toy's images. → features (N, 5) float32, truth (N,) with OOD for unknown images"""
    g = np.random.default_rng(knobs.seed)
    ood = round(IMAGES * knobs.share / 100)
    x = np.zeros((IMAGES, FEATURES))
    present = C - 1 if knobs.absent else C
    truth = np.array([i % present for i in range(IMAGES - ood)] + [OOD] * ood, np.int64)
    x[:, SHARED] = COMMON
    for i, label in enumerate(truth):
        if label != OOD:
            x[i, label] = knobs.sure
            continue
        leaning = {"two": i % 2, "one": 0, "nothing": None, "lookalike": i % 2}[knobs.kind]
        share = 1.0 if knobs.kind == "lookalike" else LEAN
        if leaning is not None:  # mostly to one class, a little to the next
            x[i, leaning] = share * knobs.sure
            x[i, leaning + 1] = 0.6 * share * knobs.sure
        if knobs.kind != "lookalike":
            x[i, FOREIGN] = UNKNOWN
    x[:, :C] += g.normal(0, SPREAD * knobs.sure, (IMAGES, C))
    x[:, C:] += g.normal(0, 0.1, (IMAGES, FEATURES - C))
    for i, a, b in knobs.moved:
        x[i, :C] = _showing(x[i], np.array([a, b, 100 - a - b]) / 100)
    return torch.tensor(x, dtype=torch.float32), truth


def _showing(x: NDArray, p: NDArray) -> NDArray[np.float64]:
    """Class features with which image x (F,) starts at prediction p (C,); their mean stays. → (C,)

    At the start cos_c = (x_c + the rest) / (|x| √3), so that the features' deviations from
    their mean are log p's, times |x| √3 / s. |x|² holds them as well, and is solved for.
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


def rate(step: int) -> float:
    """Rate of a step: from RATE to zero by a cosine, so that nothing swings at the end."""
    return RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))


@lru_cache(maxsize=1)
def _threads() -> ThreadpoolController:
    """The process's thread pools; looked up once, after torch has loaded its own."""
    return ThreadpoolController()


@lru_cache(maxsize=64)
def simulate(knobs: Knobs) -> Trajectory:
    """Run the three methods for STEPS steps from the same start."""
    # A hundred numbers are no work for a team of threads: beside a running adaptation,
    # waiting for each other made every operation fifty times slower. This limits the
    # calling thread alone, where torch.set_num_threads would also reach the others.
    with _threads().limit(limits=1, user_api="openmp"):
        return _simulate(knobs.within())


def _simulate(knobs: Knobs) -> Trajectory:
    x, truth = batch(knobs)
    m = len(ORDER)
    bias = torch.zeros(m, FEATURES, requires_grad=True)
    context = torch.zeros(m, FEATURES, requires_grad=True)
    with torch.no_grad():
        start = cosines(x, bias[:1], context[:1])[0]
    confidence = confidence_weights(start, LOGIT_SCALE / knobs.temperature)
    weights = torch.stack([METHODS[name].weights(confidence) for name in ORDER])  # (M, N)
    trade = torch.tensor([METHODS[name].trade(knobs.trade) for name in ORDER])
    all_cosines = np.empty((m, STEPS + 1, IMAGES, C), np.float32)
    forces = np.empty((m, STEPS + 1, 2, IMAGES, C), np.float32)  # −dL/dz by either term
    values = np.empty((m, STEPS + 1, 2), np.float32)
    for k in range(STEPS + 1):
        cos = cosines(x, bias, context)
        logits = LOGIT_SCALE * cos
        # Differentiated at the logits, term by term, for the arrows; their sum goes on from there.
        z = logits.detach().requires_grad_()
        both = terms(z, weights)
        # The methods share no number, so the gradient of their sum holds each one's own.
        (one,) = torch.autograd.grad(both.entropy.sum(), z, retain_graph=True)
        (two,) = torch.autograd.grad((trade * both.marginal).sum(), z)
        moved = torch.autograd.grad(logits, (bias, context), one - two)
        all_cosines[:, k] = cos.detach().numpy()
        forces[:, k, 0], forces[:, k, 1] = -one.numpy(), two.numpy()
        values[:, k] = torch.stack([v.detach() for v in both], 1).numpy()
        with torch.no_grad():
            for parameter, gradient in zip((bias, context), moved, strict=True):
                parameter -= rate(k) * gradient
    points = torch.from_numpy(LOGIT_SCALE * all_cosines).softmax(-1).numpy()
    p = points[:, :, None]  # dp = p ∘ (dz − Σ p dz)
    pulls = IMAGES * p * (forces - (p * forces).sum(-1, keepdims=True))
    return Trajectory(
        knobs=knobs,
        truth=truth,
        weights=weights.numpy(),
        trade=trade.numpy(),
        cosines=all_cosines,
        points=points,
        pulls=pulls,
        terms=values,
        acc=_accuracies(points, truth),
        auc=_aucs(all_cosines, truth),
    )


def _accuracies(points: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """ACC of every method and moment, percent. (M, K + 1, N, C) → (M, K + 1)"""
    predictions = points.argmax(-1)
    return np.array([[accuracy(p, truth, C) for p in row] for row in predictions])


def _aucs(cos: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """AUC by MCM of every method and moment, percent: the share of ordered pairs.

    All moments at once, because a ranking each would take longer than the steps.
    (M, K + 1, N, C) → (M, K + 1), NaN without both sides
    """
    known = truth != OOD
    if known.all() or not known.any():
        return np.full(cos.shape[:2], np.nan)
    score = mcm(cos.reshape(-1, C)).reshape(cos.shape[:3])
    mine, theirs = score[..., known, None], score[..., None, ~known]
    return 100 * ((mine > theirs) + 0.5 * (mine == theirs)).mean((-1, -2))
