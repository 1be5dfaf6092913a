"""Measures a model without labels: images of its pool, and random crops of some of them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ueo_core.data.transforms import ModelInputs
from ueo_core.evaluation.evidence import Measured
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import CROPS, crop_features, image_features

# Images measured, those of them that are cropped, and crops of each. Groups of scores need many
# images to be told apart; crops cost a pass each.
IMAGES, CROPPED, DRAWS = 512, 192, 2


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
    ):
        """images, cropped: how many, at most; draws: crops of each; batch: images encoded at once."""
        self.model, self.views, self.seed = model, views, seed
        self.batch, self.draws = batch, draws
        order = np.random.default_rng([seed, CROPS]).permutation(len(views))
        self.chosen = np.sort(order[:images])  # (N,) indices into the pool
        self.cropped = np.searchsorted(self.chosen, np.sort(order[:images][:cropped]))

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
