"""Text features of many prompts with a common beginning: exact, without redundant computation.

Every prompt is start token + shared context vectors + the tokens of a class name. The attention
mask is causal, so the states of the common beginning are equal for all classes and are computed
once; nothing after a prompt's end token is computed; in the last block only the end token is.
"""

from collections import defaultdict
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock, text_global_pool
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ueo_core.models.fast_attention import is_plain
from ueo_core.utils.memory import memory_of

# Token rows whose activations are held at once on a CPU, and at least elsewhere: 2,048 of CLIP's
# hold 0.7 GB, and 1,000 classes no more. A GPU takes so many that they fit this share of its memory.
ROWS_AT_ONCE, ROWS_SHARE = 2048, 0.15


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
        self._rows_at_once = _rows_at_once(tower, tokens.device)
        groups = defaultdict(list)
        for i, length in enumerate(lengths):
            groups[longest if pads_prompts(tokens.device) else length].append(i)
        self._parts = [
            _Part.of(part, length - 1 - m, [lengths[i] - 2 - m for i in part], tokens.device)
            for length, members in sorted(groups.items())
            for part in _split(members, max(1, self._rows_at_once // (length - 1 - m)))
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
        total = sum(len(part.indices) * part.rows for part in self._parts)
        many = len(self._parts) > 1 and total > self._rows_at_once
        for part in self._parts:
            own = self._rest[part.indices, : part.rows]
            own = own + tower.positional_embedding[1 + self.m :][: part.rows]
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

    def _ends(self, ends: Tensor | None, x: Tensor, *keys_values: Tensor) -> Tensor:
        """State of the end token after the last block. → (n, W)

        x: (n, R, W), what of each prompt follows the context; ends: (n,) row of its end token,
        None where that is the last.
        """
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
                if ends is None:
                    x, q, mask = x[:, -1:], q[:, :, -1:], None
                else:
                    each = torch.arange(n, device=x.device)
                    x, q = x[each, ends][:, None], q[each, :, ends][:, :, None]
                    mask = mask[ends][:, None, None]  # (n, 1, 1, 1 + M + R)
            allowed = None if mask is None else mask.to(q.dtype)
            x = _finish(block, x, F.scaled_dot_product_attention(q, k, v, attn_mask=allowed))
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


def _rows_at_once(tower: Any, device: torch.device) -> int:
    """Token rows whose activations may be held at once.

    A row takes about 14 · width · layers floats: 0.35 MB for CLIP's 512 × 12.
    """
    if device.type != "cuda":
        return ROWS_AT_ONCE
    width, layers = tower.positional_embedding.shape[1], len(tower.transformer.resblocks)
    room = int(ROWS_SHARE * (memory_of(device) or 0)) // (14 * 4 * width * layers)
    return max(ROWS_AT_ONCE, room)


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
