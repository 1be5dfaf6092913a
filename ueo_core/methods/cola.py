"""COLA: a small network on frozen features, trained on class-balanced pseudo-labels.

Source: Zhang et al., *COLA: Context-aware Language-driven Test-time Adaptation*, IEEE TIP 2025 (arXiv
2509.17598). The feature of an image becomes

    normalize( 0.1 f + 0.5 A(f) + M(f̄) )

with a task-aware adapter A (two linear layers), a context-aware unit M (three, with dropout, and a
residual whose share is learned) and f̄ the mean feature of the batch, the context. All constants are the
defaults of its code: SGD with Nesterov momentum 0.9, weight decay 1e-4, a cosine from 1e-2 for A and
from 2e-3 for M over 15 epochs with batches of 128, and the two limits of the pseudo-labels; for its
data sets the authors choose other ones, with labels. What is changed: features are unit and computed
once, without augmentation; for predictions f̄ is the mean of the pool, so that an image's prediction
does not depend on the images beside it.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ueo_core.config.lr_schedule import cosine, split_epoch, steps_in_all
from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Predicted
from ueo_core.models.adapted_clip import AdaptedCLIP

ADAPTER_RATE, CONTEXT_RATE = 1e-2, 2e-3
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-4
OWN_SHARE, ADAPTER_SHARE, CONTEXT_SHARE = 0.1, 0.5, 1.0
HIDDEN = 128  # of the adapter; of the context-aware unit twice as many
DROPOUT = 0.1
CONFIDENT, BEST_SHARE = 0.75, 0.75  # limits of a pseudo-label
ORDER = 6  # key of the random generator, different from the keys of the loop


def balanced_labels(cosines: Tensor, logit_scale: float) -> tuple[Tensor, Tensor]:
    """Class-balanced pseudo-labels. cosines (N, C) → indices (M,), classes (M,)

    Of the images predicted as a class, those that are more confident than 0.75, or than the image at
    three quarters of their order if that is less. All of a class with fewer than three images.
    """
    confidence, prediction = (logit_scale * cosines).softmax(1).max(1)
    limit = torch.zeros(cosines.shape[1])
    for c in prediction.unique():
        own = confidence[prediction == c].sort(descending=True).values
        if len(own) >= 3:
            limit[c] = min(float(own[round(BEST_SHARE * len(own))]), CONFIDENT)
    index = (confidence > limit[prediction]).nonzero().ravel()
    return index, prediction[index]


class ContextAwareModule:
    """The adapter and the context-aware unit on features of d dimensions."""

    def __init__(self, d: int, g: np.random.Generator):
        def uniform(bound: float, *size: int) -> Tensor:
            values = g.uniform(-bound, bound, size).astype(np.float32)
            return torch.from_numpy(values).requires_grad_()

        def xavier(rows: int, columns: int) -> Tensor:
            return uniform((6 / (rows + columns)) ** 0.5, rows, columns)

        wide = 2 * HIDDEN
        # The adapter begins as torch.nn.Linear does, and has no biases.
        self.adapter = [uniform(d**-0.5, HIDDEN, d), uniform(HIDDEN**-0.5, d, HIDDEN)]
        sizes = ((wide, d), (wide, wide), (d, wide))
        self.weights = [xavier(*size) for size in sizes]
        self.biases = [torch.full((rows,), 0.01).requires_grad_() for rows, _ in sizes]
        self.residual = torch.ones(1).requires_grad_()

    @property
    def context(self) -> list[Tensor]:
        """The parameters of the context-aware unit."""
        return [*self.weights, *self.biases, self.residual]

    def __call__(self, features: Tensor, context: Tensor, kept: Tensor | None = None) -> Tensor:
        """Unit features. (B, D), mean feature (D,) → (B, D)

        kept: (2·HIDDEN,) bool, the units that dropout keeps; None: all, as for predictions.
        """
        adapted = features
        for weight in self.adapter:
            adapted = F.relu(F.linear(adapted, weight))
        hidden = F.linear(context, self.weights[0], self.biases[0])
        if kept is not None:
            hidden = hidden * kept / (1 - DROPOUT)
        hidden = F.relu(F.linear(F.relu(hidden), self.weights[1], self.biases[1]))
        domain = F.linear(hidden, self.weights[2], self.biases[2])
        domain = domain + context * self.residual.sigmoid()
        mixed = OWN_SHARE * features + ADAPTER_SHARE * adapted + CONTEXT_SHARE * domain
        return F.normalize(mixed, dim=1)


def cola(
    module: ContextAwareModule,
    features: Tensor,
    text: Tensor,
    logit_scale: float,
    settings: Settings,
) -> Iterator[float]:
    """Train the module in place, yielding the loss of every step.

    features: (N, D) zero-shot unit features of the pool; text: (C, D) unit.
    """
    index, target = balanced_labels(features @ text.T, logit_scale)
    chosen = features[index]
    optimizer = torch.optim.SGD(
        [{"params": module.adapter}, {"params": module.context}],
        lr=ADAPTER_RATE,
        momentum=MOMENTUM,
        weight_decay=WEIGHT_DECAY,
        nesterov=True,
    )
    g = np.random.default_rng([settings.seed, ORDER])
    steps, step = steps_in_all(len(target), settings), 0
    for _ in range(settings.epochs):
        order, first = g.permutation(len(target)), 0
        for size in split_epoch(len(target), settings.batch_size):
            batch = torch.from_numpy(order[first : first + size])
            kept = torch.from_numpy(g.uniform(size=2 * HIDDEN) >= DROPOUT)
            for group, peak in zip(
                optimizer.param_groups, (ADAPTER_RATE, CONTEXT_RATE), strict=True
            ):
                group["lr"] = cosine(step, steps, peak)
            images = chosen[batch]
            optimizer.zero_grad()
            logits = logit_scale * module(images, images.mean(0), kept) @ text.T
            loss = F.cross_entropy(logits, target[batch])
            loss.backward()
            optimizer.step()
            first, step = first + size, step + 1
            yield float(loss.detach())


def adapt_features(
    model: AdaptedCLIP,
    pool: Tensor,
    test: Tensor,
    settings: Settings,
    check: Callable[[], None],
) -> tuple[Predicted, Predicted]:
    """Cosines of the module's features with the classes; see `build_loss.FeatureMethod`."""
    text = model.encode_text().detach().to(pool.device)
    module = ContextAwareModule(pool.shape[1], np.random.default_rng([settings.seed, ORDER, 0]))
    for _ in cola(module, pool, text, model.logit_scale, settings):
        check()
    with torch.no_grad():
        pool_context = pool.mean(0)
        on_pool, on_test = (Predicted(module(part, pool_context) @ text.T) for part in (pool, test))
    return on_pool, on_test
