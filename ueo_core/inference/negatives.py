"""Negative words: what else is among the images, as anchors of the OOD score NegLabel.

Source: NegLabel, Jiang et al., ICLR 2024. Words that a person gives are all used. Of the list that comes
with the studio those are used that are far from the classes, by the paper's NegMining: for each word
the 95th percentile of its cosines with the classes, and of all words the 15 % where that is least.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from ueo_core.data.class_list import words_given
from ueo_core.data.transforms import Pixels
from ueo_core.data.word_list import word_list
from ueo_core.inference.predict import cosines
from ueo_core.models.adapted_clip import AdaptedCLIP

COMMON_NOUNS = "common-nouns"  # in place of words: those of the shipped list, and of the user's own
PERCENTILE, SHARE = 0.95, 0.15


def negative_words(model: AdaptedCLIP, given: str | Iterable[str]) -> list[str]:
    """The words that are meant: a list, a text with commas, or `common-nouns`. UserError for none."""
    if isinstance(given, str) and given.strip() == COMMON_NOUNS:
        return mined(model, word_list())
    return words_given(given)


@torch.no_grad()
def mined(model: AdaptedCLIP, words: Iterable[str]) -> list[str]:
    """The words farthest from the classes, at least one; names of the classes are left out."""
    named = {name.replace("_", " ").casefold() for name in model.texts.names}
    others = [word for word in words if word.casefold() not in named]
    near = (model.encode_words(others) @ model.encode_text().T).float().quantile(PERCENTILE, dim=1)
    order = near.argsort(stable=True)[: max(1, int(SHARE * len(others)))]
    return [others[i] for i in order.tolist()]


@torch.no_grad()
def cosines_with(
    model: AdaptedCLIP,
    images: Pixels,
    words: list[str],
    on_batch: Callable[[int], object] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines of images with the classes and with negative words. → (N, C), (N, K)

    on_batch: as for `predict.cosines`. UserError for a word that is a name of a class.
    """
    text = torch.cat([model.encode_text(), model.encode_words(words)])
    found = cosines(model, images, on_batch, text)
    return found[:, : len(model.classes)], found[:, len(model.classes) :]
