"""Measures a model without labels: images of its pool, and random crops of some of them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ueo_core.data.transforms import ModelInputs
from ueo_core.evaluation.evidence import Measured
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import CROPS, crop_features, image_features
from ueo_core.utils.precision import tower_autocast

# Images measured, those of them that are cropped, and crops of each. Groups of scores need many
# images to be told apart; crops cost a pass each.
IMAGES, CROPPED, DRAWS = 512, 192, 2


def drawn(n: int, most: int, seed: int) -> np.ndarray:
    """Which of n images are measured, ascending; with a smaller `most`, some of the same. → (≤ most,)"""
    return np.sort(np.random.default_rng([seed, CROPS]).permutation(n)[:most])


class PoolEvidence:
    """What `evaluation.evidence` reads, of the same images and the same crops for every model."""

    def __init__(
        self,
        model: AdaptedCLIP,
        views: ModelInputs,
        seed: int,
        batch: int,
        images: int = IMAGES,
        cropped: int = CROPPED,
        draws: int = DRAWS,
        precision: str = "float32",
    ):
        """images, cropped: how many, at most; draws: crops of each; batch: images encoded at once.

        precision: of the towers, as in the training steps.
        """
        self.model, self.views, self.seed, self.precision = model, views, seed, precision
        self.batch, self.draws = batch, draws
        self.chosen = drawn(len(views), images, seed)  # (N,) indices into the pool
        few = drawn(len(views), min(images, cropped), seed)
        self.cropped = np.searchsorted(self.chosen, few)

    def computing(self) -> torch.autocast:
        """A context in which the towers compute at the precision."""
        return tower_autocast(self.precision, self.model.device)

    @property
    def encoded(self) -> int:
        """How many images and crops one measurement encodes."""
        return len(self.chosen) + self.draws * len(self.cropped)

    @torch.no_grad()
    def crops(
        self, text: Tensor, on_batch: Callable[[int], object] = lambda crops: None
    ) -> np.ndarray:
        """Cosines of the crops with the class prompts. text: (C, D) → (draws, n, C)

        on_batch(crops) is called after every batch of them.
        """
        found, images = [], self.chosen[self.cropped]
        for draw in range(self.draws):
            features = []
            for i in range(0, len(images), self.batch):
                # The key depends on the position, so that every model gets the same crops.
                key = (self.seed, CROPS, draw, i)
                with self.computing():
                    crops = crop_features(self.model, self.views, images[i : i + self.batch], key)
                features.append(crops)
                on_batch(len(crops))
            found.append(self.model.cosines(torch.cat(features), text).numpy())
        return np.stack(found)

    @torch.no_grad()
    def measure(
        self, zero_shot: Tensor, confidence: Tensor, features: Tensor | None = None
    ) -> Measured:
        """The current model.

        zero_shot: (N, C) cosines of the whole pool; confidence: (N,) of the same; features: (N, D)
        of the same under the current model, where they are known.
        """
        with self.computing():
            text = self.model.encode_text().cpu()
            if features is None:
                own = image_features(self.model, self.views, self.batch, indices=self.chosen)
            else:
                own = features[self.chosen]
        return Measured(
            cosines=self.model.cosines(own, text).numpy(),
            features=own.numpy(),
            logit_scale=self.model.logit_scale,
            cropped=self.cropped,
            crops=self.crops(text),
            confidence=confidence.cpu().numpy()[self.chosen],
            zero_shot=zero_shot.argmax(1).numpy()[self.chosen],
        )
