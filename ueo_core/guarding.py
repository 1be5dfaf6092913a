"""The guard's look at a model: the same images again, in other crops."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ueo_core import guard
from ueo_core.adapt import CROPS, image_features
from ueo_core.adapted import AdaptedCLIP
from ueo_core.scores import DEFAULT_SCORE, SCORES
from ueo_core.thresholds import parted
from ueo_core.views import Kept, Views


@torch.no_grad()
def examine(
    model: AdaptedCLIP,
    views: Views | Kept,
    zero_shot: Tensor,
    last: Tensor,
    seed: int,
    batch: int,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> guard.Choice:
    """Zero-shot, the last epoch or a point between them, from crops of some of the pool's images.

    model: at its last epoch, where it is left; views: of the pool; zero_shot, last: (N, C)
    cosines of the pool under both; told(done, total): passes over the images. No label is seen.
    """
    chosen = np.sort(np.random.default_rng([seed, CROPS]).permutation(len(views))[: guard.IMAGES])
    end, known, looks = model.delta_copy(), {0.0: zero_shot, 1.0: last}, 0
    draws = guard.draws_of("quick" if model.tail else "full")

    def look(share: float) -> guard.Evidence:
        nonlocal looks
        model.load_between(share, end)
        text = model.encode_text().cpu()
        if share in known:
            cosines = known[share][chosen]
        else:
            cosines = image_features(model, views, batch, indices=chosen) @ text.T
        again = []
        for draw in range(draws):
            answers = []
            for i in range(0, len(chosen), batch):
                # Seeded by place, so that every model is asked about the same crops.
                crops = views.crops(chosen[i : i + batch], (seed, CROPS, draw, i))
                answers.append((model.encode_image(crops).cpu() @ text.T).argmax(1))
            again.append(torch.cat(answers).numpy())
            looks += 1
            told(looks, draws * (1 + len(guard.SHARES)))
        return guard.Evidence(
            guard.consistency(cosines.argmax(1).numpy(), np.stack(again), len(model.classes)),
            guard.spread((cosines * model.logit_scale).softmax(1).numpy()),
            parted(SCORES[DEFAULT_SCORE].compute(cosines.numpy(), 1.0)),
        )

    choice = guard.choose(look)
    model.load_delta(end)
    return choice
