"""UPL: prompt learning on pseudo-labels, the most confident images of each predicted class.

Source: Huang, Chu & Wei, *Unsupervised Prompt Learning for Vision-Language Models*, arXiv
2204.03649, 2022. As there: the selection (K = 16), cross-entropy, SGD with momentum 0.9, weight
decay 5e-4 and a cosine from 2e-3 over 50 epochs with batches of 32. Different: no ensemble of
eight CLIPs for the pseudo-labels, no 16 random context vectors (these start at the prompt, as
UEO's do) and no warm-up epoch. The image tower is frozen, so features are computed once,
without augmentation.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.lr_schedule import learning_rate, split_epoch, steps_in_all
from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Predicted
from ueo_core.models.adapted_clip import AdaptedCLIP

PER_CLASS = 16
MOMENTUM, WEIGHT_DECAY = 0.9, 5e-4
ORDER = 3  # key of the random order, different from the keys of the loop


def pseudo_labels(cosines: Tensor, logit_scale: float, k: int = PER_CLASS) -> tuple[Tensor, Tensor]:
    """The k most confident images of each class. cosines (N, C) → indices (M,), classes (M,)

    A class that is predicted for no image gets none: the method does not know which classes
    are present. Confidence is the largest softmax at the logit scale.
    """
    confidence, prediction = (logit_scale * cosines).softmax(1).max(1)
    chosen = []
    for c in prediction.unique():
        of_class = (prediction == c).nonzero().ravel()
        order = confidence[of_class].argsort(descending=True, stable=True)
        chosen.append(of_class[order[:k]])
    index = torch.cat(chosen)
    return index, prediction[index]


def upl(model: AdaptedCLIP, features: Tensor, settings: Settings) -> Iterator[float]:
    """Train the model's context vectors in place, yielding the loss of every step.

    features: (N, D) zero-shot unit features of the pool.
    """
    with torch.no_grad():
        cosines = model.cosines(features)
    index, target = pseudo_labels(cosines, model.logit_scale)
    scaled, target = model.logit_scale * features[index].to(model.device), target.to(model.device)
    parameters = model.select("prompt")
    optimizer = torch.optim.SGD(
        parameters, lr=settings.rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )
    sizes = split_epoch(len(target), settings.batch_size)
    try:
        for step in range(steps_in_all(len(target), settings)):
            epoch, place = divmod(step, len(sizes))
            order = np.random.default_rng([settings.seed, ORDER, epoch]).permutation(len(target))
            first = sum(sizes[:place])
            batch = torch.from_numpy(order[first : first + sizes[place]]).to(model.device)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, len(target), settings)
            optimizer.zero_grad()
            logits = model.cosines(scaled[batch])
            loss = F.cross_entropy(logits, target[batch])
            loss.backward()
            optimizer.step()
            yield float(loss.detach())
    finally:
        for p in parameters:
            p.requires_grad_(False)
            p.grad = None


def adapt_features(
    model: AdaptedCLIP,
    pool: Tensor,
    test: Tensor,
    settings: Settings,
    check: Callable[[], None],
) -> tuple[Predicted, Predicted]:
    """Cosines after training the prompt on the pool; see `build_loss.FeatureMethod`."""
    for _ in upl(model, pool, settings):
        check()
    with torch.no_grad():
        return Predicted(model.cosines(pool)), Predicted(model.cosines(test))
