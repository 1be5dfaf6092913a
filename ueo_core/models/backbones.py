"""Backbones: names → open_clip models with tokenizer and transforms; what is on this machine."""

import contextlib
import json
import logging
import os
import socket
import tempfile
import urllib.parse
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import open_clip
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ueo_core.models.fast_towers import make_fast
from ueo_core.models.weights_fingerprint import weights_fingerprint
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import ASSETS

log = logging.getLogger(__name__)

# The teaching models of the Drawings world, shipped with the project.
DRAWINGS = {"drawings-resnet": "ResNet, batch norms", "drawings-vit": "ViT, layer norms"}
# Offered first on the page; every other open_clip name works as well.
REAL = (("RN50-quickgelu", "openai"), ("ViT-B-16-quickgelu", "openai"))
SUGGESTED_TAG = "openai"
# The hub's host; HF_ENDPOINT names a mirror, as for the hub's own client.
HUB = urllib.parse.urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname


NORMS = (nn.LayerNorm, _BatchNorm, nn.GroupNorm)


class Tokenizer(Protocol):
    """What is used of open_clip's tokenizer for CLIP."""

    def __call__(self, texts: list[str]) -> Tensor:
        """Token indices with start and end token, padded. → (n, L) int64"""

    def encode(self, text: str) -> list[int]:
        """Token indices of a text, without start and end token."""


@dataclass(frozen=True)
class Backbone:
    """A loaded open_clip model, frozen and in eval mode, with what belongs to it.

    Adapted models share its weights and never change them.
    """

    name: str  # as resolved: the -quickgelu name where the weights want it
    pretrained: str  # tag, file, or "assets"
    model: nn.Module
    tokenizer: Tokenizer
    image_size: int  # side of the square input in pixels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    logit_scale: float  # s in z = s · cos
    fingerprint: str  # tells these weights from others, see fingerprint.py
    architecture: dict | None  # open_clip's config of a model that open_clip does not list

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def store_side(self) -> int:
        """Short side at which images are kept, so that the smallest crop never upsamples.

        A crop keeps half of the area at an aspect of up to 4 : 3, so its shorter side is
        √(½ · ¾) = 0.61 of the image's: 366 px for 224.
        """
        return store_side(self.image_size)


def store_side(image_size: int) -> int:
    """The store's short side for a model of that input size, in pixels."""
    return round(image_size / (0.5 * 0.75) ** 0.5)


def pick_device(name: str) -> torch.device:
    """`auto` → CUDA, MPS or CPU; UserError when a named device is not there."""
    usable = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(d for d, ok in usable.items() if ok)
    if not usable.get(name):
        raise UserError(f"Device “{name}”: it is not available on this machine; use auto or cpu.")
    return torch.device(name)


@dataclass(frozen=True)
class Stock:
    """An open_clip model as open_clip builds it, float32 on the CPU, with what belongs to it."""

    name: str
    pretrained: str
    model: nn.Module
    tokenizer: Tokenizer
    preprocess: dict
    architecture: dict | None = None  # open_clip's config of a model that open_clip does not list


def load(name: str, pretrained: str | None = None, device: str = "auto") -> Backbone:
    """Load a backbone by Drawings name, open_clip name or path of an open_clip config (.json).

    pretrained: an open_clip tag or a checkpoint file (safetensors, or loadable with
    weights_only); None takes the shipped weights of a Drawings model, else `openai`
    where the model has that tag. UserError for everything that cannot be loaded.
    """
    target = pick_device(device)
    return prepare(stock(name, pretrained), target)


def stock(name: str, pretrained: str | None = None) -> Stock:
    """What `load` starts from: names, files and errors as there."""
    if name in DRAWINGS:
        config = ASSETS / f"{name}.json"
        weights = Path(pretrained) if pretrained else ASSETS / f"{name}.safetensors"
        loaded = _from_config(name, config, weights)
        source = pretrained or "assets"
    elif name.endswith(".json"):
        if not pretrained:
            raise UserError(
                f"Backbone “{name}”: a config file holds no weights; give a checkpoint with --pretrained FILE."
            )
        loaded, source = _from_config(name, Path(name), Path(pretrained)), pretrained
    else:
        name, source, loaded = _from_open_clip(name, pretrained)
    return Stock(name, source, *loaded)


def random_stock(name: str, seed: int = 0) -> Stock:
    """A named open_clip architecture with random weights: for timing where none are at hand."""
    if name not in open_clip.list_models():
        raise _unknown_model(name)
    _check_config(name, open_clip.get_model_config(name))
    with torch.random.fork_rng(), _quiet():
        torch.manual_seed(seed)
        model = open_clip.create_model(name, load_weights=False)
        tokenizer = open_clip.get_tokenizer(name)
    return Stock(name, "random", model, tokenizer, open_clip.get_model_preprocess_cfg(model))


def prepare(built: Stock, device: torch.device, fast: bool = True) -> Backbone:
    """Freeze a model in place and move it to a device.

    fast: also replace parts of it by faster forms, which give the same numbers to rounding.
    """
    model = built.model
    _check_text_tower(built.name, model)
    model.eval().requires_grad_(False)
    fingerprint = weights_fingerprint(model)  # of the weights as they came
    if fast:
        make_fast(model)
        if hasattr(model.visual, "layer1"):
            # Convolutional towers run a little faster with channels last in memory.
            model.visual.to(memory_format=torch.channels_last)
    return Backbone(
        name=built.name,
        pretrained=built.pretrained,
        model=model.to(device),
        tokenizer=built.tokenizer,
        image_size=_square_side(built),
        mean=tuple(built.preprocess["mean"]),
        std=tuple(built.preprocess["std"]),
        logit_scale=float(model.logit_scale.exp()),
        fingerprint=fingerprint,
        architecture=built.architecture,
    )


def _square_side(built: Stock) -> int:
    size = built.preprocess["size"]
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise UserError(
            f"Backbone “{built.name}”: its input of {' × '.join(map(str, size))} pixels is not square, "
            "which is not supported; choose another model."
        )
    return sides.pop()


def norm_affine(visual: nn.Module) -> dict[str, nn.Parameter]:
    """Weight and bias of every normalisation layer of an image tower, by name. Live tensors."""
    return {
        f"visual.{path}.{kind}" if path else f"visual.{kind}": value
        for path, module in visual.named_modules()
        if isinstance(module, NORMS)
        for kind, value in (("weight", module.weight), ("bias", module.bias))
        if value is not None
    }


def _unknown_model(name: str) -> UserError:
    return UserError(
        f"Backbone “{name}”: open_clip knows no such model; see `python -m ueo_core backbones` for names."
    )


@contextlib.contextmanager
def _quiet():
    """Silence open_clip and the hub client: what they log is said in our own sentence."""
    loggers = [logging.getLogger(), logging.getLogger("huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check_reachable(name: str, tag: str) -> None:
    """Say at once that a download cannot work; the hub client would retry for most of a minute."""
    try:
        socket.create_connection((HUB, 443), timeout=5).close()
    except OSError:
        raise UserError(
            f"Weights “{tag}” of {name}: they are not on this machine and {HUB} cannot be reached to "
            "download them; connect to the network and try again, or give a checkpoint file."
        ) from None


def _from_config(name: str, config: Path, weights: Path):
    """Build from an open_clip model config file and load a checkpoint file. → model, tokenizer, preprocessing, architecture"""
    try:
        data = json.loads(config.read_text())
    except FileNotFoundError:
        raise UserError(
            f"Backbone config “{config}”: there is no such file; check the path."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"Backbone config “{config}”: it is not readable JSON ({error}); give an open_clip model config."
        ) from None
    full = data if isinstance(data, dict) and "model_cfg" in data else {"model_cfg": data}
    cfg = full["model_cfg"]
    if not isinstance(cfg, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= set(cfg):
        raise UserError(
            f"Backbone config “{config}”: it lacks embed_dim, vision_cfg or text_cfg; give an open_clip model config."
        )
    _check_config(name, cfg)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "open_clip_config.json").write_text(json.dumps(full))
        where = f"local-dir:{folder}"
        try:
            with torch.random.fork_rng(devices=[]), _quiet():  # its first weights are random ones
                model = open_clip.create_model(where, load_weights=False)
                tokenizer = open_clip.get_tokenizer(where)
        except Exception as error:  # open_clip raises whatever its constructors do
            raise UserError(
                f"Backbone config “{config}”: open_clip cannot build it ({_brief(error)}); check its values."
            ) from error
    _load_checkpoint(name, model, weights)
    return model, tokenizer, open_clip.get_model_preprocess_cfg(model), cfg


def _from_open_clip(name: str, pretrained: str | None):
    """Build a named open_clip model. → resolved name, weights' source, (model, tokenizer, preprocessing)"""
    name = name.replace("/", "-")
    if name not in open_clip.list_models():
        raise _unknown_model(name)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained is None:
        if SUGGESTED_TAG not in tags:
            raise UserError(
                f"Backbone “{name}”: it needs weights; give --pretrained one of {', '.join(tags) or 'your files'}."
            )
        pretrained = SUGGESTED_TAG
    from_tag = pretrained in tags
    if not from_tag and not Path(pretrained).is_file():
        raise UserError(
            f"Weights “{pretrained}” of {name}: neither a file nor a known tag; "
            f"choose one of {', '.join(tags) or 'your own files'}."
        )
    cfg = open_clip.get_model_config(name)
    _check_config(name, cfg)
    if from_tag:
        # `openai`, `dfn2b`, `metaclip` weights want quick-GELU; under the plain name they
        # load with a mere warning and are silently wrong.
        wants = bool((open_clip.get_pretrained_cfg(name, pretrained) or {}).get("quick_gelu"))
        if wants and not cfg.get("quick_gelu"):
            name = f"{name}-quickgelu"
            if name not in open_clip.list_models():
                raise UserError(
                    f"Weights “{pretrained}”: they want a quick-GELU model, and open_clip has no {name}; choose another tag."
                )
            log.warning("the weights %s want quick-GELU; using %s", pretrained, name)
        if not is_cached(name, pretrained):
            _check_reachable(name, pretrained)
    try:
        with torch.random.fork_rng(devices=[]), _quiet():
            model = open_clip.create_model(name, pretrained=pretrained if from_tag else None)
            tokenizer = open_clip.get_tokenizer(name)
    except Exception as error:
        raise UserError(
            f"Weights “{pretrained}” of {name}: they are not on this machine and could not be downloaded "
            f"({_brief(error)}); connect to the network and try again, or give a checkpoint file."
        ) from error
    if not from_tag:
        _load_checkpoint(name, model, Path(pretrained))
    return name, pretrained, (model, tokenizer, open_clip.get_model_preprocess_cfg(model))


def _load_checkpoint(name: str, model: nn.Module, path: Path) -> None:
    """Load a checkpoint file strictly; never unpickles. UserError names what does not match."""
    if not path.is_file():
        raise UserError(f"Checkpoint “{path}”: there is no such file; check the path.")
    try:
        with _quiet():
            open_clip.load_checkpoint(model, str(path), strict=True, weights_only=True)
    except Exception as error:
        raise UserError(
            f"Checkpoint “{path}”: it does not fit {name} ({_brief(error)}); "
            "give the file that belongs to this model, as safetensors."
        ) from error


def _check_config(name: str, cfg: dict) -> None:
    """Refuse architectures whose text tower takes no prompt vectors, before anything is built."""
    text = cfg["text_cfg"]
    if "multimodal_cfg" in cfg or text.get("embed_cls"):
        raise UserError(
            f"Backbone “{name}”: a captioning model (CoCa) is not supported; choose a CLIP model."
        )
    if text.get("hf_model_name") or text.get("hf_tokenizer_name"):
        raise UserError(
            f"Backbone “{name}”: its text tower is not CLIP's own and takes no prompt vectors; choose a CLIP model."
        )


def _check_text_tower(name: str, model: nn.Module) -> None:
    tower = text_tower(model)
    if not hasattr(tower, "token_embedding") or not hasattr(tower, "transformer"):
        raise UserError(
            f"Backbone “{name}”: its text tower takes no prompt vectors; choose a CLIP model."
        )


def text_tower(model: nn.Module) -> nn.Module:
    """The module that holds token embedding, transformer and projection of the text side."""
    return getattr(model, "text", model)


def _brief(error: Exception) -> str:
    """An exception's first line, short enough for a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [
        type(error).__name__
    ]
    # torch's mismatch message names the first key on its second line.
    text = lines[0] if len(lines) == 1 or len(lines[0]) > 90 else f"{lines[0]} {lines[1]}"
    return text if len(text) <= 180 else text[:177] + "…"


def is_cached(name: str, tag: str) -> bool:
    """Whether the weights of a tag lie in the local cache, without any request."""
    from huggingface_hub import try_to_load_from_cache

    cfg = open_clip.get_pretrained_cfg(name, tag) or {}
    repo = str(cfg.get("hf_hub") or "").rstrip("/")
    files = (
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
    """What can be adapted: name, pretrained, available (on this machine), about.

    The Drawings models and the suggested real ones first; `every` adds all of open_clip's tags.
    """
    rows = [
        {
            "name": name,
            "pretrained": "assets",
            "available": (ASSETS / f"{name}.safetensors").is_file(),
            "about": f"teaching model of the Drawings world ({about})",
        }
        for name, about in DRAWINGS.items()
    ]
    pairs = list(REAL)
    if every:
        pairs += [p for p in open_clip.list_pretrained() if tuple(p) not in REAL]
    rows += [
        {"name": n, "pretrained": t, "available": is_cached(n, t), "about": "open_clip"}
        for n, t in pairs
    ]
    return rows
