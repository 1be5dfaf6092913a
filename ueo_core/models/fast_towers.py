"""Faster forms of parts of open_clip's towers.

Each gives the numbers of its module to rounding (tested); weights stay as they are. Only unused
results are left out: a pooled tower reads one token of its last layer, and the gradient of
quick-GELU needs one tensor, not three.
"""

import types
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import AttentionPool2d
from open_clip.transformer import QuickGELU, ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from ueo_core.models.equality import equal_features, pooled
from ueo_core.models.fast_attention import is_plain, use_fast_attention

QUICK = 1.702  # quick-GELU(x) = x · sigmoid(1.702 x) = silu(1.702 x) / 1.702


def make_fast(model: Any) -> None:
    """Replace every part of a frozen CLIP that has a faster form, in place."""
    use_fast_attention(model)
    for module in model.modules():
        if isinstance(module, AttentionPool2d):
            module.forward = types.MethodType(_attention_pool, module)
        elif isinstance(module, ResidualAttentionBlock) and isinstance(module.mlp.gelu, QuickGELU):
            module.mlp.forward = types.MethodType(_quick_mlp, module.mlp)
    if reads_class_token_only(model.visual):
        last = model.visual.transformer.resblocks[-1]
        last.forward = types.MethodType(_last_block, last)


@torch.no_grad()
def make_fast_where_equal(model: Any, image: Tensor, tokens: Tensor) -> None:
    """`make_fast`, undone in a tower whose own features it does not give.

    image: (1, 3, H, W), tokens: (n, L), with which both are compared.
    """
    own = {id(module): set(vars(module)) for module in model.modules()}
    images = set(model.visual.modules())
    texts = set(model.modules()) - images
    make_fast(model)
    towers = (
        (images, lambda: model.encode_image(image)),
        (texts, lambda: model.encode_text(tokens)),
    )
    for modules, encode in towers:
        forms = [
            (vars(module), name, vars(module)[name])
            for module in modules
            for name in {"forward", "attention"} & (set(vars(module)) - own[id(module)])
        ]
        if not forms:
            continue
        ours = pooled(encode())
        for attributes, name, _ in forms:
            del attributes[name]
        if equal_features(ours, pooled(encode())):
            for attributes, name, form in forms:
                attributes[name] = form


def reads_class_token_only(visual: Any) -> bool:
    """Whether a tower is open_clip's ViT with the final class token as its feature."""
    return (
        isinstance(visual, VisionTransformer)
        and visual.attn_pool is None
        and visual.pool_type == "tok"
        and not visual.output_tokens
        and is_plain(visual.transformer.resblocks[-1])
    )


def _quick_mlp(self: Any, x: Tensor) -> Tensor:
    """Linear, quick-GELU, linear, with both factors inside the matrix products. (…, W) → (…, W)"""
    up, down = self.c_fc, self.c_proj
    flat = x.reshape(-1, x.shape[-1])
    hidden = torch.addmm(up.bias, flat, up.weight.T, beta=QUICK, alpha=QUICK)
    out = torch.addmm(down.bias, F.silu(hidden), down.weight.T, alpha=1 / QUICK)
    return out.view(*x.shape[:-1], -1)


def class_token_attention(self: ResidualAttentionBlock, x: Tensor) -> Tensor:
    """x_0 + attention of the class token to all tokens. (B, L, W) → (B, 1, W)"""
    b, length, width = x.shape
    attn: nn.MultiheadAttention = self.attn
    h = self.ln_1(x)
    weight, bias = attn.in_proj_weight, attn.in_proj_bias
    q = F.linear(h[:, 0], weight[:width], bias[:width]).view(b, 1, attn.num_heads, -1)
    kv = F.linear(h.reshape(b * length, width), weight[width:], bias[width:])
    k, v = kv.view(b, length, 2, attn.num_heads, -1).permute(2, 0, 3, 1, 4)  # (B, heads, L, d)
    out = F.scaled_dot_product_attention(q.transpose(1, 2), k, v).transpose(1, 2)
    out = F.linear(out.reshape(b, width), attn.out_proj.weight, attn.out_proj.bias)
    return x[:, :1] + self.ls_1(out[:, None])


def _last_block(self: ResidualAttentionBlock, q_x: Tensor, attn_mask=None, **_) -> Tensor:
    """The class token after the block; the other tokens are not used. (B, L, W) → (B, 1, W)"""
    x = class_token_attention(self, q_x)
    return x + self.ls_2(self.mlp(self.ln_2(x)))


def _attention_pool(self: AttentionPool2d, x: Tensor) -> Tensor:
    """CLIP's attention pool for its one query. (B, E, H, W) → (B, D)

    With a single query, the key matrix can be applied to the query, and the value matrix to the
    weighted mean, instead of to all positions: 2 E² products per image, not per position.
    """
    b, width = x.shape[:2]
    x = x.flatten(2).transpose(1, 2)  # (B, HW, E)
    x = torch.cat([x.mean(1, keepdim=True), x], 1)
    x = x + self.positional_embedding.to(x.dtype)
    heads, d = self.num_heads, width // self.num_heads
    q = self.q_proj(x[:, 0]).view(b, heads, d) * d**-0.5
    # The key's bias adds the same to all positions, so it has no effect on the softmax.
    query = torch.einsum("bhd,hde->bhe", q, self.k_proj.weight.view(heads, d, width).to(q.dtype))
    attention = torch.matmul(query, x.transpose(1, 2).to(q.dtype)).softmax(-1)  # (B, heads, HW + 1)
    mean = torch.matmul(attention.to(q.dtype), x.to(q.dtype))  # (B, heads, E)
    values = torch.einsum(
        "bhe,hde->bhd", mean, self.v_proj.weight.view(heads, d, width).to(q.dtype)
    )
    return self.c_proj(values.reshape(b, width) + self.v_proj.bias)
