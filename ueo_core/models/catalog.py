"""Backbones by name, and which of them are on this machine. Imports no torch."""

import os
import urllib.parse
from pathlib import Path

from ueo_core.models.hub_files import cached_models
from ueo_core.utils.paths import ASSETS

# Small teaching models for drawings, shipped with the package.
DRAWINGS = {
    "drawings-resnet": "ResNet, batch normalization",
    "drawings-vit": "ViT, layer normalization",
}
SUGGESTED_TAG = "openai"
# Listed first; every other open_clip name works as well. What open_clip says of their weights is
# repeated here, because it can only be asked with torch, which takes seconds.
_CDN = "https://openaipublic.azureedge.net/clip/models"
SUGGESTED = {
    "RN50-quickgelu": {
        "hf_hub": "timm/resnet50_clip.openai/",
        "url": f"{_CDN}/afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt",
    },
    "ViT-B-16-quickgelu": {
        "hf_hub": "timm/vit_base_patch16_clip_224.openai/",
        "url": f"{_CDN}/5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f/ViT-B-16.pt",
    },
}
# Host of the Hugging Face Hub; HF_ENDPOINT names a mirror, as for the Hub's client.
HUB = urllib.parse.urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname


def is_cached(name: str, tag: str) -> bool:
    """Whether the weights of an open_clip tag are in the local cache; makes no request."""
    from huggingface_hub import try_to_load_from_cache

    cfg = SUGGESTED.get(name) if tag == SUGGESTED_TAG else None
    if cfg is None:
        import open_clip

        cfg = open_clip.get_pretrained_cfg(name, tag) or {}
    repo = str(cfg.get("hf_hub") or "").rstrip("/")
    files: tuple[str, ...] = (
        "open_clip_model.safetensors",
        "open_clip_pytorch_model.safetensors",
        "open_clip_pytorch_model.bin",
    )
    if repo.count("/") == 2:  # "owner/repo/file"
        owner, rest, file = repo.split("/")
        repo, files = f"{owner}/{rest}", (file,)
    if repo and any(isinstance(try_to_load_from_cache(repo, f), str) for f in files):
        return True
    url = str(cfg.get("url") or "")
    return bool(url) and (Path.home() / ".cache" / "clip" / url.rsplit("/", 1)[-1]).is_file()


def available(every: bool = False) -> list[dict]:
    """Supported backbones, as rows with name, pretrained, available (on this machine) and about.

    The Drawings models and two suggested ones first, then the models in the Hub's cache, which have
    weights of their own; `every` adds all of open_clip's tags, for which torch is imported.
    """
    rows = [
        {
            "name": name,
            "pretrained": "assets",
            "available": (ASSETS / f"{name}.safetensors").is_file(),
            "about": f"teaching model for drawings ({about})",
        }
        for name, about in DRAWINGS.items()
    ]
    pairs = [(name, SUGGESTED_TAG) for name in SUGGESTED]
    if every:
        import open_clip

        pairs += [p for p in map(tuple, open_clip.list_pretrained()) if p not in pairs]
    rows += [
        {"name": n, "pretrained": t, "available": is_cached(n, t), "about": "open_clip"}
        for n, t in pairs
    ]
    return rows + [
        {"name": name, "pretrained": "", "available": True, "about": "in the cache of the Hub"}
        for name in cached_models()
    ]
