"""Every family of open_clip's models, shrunk: its own architecture, small, with random weights."""

import copy
import functools
import json
from pathlib import Path

import open_clip
import timm
import torch
from safetensors.torch import save_file

WORDS = ["a", "photo", "of", "dog", "cat", "grand", "piano", "sea", "lion", "wild", "town"]
CORPUS = [
    f"{prompt} {name}"
    for prompt in ("a photo of a", "a sketch of a", "a photo of the")
    for name in ("dog", "cat", "grand piano", "sea lion", "wild cat", "old red brick town house")
]

_VIT = {"embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": 32}
_CONVNEXT = {"depths": (1, 1, 1, 1), "dims": (8, 16, 16, 32)}
# What makes one of timm's models small, by the beginning of its name; the first that fits.
TIMM = {
    "vit_base_mci": {"depth": 1, "img_size": 64},
    "vitamin": {"depth": 1, "img_size": 64},
    "swin": {"embed_dim": 16, "depths": (1, 1), "num_heads": (2, 2), "img_size": 56},
    "fastvit_mci3": {"layers": (1, 1, 1, 1, 1), "embed_dims": (8, 16, 16, 32, 32)},
    "fastvit_mci4": {"layers": (1, 1, 1, 1, 1), "embed_dims": (8, 16, 16, 32, 32)},
    "fastvit": {"layers": (1, 1, 1, 1), "embed_dims": (8, 16, 16, 32)},
    "convnext": _CONVNEXT,
    "eva": _VIT | {"img_size": 56},
    "vit": _VIT | {"img_size": 56},
}
# Shrunk configs of Hugging Face's encoders; what is not named stays at its default.
_BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 400}
_BERT |= {"intermediate_size": 64, "max_position_embeddings": 96, "pad_token_id": 1}
_T5 = {"d_model": 32, "d_ff": 64, "d_kv": 16, "num_heads": 2, "num_layers": 2, "vocab_size": 400}
_M2M = {"d_model": 32, "vocab_size": 400, "max_position_embeddings": 128, "pad_token_id": 1} | {
    f"{side}_{part}": n
    for side in ("encoder", "decoder")
    for part, n in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 64))
}
ENCODERS = {
    "roberta": {"model_type": "roberta"} | _BERT,
    "xlm-roberta": {"model_type": "xlm-roberta"} | _BERT,
    "mt5": {"model_type": "mt5", "pad_token_id": 0} | _T5,
    "nllb": {"model_type": "m2m_100"} | _M2M,
}


def encoder_of(hf_name: str) -> str:
    """The key in ENCODERS of a Hugging Face model's name."""
    short = hf_name.rpartition("/")[2]
    return next(key for key in sorted(ENCODERS, key=len, reverse=True) if short.startswith(key))


def timm_size(name: str) -> dict:
    """The arguments that make one of timm's models small."""
    return next((size for start, size in TIMM.items() if name.startswith(start)), {})


def shrunk(name: str) -> dict:
    """The config of an open_clip model with small towers."""
    cfg = copy.deepcopy(open_clip.get_model_config(name))
    cfg["embed_dim"] = 32
    text, vision = cfg["text_cfg"], cfg["vision_cfg"]
    if text.get("hf_model_name"):
        text["hf_model_name"] = "text"
        text["hf_proj_type"] = text.get("hf_proj_type", "mlp")
        text["width"] = 32
    else:
        text |= {"width": 32, "heads": 2, "layers": 2}
    if text.get("hf_tokenizer_name"):
        text["vocab_size"] = 400
    if timm_name := vision.get("timm_model_name"):
        vision["image_size"] = timm_size(timm_name).get("img_size", 64)
    elif isinstance(vision["layers"], list):
        vision |= {"layers": [1, 1, 1, 1], "width": 8, "head_width": 16, "image_size": 32}
    else:
        vision |= {"layers": 2, "width": 32, "head_width": 16, "image_size": 32, "patch_size": 8}
        vision |= {"attn_pooler_heads": 4} if "attn_pooler_heads" in vision else {}
    if "multimodal_cfg" in cfg:
        cfg["multimodal_cfg"] |= {"width": 32, "heads": 2, "layers": 1}
    return cfg


def shrink_timm(monkeypatch) -> None:
    """Let timm build small models under the names that open_clip asks for."""
    create = timm.create_model

    @functools.wraps(create)
    def small(name, **kwargs):
        return create(name, **(kwargs | timm_size(name)))

    monkeypatch.setattr("open_clip.timm_model.timm.create_model", small)


def write_tokenizer(folder: Path, kind: str) -> None:
    """The files of a small tokenizer that frames and pads texts as one of the models' does.

    bert: words, [CLS] … [SEP]. roberta: <s> … </s>, padded with 1. t5: pieces that may hold a
    space, … </s>. c4: the same, padded with the end token. nllb: language … </s>.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = {
        "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
        "roberta": ["<s>", "<pad>", "</s>", "<unk>"],
        "t5": ["<pad>", "</s>", "<unk>"],
        "c4": ["<unk>", "</s>"],
        "nllb": ["<s>", "<pad>", "</s>", "<unk>", "eng_Latn"],
    }[kind]
    begin = {"bert": "[CLS] ", "roberta": "<s> ", "nllb": "eng_Latn "}.get(kind, "")
    end = "[SEP]" if kind == "bert" else "</s>"
    pad = {"bert": "[PAD]", "c4": "</s>"}.get(kind, "<pad>")
    unknown = "[UNK]" if kind == "bert" else "<unk>"
    if kind == "bert":
        tokenizer = Tokenizer(models.WordPiece(unk_token=unknown))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special)
    else:
        tokenizer = Tokenizer(models.BPE(unk_token=unknown))
        # Pieces of T5's may join words, so that a class can take the last word of the prompt.
        split = kind not in ("t5", "c4")
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=split)
        trainer = trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=special,
            initial_alphabet=list("abcdefghijklmnopqrstuvwxyz0."),
            max_token_length=None if split else 6,
        )
    tokenizer.train_from_iterator(CORPUS, trainer)
    ids = [(t, tokenizer.token_to_id(t)) for t in {*begin.split(), end}]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin}$A {end}", special_tokens=ids
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        eos_token=end,
        unk_token=unknown,
        **({"sep_token": end, "cls_token": "[CLS]"} if kind == "bert" else {}),
    ).save_pretrained(folder)


def tokenizer_kind(text_cfg: dict) -> str | None:
    """How the tokenizer of a config frames and pads; None for open_clip's own."""
    name = text_cfg.get("hf_tokenizer_name")
    if not name:
        return None
    kinds = {
        "bert": "bert",
        "roberta": "roberta",
        "xlm": "roberta",
        "nllb": "nllb",
        "mt5": "t5",
    }
    short = name.rpartition("/")[2]
    if (kind := next((k for start, k in kinds.items() if short.startswith(start)), None)) is None:
        kind = "t5" if "SigLIP2" in name else "c4"
    return kind


def write_model(folder: Path, cfg: dict) -> tuple[Path, Path]:
    """Config, weights and tokenizer of a shrunk model in a folder. → (config, weights)"""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(cfg), encoding="utf-8")
    text = dict(cfg["text_cfg"])
    if kind := tokenizer_kind(text):
        write_tokenizer(folder, kind)
    if text.get("hf_model_name"):
        (folder / "text").mkdir(exist_ok=True)
        encoder = ENCODERS[encoder_of(text["hf_tokenizer_name"])]
        (folder / "text" / "config.json").write_text(json.dumps(encoder), encoding="utf-8")
    torch.manual_seed(0)
    built = copy.deepcopy(cfg)
    if text.get("hf_model_name"):
        built["text_cfg"]["hf_model_name"] = str(folder / "text")
    (folder / "build").mkdir(exist_ok=True)
    (folder / "build" / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": built}), encoding="utf-8"
    )
    model = open_clip.create_model(
        f"local-dir:{folder / 'build'}", load_weights=False, pretrained_text=False
    )
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            # Some residual branches begin at zero, where inner norms get no gradient.
            torch.nn.init.normal_(module.weight, 1.0, 0.2)
    # Where a scale begins at zero or near it, the branch would not be seen in the features.
    for key, value in model.named_parameters():
        if key.endswith(("gamma", "gamma_1", "gamma_2")):
            torch.nn.init.normal_(value, 1.0, 0.2)
        if key == "text_decoder.text_projection":  # open_clip leaves it uninitialized
            torch.nn.init.normal_(value)
    weights = folder / "model.safetensors"
    save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, weights)
    return folder / "model.json", weights
