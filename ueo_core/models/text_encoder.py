"""The text tower of any model, with context vectors in place of token embeddings.

The tower's own code runs, whatever its mask, pooling and projection are: only the output of its
token embedding is changed. So it works for each of open_clip's towers and for the encoders of
Hugging Face, and what depends on the tokens themselves (padding, positions, the end token) stays.
"""

import copy
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

from ueo_core.models.equality import pooled
from ueo_core.models.shared_copy import shared_copy
from ueo_core.models.tokenizers import Span

# Context vectors of the call in progress: several threads may use one encoder.
_CONTEXT: ContextVar[Tensor | None] = ContextVar("context", default=None)


def text_tower(model: Any) -> Any:
    """The module with token embedding, transformer and projection for texts."""
    return getattr(model, "text", model)


def token_embedding(model: Any) -> nn.Module | None:
    """The module that turns token indices into vectors; None where a model has none that is known."""
    tower = text_tower(model)
    own = getattr(tower, "token_embedding", None)
    if own is None and hasattr(getattr(tower, "transformer", None), "get_input_embeddings"):
        own = tower.transformer.get_input_embeddings()  # an encoder of Hugging Face
    return own


def text_limit(model: Any, tokenizer: Any) -> int:
    """Number of tokens that a prompt may have, with start and end token."""
    tower = text_tower(model)
    limits = [getattr(tokenizer, "context_length", None)]
    if hasattr(tower, "positional_embedding"):
        # CoCa's class token has the last position.
        appended = getattr(tower, "cls_emb", None) is not None
        limits.append(tower.positional_embedding.shape[0] - appended)
    return min(n for n in limits if n)


class TextEncoder:
    """Text features of tokenized prompts of which some tokens are context vectors.

    It has a copy of the text tower, with the same frozen weights, so that the model itself and
    other encoders are not affected.
    """

    def __init__(self, model: Any, span: Span):
        self._span = span
        self._model = _without_images(model)
        embedding = token_embedding(self._model)
        assert embedding is not None  # a backbone without one is refused
        embedding.register_forward_hook(self._insert)

    def __call__(self, context: Tensor, tokens: Tensor) -> Tensor:
        """(M, W), (C, L) → (C, D), not normalized"""
        before = _CONTEXT.set(context)
        try:
            # CoCa alone normalizes unless it is told not to.
            return pooled(self._model.encode_text(tokens, normalize=False))
        finally:
            _CONTEXT.reset(before)

    def _insert(self, module: nn.Module, args: Any, embedded: Tensor) -> Tensor:
        """The hook of the token embedding. (C, L, W) → (C, L, W)"""
        context = _CONTEXT.get()
        assert context is not None  # this copy is only run by `__call__`
        start, m = self._span
        words = context.to(embedded.dtype).expand(len(embedded), -1, -1)
        return torch.cat([embedded[:, :start], words, embedded[:, start + m :]], 1)


def _without_images(model: Any) -> Any:
    """A copy of a model that shares its weights and has no image tower and no caption decoder."""
    texts = copy.copy(model)
    texts._modules = {
        name: module
        for name, module in model._modules.items()
        if name not in ("visual", "text_decoder")
    }
    return shared_copy(texts)
