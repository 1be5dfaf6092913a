"""ROSITA: reliable known images near each other and far from reliable unknown ones, and the reverse.

Source: Sreenivas & Biswas, *Efficient Open Set Single Image Test Time Adaptation of Vision Language
Models*, TMLR 2025 (arXiv 2406.00481). The constants, the order of the updates and the temperature of 1
in all its softmaxes are those of its code. What is changed: the threshold is sought among all scores,
not in steps of 0.01 from 0 to 1, which the cosines of some models hardly reach; images come in batches of the pool, over
epochs, and the model is then frozen, where the paper takes a step on each image of a stream; the loss
is the mean over the batch's reliable images; of each image there is one view, the training crop, where
the paper adds a second one to the pseudo-label's term; and it trains what UEO trains, at UEO's rate.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.settings import Settings
from ueo_core.evaluation.thresholds import least_variance_threshold
from ueo_core.methods.build_loss import Batch, Loss, Objective
from ueo_core.methods.ueo import with_entropies

LAST = 512  # scores that the threshold is taken from
NEIGHBORS = 5  # K, of either kind; a class has as many places in the bank of known images
UNKNOWN_PLACES = 64
CONTRAST = 0.5  # α


def reliable(score: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which images are surely known, and which surely unknown. (B,), (N,) → (B,) bool, (B,) bool

    The last scores are split where the two groups vary least; an image is reliable beyond the mean of
    its own group. None is where the scores are all equal.
    """
    above = last >= least_variance_threshold(last)
    if above.all():
        return np.zeros(len(score), bool), np.zeros(len(score), bool)
    return score > last[above].mean(), score < last[~above].mean()


def contrast(features: Tensor, own: Tensor, other: Tensor, counts: Tensor | None = None) -> Tensor:
    """Nearness to the K nearest of its own bank, against the K nearest of the other. → (B,)

    mean over j of c_j (−sim_j + log Σ_k exp(sim_k)): j the nearest of `own` (N, D), k those of `other`
    (M, D), all unit. counts: (B, N) bool, which neighbors count; None: all.
    """
    near, place = (features @ own.T).topk(NEIGHBORS, dim=1)
    against = (features @ other.T).topk(NEIGHBORS, dim=1).values.logsumexp(1, keepdim=True)
    each = against - near
    return (each if counts is None else each * counts.gather(1, place)).mean(1)


class Rosita:
    """The loss with its two banks of features and its last scores."""

    def __init__(self) -> None:
        self.last = np.empty(0)
        self.known: Tensor | None = None  # (≤ K·C, D)
        self.unknown: Tensor | None = None  # (≤ 64, D)

    def __call__(self, features: Tensor, text: Tensor) -> Tensor:
        """features (B, D), text (C, D), both unit → scalar"""
        cosines = features @ text.T
        largest, label = cosines.detach().max(1)
        score = largest.cpu().numpy().astype(np.float64)
        self.last = np.append(self.last, score)[-LAST:]
        known, unknown = (
            torch.from_numpy(v).to(features.device) for v in reliable(score, self.last)
        )
        self.known = _appended(self.known, features[known], NEIGHBORS * len(text))
        self.unknown = _appended(self.unknown, features[unknown], UNKNOWN_PLACES)

        losses = [F.cross_entropy(cosines[known], label[known], reduction="none")]
        if min(len(self.known), len(self.unknown)) > NEIGHBORS:
            with torch.no_grad():
                same = (self.known @ text.T).argmax(1) == label[known][:, None]
            losses[0] = losses[0] + CONTRAST * contrast(
                features[known], self.known, self.unknown, same
            )
            losses.append(CONTRAST * contrast(features[unknown], self.unknown, self.known))
        each = torch.cat(losses)
        return each.mean() if len(each) else features.sum() * 0


def _appended(bank: Tensor | None, more: Tensor, places: int) -> Tensor:
    """The last so many features of a bank with more behind it."""
    more = more.detach()
    return (more if bank is None else torch.cat([bank, more]))[-places:]


def build(settings: Settings, start: Tensor | None) -> Objective:
    rosita = Rosita()

    def objective(batch: Batch) -> Loss:
        return with_entropies(rosita(batch.features, batch.text), batch.logits)

    return objective
