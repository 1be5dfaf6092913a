"""Text features of many prompts with a common beginning: exact, without redundant computation.

Every prompt is start token + shared context vectors + the tokens of a class name. The attention
mask is causal, so the states of the common beginning are equal for all classes and are computed
once; nothing after a prompt's end token is computed; in the last block only the end token is.
"""

from collections import defaultdict
from typing import Any, cast

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, text_global_pool
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ueo_core.models.fast_attention import is_plain

# Token rows whose activations are held at once. A row takes about 14 · width · layers floats:
# 0.35 MB for CLIP's 512 × 12, so a part of 2,048 rows holds 0.7 GB, and 1,000 classes no more.
ROWS_AT_ONCE = 2048


class Prompts(nn.Module):
    """Text features of context vectors followed by each of C class names, from a frozen text tower.

    tokens: (C, L) of the prompts; lengths: of each prompt, with start and end token; m: number of
    tokens after the start token that the context vectors replace.
    """

    tokens: Tensor
    _first: Tensor
    _rest: Tensor

    def __init__(self, tower: Any, tokens: Tensor, lengths: list[int], m: int):
        super().__init__()
        self._tower = (tower,)  # in a tuple, so that the frozen tower is no submodule
        self.m = m
        longest = max(lengths) if tower.attn_mask is not None else tokens.shape[1]
        self.register_buffer("tokens", tokens[:, :longest], persistent=False)  # (C, L)
        with torch.no_grad():
            embedded = tower.token_embedding(self.tokens).float()  # (C, L, W)
        self.first_context = embedded[0, 1 : 1 + m].clone()  # initial context vectors (M, W)
        self.register_buffer("_first", embedded[:1, :1].clone(), persistent=False)
        self.register_buffer("_rest", embedded[:, 1 + m :].clone(), persistent=False)
        self.pool_type = getattr(tower, "text_pool_type", None) or tower.pool_type
        self.end = getattr(tower, "text_eos_id", getattr(tower, "eos_id", None))
        pooled = self.tokens.eq(cast(int, self.end)) if self.pool_type == "eos" else self.tokens
        ends = pooled.int().argmax(1).tolist()
        self.shares = (
            tower.attn_mask is not None
            and self.pool_type in ("argmax", "eos")
            and ends == [n - 1 for n in lengths]  # the pooled token is the last of each prompt
            and all(is_plain(b) for b in tower.transformer.resblocks)
        )
        groups = defaultdict(list)
        for i, length in enumerate(lengths):
            groups[length].append(i)
        # Parts of equal length, none with more rows than may be held at once. → (indices, rows)
        self._parts = [
            (torch.tensor(part, device=tokens.device), length - 1 - m)
            for length, members in sorted(groups.items())
            for part in _split(members, max(1, ROWS_AT_ONCE // (length - 1 - m)))
        ]

    def forward(self, context: Tensor) -> Tensor:
        """(M, W) → (C, D), not normalized"""
        x = self._shared(context) if self.shares else self._whole(context)
        projection = self._tower[0].text_projection
        if isinstance(projection, nn.Linear):
            return projection(x)
        return x if projection is None else x @ projection

    def _whole(self, context: Tensor) -> Tensor:
        """Every prompt at full length, for text towers unlike CLIP's. → (C, W)"""
        tower = self._tower[0]
        c, length = self.tokens.shape
        beginning = torch.cat([self._first, context[None]], 1).expand(c, -1, -1)
        x = torch.cat([beginning, self._rest], 1) + tower.positional_embedding[:length]
        mask = None if tower.attn_mask is None else tower.attn_mask[:length, :length]
        x = tower.ln_final(tower.transformer(x, attn_mask=mask))
        return text_global_pool(x, self.tokens, self.pool_type, eos_token_id=self.end)

    def _shared(self, context: Tensor) -> Tensor:
        """The common beginning once, then each group of prompts after it. → (C, W)"""
        tower = self._tower[0]
        keys_values = self._beginning(context)
        found = []
        many = len(self._parts) > 1 and sum(len(p) * r for p, r in self._parts) > ROWS_AT_ONCE
        for indices, rows in self._parts:
            own = self._rest[indices, :rows] + tower.positional_embedding[1 + self.m :][:rows]
            if many and torch.is_grad_enabled():
                # Only one part's activations at a time; the rest is computed again (exact).
                found.append(checkpoint(self._ends, own, *keys_values, use_reentrant=False))
            else:
                found.append(self._ends(own, *keys_values))
        order = torch.cat([indices for indices, _ in self._parts]).argsort()
        return tower.ln_final(torch.cat(found))[order]

    def _beginning(self, context: Tensor) -> list[Tensor]:
        """Keys and values (1, heads, 1 + M, d) of start token and context, for each block in turn."""
        tower = self._tower[0]
        x = torch.cat([self._first, context[None]], 1)
        x = x + tower.positional_embedding[: 1 + self.m]  # (1, 1 + M, W)
        found = []
        for block in tower.transformer.resblocks:
            q, k, v = _project(block, block.ln_1(x))
            found += [k, v]
            if len(found) < 2 * len(tower.transformer.resblocks):
                x = _finish(block, x, F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return found

    def _ends(self, x: Tensor, *keys_values: Tensor) -> Tensor:
        """State of the end token after the last block. x: (n, R, W), the prompts' own ends → (n, W)"""
        tower = self._tower[0]
        blocks = tower.transformer.resblocks
        n, rows, _ = x.shape
        past = 1 + self.m
        mask = tower.attn_mask[past : past + rows, : past + rows]  # (R, 1 + M + R)
        for i, block in enumerate(blocks):
            q, k, v = _project(block, block.ln_1(x))
            k = torch.cat([keys_values[2 * i].expand(n, -1, -1, -1), k], 2)
            v = torch.cat([keys_values[2 * i + 1].expand(n, -1, -1, -1), v], 2)
            if i == len(blocks) - 1:  # only the end token is used, and it attends to all
                x, q, mask = x[:, -1:], q[:, :, -1:], None
            allowed = None if mask is None else mask.to(q.dtype)
            x = _finish(block, x, F.scaled_dot_product_attention(q, k, v, attn_mask=allowed))
        return x[:, 0]


def _split(items: list[int], most: int) -> list[list[int]]:
    return [items[i : i + most] for i in range(0, len(items), most)]


def _project(block: ResidualAttentionBlock, x: Tensor) -> Tensor:
    """Queries, keys and values of x (n, R, W). → (3, n, heads, R, d)"""
    n, rows, width = x.shape
    attn = block.attn
    qkv = F.linear(x.reshape(n * rows, width), attn.in_proj_weight, attn.in_proj_bias)
    return qkv.view(n, rows, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)


def _finish(block: ResidualAttentionBlock, x: Tensor, attended: Tensor) -> Tensor:
    """The rest of a block after its attention. x (n, R, W), attended (n, heads, R, d) → (n, R, W)"""
    n, rows, width = x.shape
    attended = attended.transpose(1, 2).reshape(n * rows, width)
    out = F.linear(attended, block.attn.out_proj.weight, block.attn.out_proj.bias)
    x = x + block.ls_1(out.view(n, rows, width))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
