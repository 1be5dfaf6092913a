"""Plain torch: an adapted model from one's own open_clip model, for a training loop of one's own."""

from collections.abc import Sequence
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
    classes: Sequence[str],
    prompt: str = "a photo of a",
    name: str = "model",
    fast: bool = False,
) -> AdaptedCLIP:
    """An adapted model that shares the weights of an open_clip model and changes nothing in it.

    model, tokenizer, preprocess: from open_clip.create_model_and_transforms and get_tokenizer;
    classes: at least two names; fast: use faster forms of the same attention and MLP, inside the
    adapted model only. → AdaptedCLIP: `adapted(images)` gives cosines (B, C), times
    `adapted.logit_scale` the logits; `adapted.trainable_parameters()` is what an optimizer takes.
    ValueError for a model, a tokenizer or names that cannot be used.
    """
    backbone = backbone_from(model, tokenizer, preprocess, name=name, fast=fast)
    return AdaptedCLIP(backbone, classes_given(classes).names, prompt)
