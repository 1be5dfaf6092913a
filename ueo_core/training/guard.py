"""The guard's look at a model: the same images again, in other crops."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ueo_core.data.transforms import Kept, Views
from ueo_core.evaluation import guard_rule
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import parted
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import CROPS, image_features


@torch.no_grad()
def examine(
    model: AdaptedCLIP,
    views: Views | Kept,
    zero_shot: Tensor,
    last: Tensor,
    seed: int,
    batch: int,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> guard_rule.Choice:
    """Zero-shot, the last epoch or a point between them, from crops of some of the pool's images.

    model: at its last epoch, where it is left; views: of the pool; zero_shot, last: (N, C)
    cosines of the pool under both; told(done, total): passes over the images. No label is seen.
    """
    chosen = np.sort(
        np.random.default_rng([seed, CROPS]).permutation(len(views))[: guard_rule.IMAGES]
    )
    end, known, looks = model.adapter_copy(), {0.0: zero_shot, 1.0: last}, 0
    draws = guard_rule.draws_of("quick" if model.tail else "full")

    def look(share: float) -> guard_rule.Evidence:
        nonlocal looks
        model.load_between(share, end)
        text = model.encode_text().cpu()
        if share in known:
            cosines = known[share][chosen]
        else:
            cosines = image_features(model, views, batch, indices=chosen) @ text.T
        again = []
        for draw in range(draws):
            predictions = []
            for i in range(0, len(chosen), batch):
                # Seeded by place, so that every model is asked about the same crops.
                crops = views.crops(chosen[i : i + batch], (seed, CROPS, draw, i))
                predictions.append((model.encode_image(crops).cpu() @ text.T).argmax(1))
            again.append(torch.cat(predictions).numpy())
            looks += 1
            told(looks, draws * (1 + len(guard_rule.SHARES)))
        return guard_rule.Evidence(
            guard_rule.consistency(cosines.argmax(1).numpy(), np.stack(again), len(model.classes)),
            guard_rule.spread((cosines * model.logit_scale).softmax(1).numpy()),
            parted(SCORES[DEFAULT_SCORE].compute(cosines.numpy(), 1.0)),
        )

    choice = guard_rule.choose(look)
    model.load_adapter(end)
    return choice
