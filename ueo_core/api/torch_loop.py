"""Plain torch: an adapted model from one's own open_clip model, for a training loop of one's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ueo_core.api.arguments import speaks_of_arguments
from ueo_core.data.class_list import classes_given
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.user_model import backbone_from


@speaks_of_arguments
def adapt_clip(
    model: nn.Module,
    tokenizer: Any,
    preprocess: Any,
    classes: Sequence[str] | Mapping[str, Sequence[str]] | str | Path,
    prompt: str = "a photo of a",
    name: str = "model",
    fast: bool = False,
    templates: str = "",
) -> AdaptedCLIP:
    """An adapted model that shares the weights of an open_clip model and changes nothing in it.

    model, tokenizer, preprocess: from open_clip.create_model_and_transforms and get_tokenizer;
    classes, templates: as in `UEO`; fast: use faster forms of the same attention and MLP, inside the
    adapted model only. → AdaptedCLIP: `adapted(images)` gives cosines (B, C), times
    `adapted.logit_scale` the logits; `adapted.trainable_parameters()` is what an optimizer takes.
    ValueError for a model, a tokenizer or names that cannot be used.
    """
    backbone = backbone_from(model, tokenizer, preprocess, name=name, fast=fast)
    given = classes_given(classes)
    adapted = AdaptedCLIP(
        backbone, given.names, prompt, templates=templates, synonyms=given.synonyms
    )
    adapted.texts.check_distinct(backbone)
    return adapted
