"""The check of class names before a run: zero-shot features, and what they say about the names."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ueo_core.data.image_set import ImageSet
from ueo_core.drawings.nouns import NOUNS
from ueo_core.drawings.render import COLORS
from ueo_core.evaluation.name_check import (
    NEAREST,
    Group,
    Pair,
    attracted,
    competing_pairs,
    name_sentences,
    nearest_images,
    pieces_problem,
    unnamed_groups,
)
from ueo_core.inference.predict import zero_shot
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.backbones import Backbone
from ueo_core.models.catalog import DRAWINGS
from ueo_core.models.tokenizers import prompt_length
from ueo_core.utils.memory import reuse_freed_memory

TEXTS = 64  # words encoded at once
Progress = Callable[[str, int, int], None]  # what, done, in total; may raise to cancel


@dataclass(frozen=True)
class NameReport:
    """What the check found; indices of images, classes and words."""

    classes: tuple[str, ...]
    words: tuple[str, ...]
    images: int
    counts: tuple[int, ...]  # images whose nearest name is each class
    nearest: tuple[tuple[int, ...], ...]  # the nearest images of each class
    pairs: tuple[Pair, ...]
    strange: dict[str, list[str]]  # words that the model does not know, by class name
    groups: tuple[Group, ...]
    sentences: tuple[str, ...]

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Plain data with names in place of indices. names: of the images"""
        return {
            "images": self.images,
            "sentences": list(self.sentences),
            "classes": [
                {"name": name, "images": n, "nearest": [names[i] for i in near]}
                for name, n, near in zip(self.classes, self.counts, self.nearest, strict=True)
            ],
            "pairs": [
                asdict(p) | {"first": self.classes[p.first], "second": self.classes[p.second]}
                for p in self.pairs
            ],
            "unknown_words": self.strange,
            "groups": [
                {
                    "images": [names[i] for i in g.images],
                    "nearest": self.classes[g.nearest],
                    "words": [self.words[w] for w in g.words],
                }
                for g in self.groups
            ],
        }


def vocabulary(backbone: Backbone) -> frozenset[str] | None:
    """All words that a teaching model has seen as names; None for a model that has seen any."""
    if backbone.name in DRAWINGS and backbone.pretrained == "assets":
        return frozenset(NOUNS) | frozenset(COLORS)
    return None


def unknown_words(
    backbone: Backbone, classes: Sequence[str], common: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Words of the class names that the model does not know, by class name; only names with some.

    A teaching model knows its vocabulary. For others it is a hint when the tokenizer writes a word
    as unknown, or in many small pieces. common: nouns that any of these models has seen.
    """
    known, found = vocabulary(backbone), {}
    usual = {w.lower() for noun in common for w in noun.split()}
    for name in classes:
        words = name.replace("_", " ").replace("-", " ").split()
        if known is not None:
            strange = [w for w in words if w.lower() not in known]
        else:
            rare = (w for w in words if w.lower() not in usual)
            strange = [w for w in rare if _strange(backbone.tokenizer, w)]
        if strange:
            found[name] = strange
    return found


def _strange(tokenizer: Any, word: str) -> bool:
    inner = getattr(tokenizer, "tokenizer", None)  # of Hugging Face
    unknown = getattr(inner, "unk_token_id", None)
    if inner is not None and unknown is not None and unknown in inner(word).input_ids:
        return True
    return pieces_problem(word, prompt_length(tokenizer, word) - prompt_length(tokenizer, ""))


def check_names_on(
    images: ImageSet,
    model: AdaptedCLIP,
    words: Sequence[str],
    progress: Progress = lambda what, done, total: None,
) -> NameReport:
    """Check class names on unlabeled images with the zero-shot model.

    images: at the backbone's short side; model: as it starts, with the classes and their further
    names, which are encoded as in a run; words: for suggestions, without those that are class names
    already or that a teaching model does not know. UserError as `AdaptedCLIP` raises it.
    """
    backbone, classes = model.backbone, model.classes
    with reuse_freed_memory(model.device):
        found, texts = zero_shot(model, images, lambda done: progress("images", done, len(images)))
    features, names = found.numpy(), texts.numpy()
    strange = unknown_words(backbone, classes, words)
    taken, known = {c.casefold() for c in classes}, vocabulary(backbone)
    words = [w for w in words if w.casefold() not in taken and (known is None or w in known)]
    parts = [np.empty((0, names.shape[1]), np.float32)]
    for start in range(0, len(words), TEXTS):
        progress("words", start, len(words))
        parts.append(_texts(AdaptedCLIP(backbone, words[start : start + TEXTS], model.prompt)))
    cosines = features @ names.T
    counts, pairs = attracted(cosines), competing_pairs(cosines, backbone.logit_scale)
    groups = unnamed_groups(features, names, np.concatenate(parts))
    return NameReport(
        classes=tuple(classes),
        words=tuple(words),
        images=len(images),
        counts=tuple(counts.tolist()),
        nearest=tuple(map(tuple, nearest_images(cosines, NEAREST).tolist())),
        pairs=tuple(pairs),
        strange=strange,
        groups=tuple(groups),
        sentences=tuple(
            name_sentences(
                classes, counts, pairs, strange, groups, words, len(images), known is not None
            )
        ),
    )


@torch.no_grad()
def _texts(model: AdaptedCLIP) -> NDArray[np.float32]:
    """Unit text features of a model's classes. (C, D)"""
    return model.encode_text().cpu().numpy()
