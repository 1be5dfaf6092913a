"""CLIP and SigLIP as the package Transformers stores them, converted to open_clip's architectures.

From `config.json`, `preprocessor_config.json` and the names of the weights of `CLIPModel` and `SiglipModel`
(transformers 4 and 5; SigLIP 2 at a fixed resolution is stored as a SiglipModel). Nothing of Transformers
is executed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ueo_core.models.transformers_images import preprocess_config

CLIP, SIGLIP = "clip", "siglip"
KINDS = (CLIP, SIGLIP)
# timm's names of SigLIP's image towers by width, and the padding of their texts.
SIGLIP_SIZES = {768: "base", 1024: "large", 1152: "so400m", 1536: "giantopt"}
_CLIP_VOCABULARY = 49408


def open_clip_config(config: Mapping[str, Any], images: Mapping[str, Any]) -> dict[str, Any]:
    """The open_clip config (`model_cfg` and `preprocess_cfg`) of a Transformers model.

    config: of `config.json`; images: of the image processor, empty for the defaults of the family. Raises ValueError, with the cause as a clause, for what open_clip has no architecture for.
    """
    kind = config.get("model_type")
    if kind not in KINDS:
        raise ValueError(
            f"its model_type is “{kind}”, and only {' and '.join(KINDS)} are converted; "
            "give the model in open_clip's layout"
        )
    text, vision = _part(config, "text_config"), _part(config, "vision_config")
    make = _clip_config if kind == CLIP else _siglip_config
    size = _number(vision, "image_size", 224)
    return {
        "model_cfg": make(config, text, vision),
        "preprocess_cfg": preprocess_config(images, size, crops=kind == CLIP),
    }


def converted(kind: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under open_clip's names. kind: the model_type. ValueError for a name that has no place."""
    found: dict[str, Tensor] = {}
    pending: dict[str, dict[str, Tensor]] = {}  # parts of one matrix by its name
    rules = _CLIP_NAMES if kind == CLIP else _SIGLIP_NAMES
    for name, value in weights.items():
        if name.endswith("position_ids"):
            continue
        target, change, part = _place(name, rules)
        if part:
            pending.setdefault(target, {})[part] = value
        else:
            found[target] = change(value)
    for target, parts in pending.items():
        if set(parts) != {"q", "k", "v"}:
            raise ValueError(f"a part of “{target}” is missing")
        found[target] = torch.cat([parts[p] for p in "qkv"])
    if kind == SIGLIP:
        _split_pooling(found)
    return found


# The architectures


def _clip_config(config: Mapping[str, Any], text: Mapping, vision: Mapping) -> dict[str, Any]:
    acts = {_act(text, "quick_gelu"), _act(vision, "quick_gelu")}
    if len(acts) > 1 or not acts <= {"quick_gelu", "gelu"}:
        raise ValueError(f"its activations are {' and '.join(sorted(acts))}")
    vocabulary = _number(text, "vocab_size", _CLIP_VOCABULARY)
    if vocabulary != _CLIP_VOCABULARY:
        raise ValueError(
            f"its vocabulary has {vocabulary} tokens, and CLIP's own has {_CLIP_VOCABULARY}"
        )
    return {
        "embed_dim": _number(config, "projection_dim", 512),
        "quick_gelu": acts == {"quick_gelu"},
        "vision_cfg": {
            "image_size": _number(vision, "image_size", 224),
            "patch_size": _number(vision, "patch_size", 32),
            **_tower(vision, 768, 12, 12, 3072),
            "head_width": _number(vision, "hidden_size", 768)
            // _number(vision, "num_attention_heads", 12),
            "norm_kwargs": {"eps": _eps(vision, 1e-5)},
        },
        "text_cfg": {
            "context_length": _number(text, "max_position_embeddings", 77),
            "vocab_size": vocabulary,
            **_tower(text, 512, 12, 8, 2048),
            "heads": _number(text, "num_attention_heads", 8),
            "norm_kwargs": {"eps": _eps(text, 1e-5)},
        },
    }


def _siglip_config(config: Mapping[str, Any], text: Mapping, vision: Mapping) -> dict[str, Any]:
    acts = {_act(text, "gelu_pytorch_tanh"), _act(vision, "gelu_pytorch_tanh")}
    if acts != {"gelu_pytorch_tanh"}:
        raise ValueError(f"its activations are {' and '.join(sorted(acts))}")
    width = _number(vision, "hidden_size", 768)
    if width not in SIGLIP_SIZES:
        raise ValueError(f"its image tower is {width} wide, and timm has no SigLIP of that width")
    patch, side = _number(vision, "patch_size", 16), _number(vision, "image_size", 224)
    return {
        "embed_dim": _number(text, "projection_size", _number(text, "hidden_size", 768)),
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": side,
            "timm_model_name": f"vit_{SIGLIP_SIZES[width]}_patch{patch}_siglip_{side}",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": {
            "context_length": _number(text, "max_position_embeddings", 64),
            "vocab_size": _number(text, "vocab_size", 32000),
            "hf_tokenizer_name": ".",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            **_tower(text, 768, 12, 12, 3072),
            "heads": _number(text, "num_attention_heads", 12),
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": _eps(text, 1e-6)},
            "act_kwargs": {"approximate": "tanh"},
        },
    }


def _tower(part: Mapping, width: int, layers: int, heads: int, inner: int) -> dict[str, Any]:
    """Width, layers and MLP ratio; Transformers leaves out what has its default value."""
    wide = _number(part, "hidden_size", width)
    if wide % _number(part, "num_attention_heads", heads):
        raise ValueError(f"its width of {wide} is no multiple of its attention heads")
    return {
        "width": wide,
        "layers": _number(part, "num_hidden_layers", layers),
        "mlp_ratio": _number(part, "intermediate_size", inner) / wide,
    }


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name) or {}
    if not isinstance(found, Mapping):
        raise ValueError(f"its {name} is no object")
    return found


def _number(config: Mapping[str, Any], name: str, default: int) -> int:
    value = config.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10**7:
        raise ValueError(f"its {name} is {str(value)[:40]!r}")
    return value


def _eps(config: Mapping[str, Any], default: float) -> float:
    value = config.get("layer_norm_eps", default)
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"its layer_norm_eps is {str(value)[:40]!r}")
    return value


def _act(config: Mapping[str, Any], default: str) -> str:
    return str(config.get("hidden_act", default))


# The names: (beginning or end of a name → open_clip's, and what becomes of the value)

Change = Callable[[Tensor], Tensor]


def _same(value: Tensor) -> Tensor:
    return value


def _turned(value: Tensor) -> Tensor:
    return value.T.contiguous()


_CLIP_NAMES: dict[str, tuple[str, Change]] = {
    "logit_scale": ("logit_scale", _same),
    "text_projection.weight": ("text_projection", _turned),
    "visual_projection.weight": ("visual.proj", _turned),
    "text_model.embeddings.token_embedding.weight": ("token_embedding.weight", _same),
    "text_model.embeddings.position_embedding.weight": ("positional_embedding", _same),
    "text_model.final_layer_norm.": ("ln_final.", _same),
    "text_model.encoder.layers.": ("transformer.resblocks.", _same),
    "vision_model.embeddings.class_embedding": ("visual.class_embedding", _same),
    "vision_model.embeddings.patch_embedding.weight": ("visual.conv1.weight", _same),
    "vision_model.embeddings.position_embedding.weight": ("visual.positional_embedding", _same),
    "vision_model.pre_layrnorm.": ("visual.ln_pre.", _same),
    "vision_model.post_layernorm.": ("visual.ln_post.", _same),
    "vision_model.encoder.layers.": ("visual.transformer.resblocks.", _same),
}
_SIGLIP_NAMES: dict[str, tuple[str, Change]] = {
    "logit_scale": ("logit_scale", lambda v: v.reshape(())),
    "logit_bias": ("logit_bias", lambda v: v.reshape(())),
    "text_model.embeddings.token_embedding.weight": ("text.token_embedding.weight", _same),
    "text_model.embeddings.position_embedding.weight": ("text.positional_embedding", _same),
    "text_model.final_layer_norm.": ("text.ln_final.", _same),
    "text_model.head.": ("text.text_projection.", _same),
    "text_model.encoder.layers.": ("text.transformer.resblocks.", _same),
    "vision_model.embeddings.patch_embedding.": ("visual.trunk.patch_embed.proj.", _same),
    "vision_model.embeddings.position_embedding.weight": (
        "visual.trunk.pos_embed",
        lambda v: v[None],
    ),
    "vision_model.post_layernorm.": ("visual.trunk.norm.", _same),
    "vision_model.encoder.layers.": ("visual.trunk.blocks.", _same),
    "vision_model.head.probe": ("visual.trunk.attn_pool.latent", _same),
    "vision_model.head.attention.in_proj_": ("visual.trunk.attn_pool.in_proj.", _same),
    "vision_model.head.attention.out_proj.": ("visual.trunk.attn_pool.proj.", _same),
    "vision_model.head.layernorm.": ("visual.trunk.attn_pool.norm.", _same),
    "vision_model.head.mlp.": ("visual.trunk.attn_pool.mlp.", _same),
}
# Inside a layer: of open_clip's transformer, and of timm's.
_BLOCK = {
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "self_attn.out_proj.": "attn.out_proj.",
}
_TIMM_BLOCK = {
    "layer_norm1.": "norm1.",
    "layer_norm2.": "norm2.",
    "mlp.": "mlp.",
    "self_attn.out_proj.": "attn.proj.",
}


def _place(name: str, rules: Mapping[str, tuple[str, Change]]) -> tuple[str, Change, str]:
    """Where a weight belongs: its name, what becomes of it, and its part of a joined matrix ("" for none)."""
    begin = next((b for b in rules if name == b or (b[-1] in "._" and name.startswith(b))), None)
    if begin is None:
        raise ValueError(f"its weight “{name}” has no place in open_clip's model")
    target, change = rules[begin]
    rest = name.removeprefix(begin)
    if not begin.endswith("encoder.layers."):
        return target + rest, change, ""
    number, _, inner = rest.partition(".")
    timm = target.endswith("blocks.") and "trunk" in target
    for part in ("q", "k", "v"):
        if inner.startswith(f"self_attn.{part}_proj."):
            kind = inner.rpartition(".")[2]
            joined = f"attn.qkv.{kind}" if timm else f"attn.in_proj_{kind}"
            return f"{target}{number}.{joined}", change, part
    for old, new in (_TIMM_BLOCK if timm else _BLOCK).items():
        if inner.startswith(old):
            return f"{target}{number}.{new}{inner.removeprefix(old)}", change, ""
    raise ValueError(f"its weight “{name}” has no place in open_clip's model")


def _split_pooling(found: dict[str, Tensor]) -> None:
    """timm keeps the query of SigLIP's pooling apart from keys and values."""
    for kind in ("weight", "bias"):
        joined = found.pop(f"visual.trunk.attn_pool.in_proj.{kind}", None)
        if joined is not None:
            third = len(joined) // 3
            found[f"visual.trunk.attn_pool.q.{kind}"] = joined[:third]
            found[f"visual.trunk.attn_pool.kv.{kind}"] = joined[third:]
