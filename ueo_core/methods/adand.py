"""AdaND: a detector of unknown images, trained on zero-shot's own decisions; classes stay zero-shot's.

Source: Cao et al., *Noisy Test-Time Adaptation in Vision-Language Models*, ICLR 2025. As in its code:
a linear detector on frozen features, Adam at 5e-4, batches of 128, one image of Gaussian noise to every
eight images, always labeled unknown. The other labels are zero-shot's: known where the largest softmax
is above the threshold that leaves the least variance within two groups of the last 512. The score is
zero-shot's until the detector has had 10 batches.

What is changed: the threshold is sought among all scores, not in steps of 0.01; the pool is run over in
passes, as many as there are epochs, and the detector is then frozen. Pools come as unit features, and
the detector reads features as the tower gives them, so all are brought to the mean length of those of
the noise images.
"""

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
WARM = 10  # batches before the detector's own score counts
NOISE, ORDER = 4, 5  # keys of the random generators, different from the keys of the loop


def noise_images(n: int, model: AdaptedCLIP, seed: int) -> Tensor:
    """Gaussian noise as the model's input: each image stretched to 0 … 255. → (n, 3, H, W)"""
    wanted = model.backbone.preprocessing
    drawn = np.random.default_rng([seed, NOISE]).standard_normal((n, 3, *wanted.size), np.float32)
    images = torch.from_numpy(drawn)
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    levels = ((images - low) / (high - low) * 255).floor() / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (wanted.mean, wanted.std))
    return (levels - mean) / std


def train_detector(
    features: Tensor, known_score: Tensor, is_noise: Tensor, settings: Settings
) -> tuple[Tensor, Tensor, int]:
    """The detector after all passes. → weights (2, D), biases (2,), number of batches

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
    last, done = np.empty(0), 0
    for _ in range(settings.epochs):
        order, first = g.permutation(len(features)), 0
        for size in split_epoch(len(features), settings.batch_size):
            batch = torch.from_numpy(order[first : first + size])
            first, done = first + size, done + 1
            last = np.append(last, known_score[batch].numpy())[-LAST:]
            known = (known_score[batch] >= least_variance_threshold(last)) & ~is_noise[batch]
            optimizer.zero_grad()
            F.cross_entropy(features[batch] @ weight.T + bias, known.long()).backward()
            optimizer.step()
    return weight.detach(), bias.detach(), done


def adapt_features(
    model: AdaptedCLIP,
    pool: Tensor,
    test: Tensor,
    settings: Settings,
    check: Callable[[], None],
) -> tuple[Predicted, Predicted]:
    """Zero-shot cosines with the detector's score; see `build_loss.FeatureMethod`."""
    with torch.no_grad():
        images = noise_images(max(1, round(NOISE_SHARE * len(pool))), model, settings.seed)
        parts = []
        for part in images.split(settings.batch_size):
            check()
            parts.append(model.tower(part.to(model.device)).float().cpu())
        noise = torch.cat(parts)
        stream = torch.cat([pool, F.normalize(noise, dim=1)])
        # Zero-shot's largest softmax; of the noise images too, which are part of the stream.
        sure = (model.logit_scale * model.cosines(stream)).softmax(1).amax(1)
    length = noise.norm(dim=1).mean()
    is_noise = torch.arange(len(stream)) >= len(pool)
    weight, bias, batches = train_detector(length * stream, sure, is_noise, settings)
    check()

    def predicted(features: Tensor) -> Predicted:
        cosines = model.cosines(features).detach()
        if batches <= WARM:
            return Predicted(cosines, (model.logit_scale * cosines).softmax(1).amax(1))
        # The logarithm of the odds: where the probability rounds to 1, it still orders the images.
        both = length * features @ weight.T + bias
        return Predicted(cosines, both[:, 1] - both[:, 0])

    return predicted(pool), predicted(test)
