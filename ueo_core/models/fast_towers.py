"""Faster forms of parts of open_clip's towers.

Each gives the numbers of its module to rounding (tested); weights stay as they are. Only unused
results are left out: a pooled tower reads one token of its last layer, and the gradient of
quick-GELU needs one tensor, not three. On a GPU, whose memory is what bounds the operations between the
products, norms take the residual or the ReLU beside them into one kernel.
"""

import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.modified_resnet import AttentionPool2d, Bottleneck, ModifiedResNet
from open_clip.transformer import (
    QuickGELU,
    ResidualAttentionBlock,
    Transformer,
    VisionTransformer,
)
from torch import Tensor, nn

from ueo_core.models.equality import equal_features, pooled
from ueo_core.models.fast_attention import is_plain, use_fast_attention
from ueo_core.models.fused_norms import (
    add_norm,
    average_pool,
    batch_norm,
    norm,
    product_type,
    works_on,
)
from ueo_core.models.held_weights import held

QUICK = 1.702  # quick-GELU(x) = x · sigmoid(1.702 x) = silu(1.702 x) / 1.702


def make_fast(model: Any) -> None:
    """Replace every part of a frozen CLIP that has a faster form, in place."""
    use_fast_attention(model)
    for module in model.modules():
        if isinstance(module, ResidualAttentionBlock) and isinstance(module.mlp.gelu, QuickGELU):
            _replace(module.mlp, _quick_mlp)
        for kind, form in FORMS.items():
            if isinstance(module, kind):
                _replace(module, form)
    visual = model.visual
    if isinstance(visual, VisionTransformer):
        if all(map(is_plain, visual.transformer.resblocks)):
            _replace(visual.transformer, _transformer)
        if isinstance(visual.ln_pre, nn.LayerNorm):
            _replace(visual.ln_pre, _layer_norm)
        if _takes_patches(visual.conv1):
            _replace(visual.conv1, _patches)
    if reads_class_token_only(visual):
        _replace(visual.transformer.resblocks[-1], _last_block)


def _replace(module: Any, form: Callable) -> None:
    """Give a module another `forward`."""
    module.forward = types.MethodType(form, module)


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


def _takes_patches(convolution: nn.Conv2d) -> bool:
    """Whether a convolution takes square patches beside each other."""
    sides = {*convolution.kernel_size, *convolution.stride}
    return len(sides) == 1 and convolution.groups == 1 and set(convolution.padding) == {0}


def reads_class_token_only(visual: Any) -> bool:
    """Whether a tower is open_clip's ViT with the final class token as its feature."""
    return (
        isinstance(visual, VisionTransformer)
        and visual.attn_pool is None
        and visual.pool_type == "tok"
        and not visual.output_tokens
        and is_plain(visual.transformer.resblocks[-1])
    )


def _patches(self: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution of patches beside each other, as one product. (B, 3, H, W) → (B, W, h, w)"""
    p, (b, channels, height, width) = self.kernel_size[0], x.shape
    if not works_on(x):
        return type(self).forward(self, x)
    rows, columns = height // p, width // p
    x = x[:, :, : rows * p, : columns * p].reshape(b, channels, rows, p, columns, p)
    x = x.permute(0, 2, 4, 1, 3, 5).to(product_type(x)).reshape(b * rows * columns, -1)
    out = F.linear(x, held(self, "weight").flatten(1), self.bias)
    return out.view(b, rows, columns, -1).permute(0, 3, 1, 2)


def _layer_norm(self: nn.LayerNorm, x: Tensor) -> Tensor:
    return norm(self, x) if works_on(x) else type(self).forward(self, x)


def _transformer(self: Transformer, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """All blocks, each residual in one kernel with the norm after it. (B, L, W) → (B, L or 1, W)"""
    if attn_mask is not None or self.grad_checkpointing or not works_on(x):
        return type(self).forward(self, x, attn_mask)
    *blocks, last = self.resblocks
    added = None  # what the block before adds to x
    for block in blocks:
        if added is None:
            h = norm(block.ln_1, x)
        else:
            x, h = add_norm(block.ln_1, x, added)
        x, h = add_norm(block.ln_2, x, block.ls_1(block.attention(h)))
        added = block.ls_2(block.mlp(h))
    return last(x if added is None else x + added)


def _bottleneck(self: Bottleneck, x: Tensor) -> Tensor:
    """Each batch norm in one kernel with its ReLU, and with the shortcut. (B, C, H, W)"""
    # Quick mode reads the input of the last norm by a hook.
    if not works_on(x) or self.bn3._forward_pre_hooks:
        return type(self).forward(self, x)
    out = batch_norm(self.bn1, self.conv1(x))
    out = average_pool(self.avgpool, batch_norm(self.bn2, self.conv2(out)))
    shortcut = x
    if self.downsample is not None:
        pool, convolution, last = self.downsample
        shortcut = batch_norm(last, convolution(average_pool(pool, x)), relu=False)
    return batch_norm(self.bn3, self.conv3(out), shortcut)


def _resnet(self: ModifiedResNet, x: Tensor) -> Tensor:
    """The tower with a stem whose norms are one kernel each with their ReLU. (B, 3, S, S) → (B, D)"""
    if not works_on(x):
        return type(self).forward(self, x)
    for convolution, layer in (
        (self.conv1, self.bn1),
        (self.conv2, self.bn2),
        (self.conv3, self.bn3),
    ):
        x = batch_norm(layer, convolution(x))
    x = self.layer4(self.layer3(self.layer2(self.layer1(average_pool(self.avgpool, x)))))
    return self.attnpool(x)


def _quick_mlp(self: Any, x: Tensor) -> Tensor:
    """Linear, quick-GELU, linear, with both factors inside the matrix products. (…, W) → (…, W)"""
    up, down = self.c_fc, self.c_proj
    if x.is_cuda and torch.is_autocast_enabled("cuda"):  # the factors in the weights that are held
        hidden = F.linear(x, held(up, "weight", QUICK), held(up, "bias", QUICK))
        return F.linear(F.silu(hidden), held(down, "weight", 1 / QUICK), held(down, "bias"))
    flat = x.reshape(-1, x.shape[-1])
    hidden = torch.addmm(up.bias, flat, up.weight.T, beta=QUICK, alpha=QUICK)
    out = torch.addmm(down.bias, F.silu(hidden), down.weight.T, alpha=1 / QUICK)
    return out.view(*x.shape[:-1], -1)


def class_token_attention(self: ResidualAttentionBlock, x: Tensor) -> Tensor:
    """x_0 + attention of the class token to all tokens. (B, L, W) → (B, 1, W)"""
    b, length, width = x.shape
    attn: nn.MultiheadAttention = self.attn
    h = norm(self.ln_1, x)
    weight, bias = held(attn, "in_proj_weight"), held(attn, "in_proj_bias")
    q = F.linear(h[:, 0], weight[:width], bias[:width]).view(b, 1, attn.num_heads, -1)
    kv = F.linear(h.reshape(b * length, width), weight[width:], bias[width:])
    parts = kv.view(b, length, 2, attn.num_heads, -1).unbind(2)
    k, v = (part.transpose(1, 2) for part in parts)  # (B, heads, L, d)
    out = F.scaled_dot_product_attention(q.transpose(1, 2), k, v).transpose(1, 2)
    last = attn.out_proj
    out = F.linear(out.reshape(b, width), held(last, "weight"), held(last, "bias"))
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


FORMS: dict[type[nn.Module], Callable] = {
    AttentionPool2d: _attention_pool,
    Bottleneck: _bottleneck,
    ModifiedResNet: _resnet,
}
