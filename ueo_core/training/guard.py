"""The safety check: compares zero-shot and adapted model on random crops of pool images."""

from collections.abc import Callable

import torch
from torch import Tensor

from ueo_core.data.transforms import ModelInputs
from ueo_core.evaluation import guard_rule
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import ashman_d
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import image_features
from ueo_core.training.pool_evidence import PoolEvidence


@torch.no_grad()
def safety_check(
    model: AdaptedCLIP,
    views: ModelInputs,
    zero_shot: Tensor,
    last: Tensor,
    seed: int,
    batch: int,
    on_batch: Callable[[int, int], object] = lambda done, total: None,
    precision: str = "float32",
) -> guard_rule.Choice:
    """Recommend zero-shot, the last epoch or a blend, from crops of some of the pool's images.

    model: at its last epoch, and left there; views: of the pool; zero_shot, last: (N, C) cosines
    of the pool under both; batch: images encoded at once; on_batch(done, total) is called
    after every batch of crops, and total grows with every blend that is tried; precision: of the towers,
    as in the training steps. No labels are used.
    """
    draws = guard_rule.draws_of("quick" if model.tail else "full")
    images = guard_rule.IMAGES
    pool = PoolEvidence(model, views, seed, batch, images, images, draws, precision)
    end, known = model.adapter_copy(), {0.0: zero_shot, 1.0: last}
    done, total = 0, 0

    def encoded(crops: int) -> None:
        nonlocal done
        done += crops
        on_batch(done, total)

    def evidence(share: float) -> guard_rule.Evidence:
        nonlocal total
        # Zero-shot and the last epoch are always measured; after them, one blend at a time.
        each = draws * len(pool.chosen)
        total = max(total, 2 * each, done + each)
        model.load_between(share, end)
        with pool.computing():
            text = model.encode_text().cpu()
        if share in known:
            cosines = known[share][pool.chosen]
        else:
            with pool.computing():
                features = image_features(model, views, batch, indices=pool.chosen)
            cosines = model.cosines(features, text)
        again = pool.crops(text, encoded).argmax(2)
        return guard_rule.Evidence(
            guard_rule.consistency(cosines.argmax(1).numpy(), again, len(model.classes)),
            guard_rule.spread((cosines * model.logit_scale).softmax(1).numpy()),
            ashman_d(SCORES[DEFAULT_SCORE].compute(cosines.numpy(), 1.0)),
        )

    choice = guard_rule.choose(evidence)
    model.load_adapter(end)
    return choice
