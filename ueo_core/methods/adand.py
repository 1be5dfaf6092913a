"""AdaND: a detector of unknown images, trained on zero-shot's own decisions; classes stay zero-shot's.

Source: Cao et al., *Noisy Test-Time Adaptation in Vision-Language Models*, ICLR 2025. As in its code:
a linear detector on frozen features, Adam at 5e-4, batches of 128, one image of Gaussian noise to every
eight images, always labeled unknown. The other labels are zero-shot's: known where the largest softmax
is above the threshold that leaves the least variance within two groups of the last 512.

What is changed: the threshold is sought among all scores, not in steps of 0.01. The pool is run over in
passes, as many as there are epochs and at least so many that the detector has as many batches as in one
pass over the default stream of its code (20,000 images and 2,500 of noise), and is then frozen; with
fewer it would hardly leave its random start. Pools come as unit features, and the detector reads
features as the tower gives them, so all are brought to the mean length of those of the noise images.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.lr_schedule import split_epoch
from ueo_core.config.settings import Settings
from ueo_core.evaluation.thresholds import least_variance_threshold
from ueo_core.methods.build_loss import Predicted
from ueo_core.models.adapted_clip import AdaptedCLIP

RATE = 5e-4
NOISE_SHARE = 1 / 8  # images of noise for an image of the pool
LAST = 512  # scores that the threshold is taken from
LEAST_BATCHES = 176  # 22,500 / 128
NOISE, ORDER = 4, 5  # keys of the random generators, different from the keys of the loop


def noise_images(n: int, model: AdaptedCLIP, g: np.random.Generator) -> Tensor:
    """Gaussian noise as the model's input: each image stretched to 0 … 255. → (n, 3, H, W)"""
    wanted = model.backbone.preprocessing
    images = torch.from_numpy(g.standard_normal((n, 3, *wanted.size), np.float32))
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    levels = ((images - low) / (high - low) * 255).floor() / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (wanted.mean, wanted.std))
    return (levels - mean) / std


def train_detector(
    features: Tensor, known_score: Tensor, is_noise: Tensor, settings: Settings
) -> tuple[Tensor, Tensor]:
    """The detector after all passes. → weights (2, D), biases (2,)

    features (N, D); known_score (N,) zero-shot's largest softmax; is_noise (N,) bool. Output 1 is
    known, output 0 unknown.
    """
    g = np.random.default_rng([settings.seed, ORDER])
    bound = features.shape[1] ** -0.5  # as torch.nn.Linear begins
    weight, bias = (
        torch.from_numpy(g.uniform(-bound, bound, size).astype(np.float32)).requires_grad_()
        for size in ((2, features.shape[1]), (2,))
    )
    optimizer = torch.optim.Adam([weight, bias], lr=RATE)
    last, sizes = np.empty(0), split_epoch(len(features), settings.batch_size)
    for _ in range(max(settings.epochs, math.ceil(LEAST_BATCHES / len(sizes)))):
        order, first = g.permutation(len(features)), 0
        for size in sizes:
            batch = torch.from_numpy(order[first : first + size])
            first += size
            last = np.append(last, known_score[batch].numpy())[-LAST:]
            known = (known_score[batch] >= least_variance_threshold(last)) & ~is_noise[batch]
            optimizer.zero_grad()
            F.cross_entropy(features[batch] @ weight.T + bias, known.long()).backward()
            optimizer.step()
    return weight.detach(), bias.detach()


def adapt_features(
    model: AdaptedCLIP,
    pool: Tensor,
    test: Tensor,
    settings: Settings,
    check: Callable[[], None],
) -> tuple[Predicted, Predicted]:
    """Zero-shot cosines with the detector's score; see `build_loss.FeatureMethod`."""
    with torch.no_grad():
        g, parts = np.random.default_rng([settings.seed, NOISE]), []
        for size in split_epoch(max(1, round(NOISE_SHARE * len(pool))), settings.batch_size):
            check()
            images = noise_images(size, model, g).to(model.device)
            parts.append(model.tower(images).float().cpu())
        noise = torch.cat(parts)
        stream = torch.cat([pool, F.normalize(noise, dim=1)])
        # Zero-shot's largest softmax; of the noise images too, which are part of the stream.
        sure = (model.logit_scale * model.cosines(stream)).softmax(1).amax(1)
    length = noise.norm(dim=1).mean()
    is_noise = torch.arange(len(stream)) >= len(pool)
    weight, bias = train_detector(length * stream, sure, is_noise, settings)
    check()

    def predicted(features: Tensor) -> Predicted:
        # The logarithm of the odds: where the probability rounds to 1, it still orders the images.
        both = length * features @ weight.T + bias
        return Predicted(model.cosines(features).detach(), both[:, 1] - both[:, 0])

    return predicted(pool), predicted(test)
