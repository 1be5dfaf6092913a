"""The table of open_clip's models in docs/models.md: each is built and tried.

    python -m tests.helpers.model_matrix     # writes the table anew

What trains is counted on the architecture itself, built without memory on torch's `meta` device. That
texts and images are encoded as open_clip encodes them is tried on the same architecture made small
(`model_families`), with a tokenizer made here.
"""

import copy
import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import open_clip
import torch

from tests.helpers.model_families import (
    encoder_of,
    shrink_timm,
    shrunk,
    tokenizer_kind,
    write_model,
)
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP, norm_affine, prompt_text
from ueo_core.models.backbones import _isolated
from ueo_core.models.text_encoder import token_embedding

DOCS = Path(__file__).resolve().parents[2] / "docs" / "models.md"
CLASSES = ["dog", "grand piano", "sea lion"]
# Widths of the encoders that open_clip names, from their published configs, which are not here.
WIDTHS = {
    "roberta-base": 768,
    "xlm-roberta-base": 768,
    "xlm-roberta-large": 1024,
    "google/mt5-base": 768,
    "google/mt5-xl": 2048,
    "facebook/nllb-200-distilled-600M": 1024,
    "facebook/nllb-200-distilled-1.3B": 1024,
}


class Row(NamedTuple):
    """One model: what trains and how its texts are encoded, or why it cannot be used."""

    name: str
    layers: int = 0  # normalization layers of the image tower
    affine: int = 0  # their parameters
    context: str = ""  # M × W of the context vectors
    path: str = ""
    reason: str = ""  # empty where it is supported


class _Patch:
    """What `shrink_timm` needs of pytest's monkeypatch, for a block."""

    def __enter__(self) -> "_Patch":
        self._open: list = []
        return self

    def setattr(self, target: str, value: object) -> None:
        self._open.append(patch(target, value))
        self._open[-1].start()

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            each.stop()


def matrix() -> list[Row]:
    """A row for each model that open_clip lists."""
    paths: dict[str, str] = {}
    return [_row(name, paths) for name in open_clip.list_models()]


def _row(name: str, paths: dict[str, str]) -> Row:
    try:
        layers, affine, width = _trained(name)
        cfg = shrunk(name)
        key = _architecture(cfg)
        if key not in paths:
            paths[key] = _text_path(cfg)
    except Exception as error:  # the table says why
        return Row(name, reason=f"{type(error).__name__}: {str(error).splitlines()[0][:120]}")
    own = not cfg["text_cfg"].get("hf_tokenizer_name")
    return Row(name, layers, affine, f"{4 if own else 'M'} × {width}", paths[key])


def _architecture(cfg: dict) -> str:
    """Equal for shrunk configs that differ in the names of sizes and tokenizers alone."""
    kind = tokenizer_kind(cfg["text_cfg"])
    timm_name = re.sub(r"_\d{3}$", "", cfg["vision_cfg"].get("timm_model_name", ""))
    text = cfg["text_cfg"] | {"hf_tokenizer_name": kind}
    vision = cfg["vision_cfg"] | {"timm_model_name": timm_name}
    return json.dumps(cfg | {"text_cfg": text, "vision_cfg": vision})


def _trained(name: str) -> tuple[int, int, int]:
    """Normalization layers and parameters of the image tower, width of a context vector."""
    with torch.device("meta"), _isolated(), patch("open_clip.hf_model.AutoConfig", _Published):
        model = open_clip.create_model(
            name, load_weights=False, pretrained_text=False, device="meta"
        ).eval()
    size = model.visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    with torch.no_grad():
        features = model.visual(torch.empty(1, 3, height, width, device="meta"))
    features = features[0] if isinstance(features, tuple) else features
    assert features.shape == (1, open_clip.get_model_config(name)["embed_dim"])
    affine = norm_affine(model.visual)
    layers = len({key.rpartition(".")[0] for key in affine})
    return layers, sum(p.numel() for p in affine.values()), token_embedding(model).weight.shape[1]


class _Published:
    """In place of transformers' AutoConfig: configs with the published width, from no file."""

    @staticmethod
    def from_pretrained(name: str):
        from transformers import AutoConfig

        kind = {"nllb": "m2m_100"}.get(encoder_of(name), encoder_of(name))
        key = "d_model" if kind in ("mt5", "m2m_100") else "hidden_size"
        heads = {} if kind == "m2m_100" else {"num_attention_heads": WIDTHS[name] // 64}
        return AutoConfig.for_model(kind, **{key: WIDTHS[name]}, **heads)


def _text_path(cfg: dict) -> str:
    """How a small model of the architecture encodes prompts; an error where features differ."""
    with tempfile.TemporaryDirectory() as folder, _Patch() as patched, _isolated():
        shrink_timm(patched)
        config, weights = map(str, write_model(Path(folder), copy.deepcopy(cfg)))
        stock = backbones.stock(config, weights)
        stock.model.eval()
        tokens = stock.tokenizer([prompt_text("a photo of a", n) for n in CLASSES])
        size = cfg["vision_cfg"]["image_size"]
        images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = [
                torch.nn.functional.normalize(own, dim=-1)
                for own in (
                    stock.model.encode_image(images, normalize=False),
                    stock.model.encode_text(tokens, normalize=False),
                )
            ]
            backbone = backbones.prepare(stock, torch.device("cpu"))
            model = AdaptedCLIP(backbone, CLASSES)
            found = model.encode_image(images), model.encode_text()
        for ours, own in zip(found, expected, strict=True):
            assert (ours - own).abs().max() <= 1e-5, "features differ from open_clip's"
        return backbone.text_path


def as_markdown(rows: list[Row]) -> str:
    """The page: what it says, and the table."""
    works = [row for row in rows if not row.reason]
    paths = Counter(row.path for row in works)
    lines = [
        "# Models",
        "",
        f"open_clip {open_clip.__version__} lists {len(rows)} models; {len(works)} can be adapted. A test "
        "builds each of them,",
        "counts what trains, and compares the features of a small model of the same architecture, with",
        "random weights, with open_clip's own (difference at most 1e-5). No pretrained weights are read.",
        "",
        "**Affine** are the weights and biases of all normalization layers of the image tower, found by type:",
        "LayerNorm, BatchNorm, GroupNorm, RMSNorm, SimpleNorm and what timm derives from them. **Context** is",
        "the number of context vectors × their width. The prompt “a photo of a” has M = 4 with CLIP's own",
        "tokenizer. With another one, M is the number of tokens that all prompts begin with: where the",
        "last word of the prompt joins the first of a class, it stays with the class. In each case the",
        "start is zero-shot, to rounding.",
        "",
        "**Texts** are encoded in one of three ways; which one is found at load, by comparison with the model's",
        "own `encode_text`:",
        "",
        f"- shared ({paths['shared']}): the beginning that all prompts have in common is computed once, and "
        "nothing after a prompt's end.",
        f"- trimmed ({paths['trimmed']}): the tower's own code, without the padding that all prompts have.",
        f"- full ({paths['full']}): the tower's own code, on all tokens.",
        "",
        "Models with an M need the package transformers (`pip install transformers sentencepiece`) and the",
        "files of their tokenizer: from the Hugging Face Hub, or from the folder of the checkpoint.",
        "`coca` models are used as dual encoders; nothing is captioned.",
        "",
        "**Weights from a file** are a safetensors file, or a `.pt` that torch loads with `weights_only`; nothing is",
        "unpickled. Training checkpoints may hold them as `state_dict`, with names that begin with `module.`. A file",
        "is refused, with its cause, when it is empty or cut, a git-lfs pointer, a TorchScript archive or of another",
        "family of models, and when its weights hold NaN or infinite values or overflow float16 (65504).",
        "",
        "**From the Hugging Face Hub** a backbone is named `hf-hub:owner/name` (from the local cache, or downloaded), or it",
        "is the folder of a copy. Read are open_clip's layout, and that of Transformers' CLIPModel and SiglipModel",
        "(also SigLIP 2 at a fixed resolution), whose weights, preprocessing, activation and norms are converted; on small",
        "models with random weights, features differ from those of Transformers by at most 1e-5. How images are",
        "fitted is taken over exactly (size, crop, filter, rescaling, mean and std), or the model is refused with the",
        "step that open_clip has no word for. Models in the local cache are listed by `backbones` and on the page. The",
        "script for plain open_clip cannot read weights in that layout; ONNX can be exported.",
        "",
        "**SigLIP's logit bias** is read and changes nothing here: softmax does not see it, and by the largest sigmoid",
        "images have the order that they have by *maximum cosine*, whatever the bias.",
        "",
        '    python -m ueo_core adapt photos/ --classes "dog,cat" --out RUN --backbone hf-hub:timm/ViT-B-16-SigLIP',
        '    python -m ueo_core adapt photos/ --classes "dog,cat" --out RUN --backbone models/clip-vit-base-patch32',
        "",
        "| model | norms | affine | context | texts |",
        "|---|---:|---:|---:|---|",
    ]
    for row in rows:
        if row.reason:
            lines.append(f"| {row.name} | | | | not supported: {row.reason} |")
        else:
            lines.append(
                f"| {row.name} | {row.layers} | {row.affine:,} | {row.context} | {row.path} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCS.write_text(as_markdown(matrix()), encoding="utf-8")
