"""A model from a folder of the Hugging Face Hub: `hf-hub:owner/name`, or a local copy of one.

Two layouts are read: open_clip's (`open_clip_config.json` and its weights) and that of Transformers'
CLIPModel and SiglipModel (`config.json`, `model.safetensors`, also in several files), which is converted.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ueo_core.models.catalog import HUB, HUB_NAME
from ueo_core.models.tokenizers import FILES, is_reachable
from ueo_core.models.transformers_layout import SIGLIP, converted, open_clip_config
from ueo_core.utils.errors import UserError

OPEN_CLIP, TRANSFORMERS = "open_clip_config.json", "config.json"
_OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
IMAGES, PROCESSOR = "preprocessor_config.json", "processor_config.json"
_WANTED = (OPEN_CLIP, TRANSFORMERS, IMAGES, PROCESSOR, *_OPEN_CLIP_WEIGHTS, *_WEIGHTS)
_REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_LARGEST_JSON = 10**7  # bytes


@dataclass(frozen=True)
class Snapshot:
    """A folder with a model, as far as its small files tell."""

    folder: Path
    config: dict[str, Any]  # open_clip's, with `model_cfg`
    weights: Path  # a file in open_clip's layout; the folder where Transformers' is converted
    kind: str = ""  # the model_type of Transformers; empty for open_clip's layout

    def state(self) -> dict[str, Tensor]:
        """The converted weights of Transformers' layout. UserError where they cannot be read."""
        try:
            return converted(self.kind, _read_weights(self.folder))
        except (OSError, ValueError, SafetensorError, RuntimeError) as error:
            raise _unusable(self.folder, f"its weights cannot be used ({error})") from error


def as_stored(model: Any, found: Snapshot) -> None:
    """Make an open_clip model compute exactly what the Transformers model of the folder computes.

    timm's towers of SigLIP use the exact GELU, Transformers its approximation by tanh, as in training.
    """
    if found.kind == SIGLIP:
        for module in model.visual.modules():
            if isinstance(module, nn.GELU):
                module.approximate = "tanh"


def is_snapshot(name: str) -> bool:
    """Whether a backbone's name is a folder or a repository of the Hub.

    A name that open_clip lists is that model, also where a folder is called the same.
    """
    if name.startswith(HUB_NAME):
        return True
    return bool(name.strip()) and Path(name).is_dir() and name not in open_clip.list_models()


def open_snapshot(name: str) -> Snapshot:
    """Read what a folder or repository holds. UserError, naming the file that is missing or unusable."""
    folder = _from_hub(name) if name.startswith(HUB_NAME) else Path(name)
    if (folder / OPEN_CLIP).is_file():
        config = _json(folder / OPEN_CLIP)
        config = config if "model_cfg" in config else {"model_cfg": config}
        weights = next((folder / w for w in _OPEN_CLIP_WEIGHTS if (folder / w).is_file()), None)
        if weights is None:
            raise _unusable(folder, f"it has no {_OPEN_CLIP_WEIGHTS[0]}")
        return Snapshot(folder, config, weights)
    if not (folder / TRANSFORMERS).is_file():
        raise _unusable(folder, f"it has neither {OPEN_CLIP} nor {TRANSFORMERS}")
    own = _json(folder / TRANSFORMERS)
    try:
        config = open_clip_config(own, image_processor(folder))
    except ValueError as error:
        raise _unusable(folder, str(error)) from None
    if not any((folder / file).is_file() for file in _WEIGHTS):
        raise _unusable(folder, f"it has no {_WEIGHTS[0]}")
    return Snapshot(folder, config, folder, own["model_type"])


def _from_hub(name: str) -> Path:
    """The local copy of a repository, downloaded where it is missing."""
    repository = name.removeprefix(HUB_NAME)
    if not _REPOSITORY.fullmatch(repository):
        raise UserError(f"Backbone “{name}”: write it as {HUB_NAME}owner/name.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repository, local_files_only=True))
        if any((folder / file).is_file() for file in (*_OPEN_CLIP_WEIGHTS, *_WEIGHTS)):
            return folder
    except (LocalEntryNotFoundError, OSError, ValueError):
        pass  # not here, or only a part of it
    if not is_reachable(HUB):
        raise UserError(
            f"Backbone “{name}”: it is not on this machine, and {HUB} cannot be reached to download it; "
            "connect to the network and try again, or give the folder of a copy."
        )
    try:
        # Of weights in both formats, only the one that needs no unpickling.
        return Path(
            snapshot_download(
                repository,
                allow_patterns=[*_WANTED, *FILES, "*.safetensors", "special_tokens_map.json"],
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise UserError(
            f"Backbone “{name}”: it cannot be downloaded ({str(error).splitlines()[0][:150]}); check the name."
        ) from error


def image_processor(folder: Path) -> dict[str, Any]:
    """How images are fitted; empty where the folder does not tell."""
    if (folder / IMAGES).is_file():
        return _json(folder / IMAGES)
    if not (folder / PROCESSOR).is_file():
        return {}
    found = _json(folder / PROCESSOR).get("image_processor") or {}
    if not isinstance(found, dict):
        raise _unusable(folder, f"the image_processor of its {PROCESSOR} is no object")
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError("it is too large")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path.parent, f"its {path.name} cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise _unusable(path.parent, f"its {path.name} holds no object")
    return found


def _read_weights(folder: Path) -> dict[str, Tensor]:
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return load_file(folder / "model.safetensors")
    if index.is_file():
        files = _json(index).get("weight_map")
        if not isinstance(files, dict) or not all(isinstance(f, str) for f in files.values()):
            raise ValueError(f"{index.name} has no weight_map")
        found: dict[str, Tensor] = {}
        for file in sorted(set(files.values())):
            if Path(file).name != file:
                raise ValueError(f"{index.name} names a file outside the folder")
            found |= load_file(folder / file)
        return found
    return torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)


def _unusable(folder: Path, why: str) -> UserError:
    return UserError(
        f"Model folder “{folder}”: {why}; give a folder as the Hugging Face Hub has it, in the layout of "
        "open_clip or of Transformers' CLIP and SigLIP."
    )
