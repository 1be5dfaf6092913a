"""A faster form of the self-attention of open_clip's towers.

`nn.MultiheadAttention` is slow on CPUs: its projections run on (L, B, D) views, and in bfloat16 it
is several times slower than in float32. Three plain matrix products around
`scaled_dot_product_attention` give the same numbers.
"""

import types
from typing import Any

import torch.nn.functional as F
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn

from ueo_core.models.held_weights import held


def _attention(
    self: ResidualAttentionBlock,
    q_x: Tensor,
    k_x: Tensor | None = None,
    v_x: Tensor | None = None,
    attn_mask: Tensor | None = None,
) -> Tensor:
    """Self-attention over q_x (B, L, D) → (B, L, D), equal to the block's own to rounding."""
    attn: nn.MultiheadAttention = self.attn
    b, length, width = q_x.shape
    weight, bias = held(attn, "in_proj_weight"), held(attn, "in_proj_bias")
    qkv = F.linear(q_x.reshape(b * length, width), weight, bias)
    # Its gradient is put together by one copy; that of a permuted tensor would take two.
    parts = qkv.view(b, length, 3, attn.num_heads, -1).unbind(2)
    q, k, v = (part.transpose(1, 2) for part in parts)  # (B, heads, L, d)
    if attn_mask is not None:
        attn_mask = attn_mask.to(q.dtype)
        if attn_mask.dim() == 3:  # (B · heads, L, L), as CoCa's text tower makes it
            attn_mask = attn_mask.view(b, attn.num_heads, *attn_mask.shape[1:])
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
    out = out.transpose(1, 2).reshape(b * length, width)
    weight, bias = held(attn.out_proj, "weight"), held(attn.out_proj, "bias")
    return F.linear(out, weight, bias).view(b, length, width)


def is_plain(block: nn.Module) -> bool:
    """Whether a block is open_clip's plain self-attention block, not a variant of it."""
    if not isinstance(block, ResidualAttentionBlock) or hasattr(block, "ln_1_kv"):
        return False
    attn = block.attn
    return attn.batch_first and attn.in_proj_weight is not None and attn.bias_k is None


def use_fast_attention(model: nn.Module) -> int:
    """Replace the attention of every plain self-attention block by the fast form, in place.

    → number of replaced blocks. Weights stay; cross-attention and custom blocks are left as they are.
    """
    replaced = 0
    block: Any
    for block in model.modules():
        if is_plain(block):
            block.attention = types.MethodType(_attention, block)
            replaced += 1
    return replaced
