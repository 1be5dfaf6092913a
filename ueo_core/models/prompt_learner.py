"""Text features of many prompts with a common beginning: exact, without redundant computation.

Every prompt is start token + shared context vectors + the tokens of a class name. There are three
ways to encode them; which of them a model takes is found at load, by their equality with its own
`encode_text`:

- shared: where the attention mask is causal, the states of the common beginning are equal for all
  classes and are computed once; nothing after a prompt's end token is computed; in the last block
  only the end token is. CLIP's own text tower.
- trimmed: the tower as it is, on tokens without the padding that all prompts have. Encoders of
  Hugging Face, which mask it.
- full: the tower as it is, on all tokens. Every other tower: SigLIP's, CoCa's.
"""

from collections import defaultdict
from functools import cached_property
from typing import Any, Literal, NamedTuple, cast

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ueo_core.models.equality import equal_features, pooled
from ueo_core.models.fast_attention import is_plain
from ueo_core.models.fused_norms import add_norm, norm
from ueo_core.models.held_weights import held
from ueo_core.models.text_encoder import TextEncoder, text_limit, text_tower, token_embedding
from ueo_core.models.tokenizers import Span, Tokenizer, context_span, shortest_length
from ueo_core.utils.errors import UserError
from ueo_core.utils.memory import memory_of

# Token rows whose activations are held at once on a CPU, and at least elsewhere: 2,048 of CLIP's
# hold 0.7 GB, and 1,000 classes no more. A GPU takes so many that they fit this share of its memory.
ROWS_AT_ONCE, ROWS_SHARE = 2048, 0.15


TextPath = Literal["shared", "trimmed", "full"]

# Prompts of several lengths, with which a model's text path is found.
PROBE = "a photo of a", ("a photo of a dog.", "a photo of a grand piano.")


@torch.no_grad()
def find_text_path(model: Any, tokenizer: Tokenizer) -> TextPath:
    """The fastest way to encode prompts that gives this model's own features, to rounding.

    UserError for a model whose texts do not depend on its token embedding, which must be a module.
    """
    prompt, texts = PROBE
    device = next(model.parameters()).device
    tokens = tokenizer(list(texts))[:, : text_limit(model, tokenizer)].to(device)
    span = context_span(tokenizer, prompt, tokens)
    expected = pooled(model.encode_text(tokens, normalize=False))
    length = shortest_length(tokenizer, tokens)
    paths: tuple[TextPath, ...] = ("shared", "trimmed")
    for path in paths:
        if path == "trimmed" and length == tokens.shape[1]:
            continue  # nothing is cut off, so nothing would be tested
        prompts = Prompts(model, tokens, span, path, length)
        try:
            exact = equal_features(prompts(prompts.first_context), expected)
        except (RuntimeError, ValueError, IndexError):  # of a tower that needs its full length
            continue
        if exact and prompts.shares == (path == "shared"):
            return path
    context = Prompts(model, tokens, span, "full", length).first_context
    if equal_features(TextEncoder(model, span)(torch.zeros_like(context), tokens), expected):
        raise UserError(
            f"Text tower {type(text_tower(model)).__name__}: its features do not change with its token "
            "embeddings, so it takes no context vectors; choose a CLIP model."
        )
    return "full"


class Prompts(nn.Module):
    """Text features of context vectors followed by each of C class names, from a frozen text tower.

    tokens: (C, L) of the prompts; span: the tokens that the context vectors replace; path: how
    the prompts are encoded; length: tokens up to the end of the longest prompt. P = start + M tokens
    are the beginning that all prompts share.
    """

    tokens: Tensor
    _first: Tensor
    _rest: Tensor

    def __init__(self, model: Any, tokens: Tensor, span: Span, path: TextPath, length: int):
        super().__init__()
        tower = text_tower(model)
        self._tower = (tower,)  # in a tuple, so that the frozen tower is no submodule
        self._model = (model,)
        self.span = span
        self.past = sum(span)  # P
        ends = _ends(tower, tokens) if path == "shared" else None
        self.shares = ends is not None
        lengths = [end + 1 for end in ends or ()]
        longest = max(lengths) if lengths else length if path == "trimmed" else tokens.shape[1]
        self.register_buffer("tokens", tokens[:, :longest], persistent=False)  # (C, L)
        embedding = token_embedding(model)
        assert embedding is not None  # a backbone without one is refused
        with torch.no_grad():
            first = embedding(self.tokens[:1]).float()  # (1, L, W)
            self.first_context = first[0, span.start : self.past].clone()  # initial (M, W)
        self._rows_at_once = _rows_at_once(tower, first.shape[2], tokens.device)
        if not self.shares:
            return
        with torch.no_grad():
            embedded = embedding(self.tokens).float()  # (C, L, W)
        self.register_buffer("_first", embedded[:1, : span.start].clone(), persistent=False)
        self.register_buffer("_rest", embedded[:, self.past :].clone(), persistent=False)
        groups = defaultdict(list)
        for i, n in enumerate(lengths):
            groups[longest if pads_prompts(tokens.device) else n].append(i)
        past = self.past
        self._parts = [
            _Part.of(part, n - past, [lengths[i] - 1 - past for i in part], tokens.device)
            for n, members in sorted(groups.items())
            for part in _split(members, max(1, self._rows_at_once // (n - past)))
        ]

    def forward(self, context: Tensor) -> Tensor:
        """(M, W) → (C, D), not normalized"""
        if not self.shares:
            return self.whole(context)
        x = self._shared(context)
        projection = self._tower[0].text_projection
        if isinstance(projection, nn.Linear):
            return projection(x)
        return x if projection is None else x @ projection

    @cached_property
    def _encoder(self) -> TextEncoder:
        return TextEncoder(self._model[0], self.span)

    def whole(self, context: Tensor) -> Tensor:
        """Every prompt by the tower's own code. (M, W) → (C, D), not normalized"""
        c, length = self.tokens.shape
        parts = self.tokens.split(max(1, self._rows_at_once // length))
        if len(parts) == 1 or not torch.is_grad_enabled():
            return torch.cat([self._encoder(context, part) for part in parts])
        # Only one part's activations at a time, see `_shared`.
        return torch.cat(
            [
                checkpoint(
                    self._encoder, context, part, use_reentrant=False, preserve_rng_state=False
                )
                for part in parts
            ]
        )

    def _shared(self, context: Tensor) -> Tensor:
        """The common beginning once, then each group of prompts after it. → (C, W)"""
        tower = self._tower[0]
        keys_values = self._beginning(context)
        found = []
        total = sum(len(part.indices) * part.rows for part in self._parts)
        many = len(self._parts) > 1 and total > self._rows_at_once
        for part in self._parts:
            own = self._rest[part.indices, : part.rows]
            own = own + tower.positional_embedding[self.past :][: part.rows]
            if many and torch.is_grad_enabled():
                # Only one part's activations at a time; the rest is computed again (exact). Nothing
                # in a frozen tower is random, so no state of a generator has to be kept.
                found.append(
                    checkpoint(
                        self._ends,
                        part.ends,
                        own,
                        *keys_values,
                        use_reentrant=False,
                        preserve_rng_state=False,
                    )
                )
            else:
                found.append(self._ends(part.ends, own, *keys_values))
        order = torch.cat([part.indices for part in self._parts]).argsort()
        return tower.ln_final(torch.cat(found))[order]

    def _beginning(self, context: Tensor) -> list[Tensor]:
        """Keys and values (1, heads, P, d) of start token and context, for each block in turn."""
        tower = self._tower[0]
        x = torch.cat([self._first, context[None]], 1)
        x = x + tower.positional_embedding[: self.past]  # (1, P, W)
        found = []
        for block in tower.transformer.resblocks:
            q, k, v = _project(block, norm(block.ln_1, x))
            found += [k, v]
            if len(found) < 2 * len(tower.transformer.resblocks):
                x = _finish(block, x, F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return found

    def _ends(self, ends: Tensor | None, x: Tensor, *keys_values: Tensor) -> Tensor:
        """State of the end token after the last block. → (n, W)

        x: (n, R, W), what of each prompt follows the context; ends: (n,) row of its end token,
        None where that is the last.
        """
        tower = self._tower[0]
        blocks = tower.transformer.resblocks
        n, rows, _ = x.shape
        past = self.past
        mask = tower.attn_mask[past : past + rows, : past + rows]  # (R, P + R)
        for i, block in enumerate(blocks):
            q, k, v = _project(block, norm(block.ln_1, x))
            k = torch.cat([keys_values[2 * i].expand(n, -1, -1, -1), k], 2)
            v = torch.cat([keys_values[2 * i + 1].expand(n, -1, -1, -1), v], 2)
            if i == len(blocks) - 1:  # only the end token is used, and it attends to all
                if ends is None:
                    x, q, mask = x[:, -1:], q[:, :, -1:], None
                else:
                    each = torch.arange(n, device=x.device)
                    x, q = x[each, ends][:, None], q[each, :, ends][:, :, None]
                    mask = mask[ends][:, None, None]  # (n, 1, 1, P + R)
            mask = None if mask is None else mask.to(q.dtype)
            x = _finish(block, x, F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
        return x[:, 0]


def pads_prompts(device: torch.device) -> bool:
    """Whether prompts of all lengths are encoded together, padded behind their ends.

    On a GPU launches cost more than rows. On a CPU a part has prompts of one length, so that no
    row is computed for nothing.
    """
    return device.type == "cuda"


class _Part(NamedTuple):
    """Prompts that are encoded together."""

    indices: Tensor  # (n,) of their classes
    rows: int  # R, tokens behind the context, padding included
    ends: Tensor | None  # (n,) row of the end token of each; None: the last row

    @classmethod
    def of(cls, members: list[int], rows: int, ends: list[int], device: torch.device) -> "_Part":
        last = all(end == rows - 1 for end in ends)
        return cls(
            torch.tensor(members, device=device),
            rows,
            None if last else torch.tensor(ends, device=device),
        )


def _ends(tower: Any, tokens: Tensor) -> list[int] | None:
    """The pooled token of each prompt, which is its last; None for a tower unlike CLIP's."""
    blocks = getattr(getattr(tower, "transformer", None), "resblocks", ())
    pool_type = getattr(tower, "text_pool_type", None) or getattr(tower, "pool_type", None)
    like_clip = (
        isinstance(getattr(tower, "attn_mask", None), Tensor)
        and pool_type in ("argmax", "eos")
        and all(hasattr(tower, part) for part in ("positional_embedding", "ln_final"))
        and hasattr(tower, "text_projection")
        and len(blocks) > 0
        and all(is_plain(b) for b in blocks)
    )
    if not like_clip:
        return None
    end = getattr(tower, "text_eos_id", getattr(tower, "eos_id", None))
    pooled = tokens.eq(cast(int, end)) if pool_type == "eos" else tokens
    return pooled.int().argmax(1).tolist()


def _rows_at_once(tower: Any, width: int, device: torch.device) -> int:
    """Token rows whose activations may be held at once.

    A row takes about 14 · width · layers floats: 0.35 MB for CLIP's 512 × 12.
    """
    if device.type != "cuda":
        return ROWS_AT_ONCE
    blocks = getattr(tower.transformer, "resblocks", None)
    layers = len(blocks) if blocks is not None else tower.config.num_hidden_layers
    room = int(ROWS_SHARE * (memory_of(device) or 0)) // (14 * 4 * width * layers)
    return max(ROWS_AT_ONCE, room)


def _split(items: list[int], most: int) -> list[list[int]]:
    return [items[i : i + most] for i in range(0, len(items), most)]


def _project(block: ResidualAttentionBlock, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of x (n, R, W). → each (n, heads, R, d)"""
    n, rows, width = x.shape
    attn = block.attn
    weight, bias = held(attn, "in_proj_weight"), held(attn, "in_proj_bias")
    qkv = F.linear(x.reshape(n * rows, width), weight, bias)
    q, k, v = qkv.view(n, rows, 3, attn.num_heads, -1).unbind(2)
    return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)


def _finish(block: ResidualAttentionBlock, x: Tensor, attended: Tensor) -> Tensor:
    """The rest of a block after its attention. x (n, R, W), attended (n, heads, R, d) → (n, R, W)"""
    n, rows, width = x.shape
    attended = attended.transpose(1, 2).reshape(n * rows, width)
    last = block.attn.out_proj
    out = F.linear(attended, held(last, "weight"), held(last, "bias")).view(n, rows, width)
    x, h = add_norm(block.ln_2, x, block.ls_1(out))
    return x + block.ls_2(block.mlp(h))
