"""Files of a model on the Hugging Face Hub, and which models are in its local cache. Imports no torch."""

import contextlib
import json
from pathlib import Path

HUB_NAME = "hf-hub:"  # what a name of the Hub begins with, as in open_clip
OPEN_CLIP, TRANSFORMERS = "open_clip_config.json", "config.json"
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
IMAGES, PROCESSOR = "preprocessor_config.json", "processor_config.json"
CLIP, SIGLIP = "clip", "siglip"  # model types of Transformers that are converted
KINDS = (CLIP, SIGLIP)


def cached_models() -> list[str]:
    """Names (`hf-hub:owner/name`) of the models in the Hub's cache that can be used; makes no request.

    By their small files alone: whether the weights fit is found when one is loaded.
    """
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    found = []
    with contextlib.suppress(CacheNotFound, OSError, ValueError):
        for repository in scan_cache_dir(constants.HF_HUB_CACHE).repos:
            if repository.repo_type != "model":
                continue
            if any(_usable(Path(r.snapshot_path)) for r in repository.revisions if r.refs):
                found.append(f"{HUB_NAME}{repository.repo_id}")
    return sorted(found)


def _usable(folder: Path) -> bool:
    if (folder / OPEN_CLIP).is_file():
        return any((folder / file).is_file() for file in OPEN_CLIP_WEIGHTS)
    if not any((folder / file).is_file() for file in WEIGHTS):
        return False
    try:
        config = json.loads((folder / TRANSFORMERS).read_text(encoding="utf-8"))
        return config["model_type"] in KINDS
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
