"""Backbones: open_clip models by name or file, with tokenizer and preprocessing values."""

import contextlib
import json
import logging
import tempfile
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.transform import PreprocessCfg
from torch import nn

from ueo_core.models.catalog import DRAWINGS, HUB, SUGGESTED_TAG, is_cached
from ueo_core.models.checkpoint import brief, load_checkpoint, load_weights
from ueo_core.models.equality import random_image
from ueo_core.models.fast_towers import make_fast_where_equal
from ueo_core.models.preprocessing import Preprocessing
from ueo_core.models.prompt_learner import PROBE, TextPath, find_text_path
from ueo_core.models.ranges import check_logit_scale, check_sizes
from ueo_core.models.snapshot import as_stored, is_snapshot, open_snapshot
from ueo_core.models.text_encoder import text_limit, token_embedding
from ueo_core.models.tokenizers import Tokenizer, check_transformers, is_reachable, load_tokenizer
from ueo_core.models.weights_fingerprint import weights_fingerprint
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import ASSETS
from ueo_core.utils.shapes import has_shape

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backbone:
    """A loaded open_clip model, frozen and in eval mode, with tokenizer and preprocessing values.

    Adapted models share its weights and never change them.
    """

    name: str  # the -quickgelu name where the weights need it
    pretrained: str  # tag, file, or "assets"
    model: Any  # open_clip's CLIP or CustomTextCLIP
    tokenizer: Tokenizer
    preprocessing: Preprocessing
    logit_scale: float  # s in z = s · cos
    fingerprint: str  # identifies the weights, see weights_fingerprint
    architecture: dict | None  # open_clip's config of a model that open_clip does not list
    text_path: TextPath  # how its prompts are encoded, see prompt_learner

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def store_side(self) -> int:
        """Short side in pixels at which images are stored, so that no crop is upsampled.

        A crop has at least half of the area at an aspect ratio of up to 4 : 3, so its short side
        is at least √(½ · ¾) = 0.61 of the image's: 366 px for 224.
        """
        return store_side(max(self.preprocessing.size))


def store_side(side: int) -> int:
    """Short side of stored images in pixels, for a model whose input has this longer side."""
    return round(side / (0.5 * 0.75) ** 0.5)


def pick_device(name: str) -> torch.device:
    """`auto` → CUDA, MPS or CPU; UserError when the named device is not available."""
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
    """An open_clip model as open_clip builds it, with tokenizer and preprocess config."""

    name: str
    pretrained: str
    model: Any  # open_clip's CLIP or CustomTextCLIP
    tokenizer: Tokenizer
    preprocess: dict
    architecture: dict | None = None  # open_clip's config of a model that open_clip does not list


def load(name: str, pretrained: str | None = None, device: str = "auto") -> Backbone:
    """Load a backbone by Drawings name, open_clip name, path of an open_clip config (.json), or folder
    or name (`hf-hub:owner/name`) of a model of the Hugging Face Hub.

    pretrained: an open_clip tag or a checkpoint file (safetensors, or loadable with
    weights_only); None uses the shipped weights of a Drawings model, else `openai`
    where the model has that tag. UserError for everything that cannot be loaded.
    """
    target = pick_device(device)
    return prepare(stock(name, pretrained), target)


def stock(name: str, pretrained: str | None = None) -> Stock:
    """The unchanged open_clip model that `load` starts from; same arguments and errors."""
    if name in DRAWINGS:
        config = ASSETS / f"{name}.json"
        weights = Path(pretrained) if pretrained else ASSETS / f"{name}.safetensors"
        return _from_config(name, pretrained or "assets", config, weights)
    if name.endswith(".json"):
        if not pretrained:
            raise UserError(
                f"Backbone “{name}”: a config file has no weights; give a checkpoint file as pretrained."
            )
        return _from_config(name, pretrained, Path(name), Path(pretrained))
    if is_snapshot(name):
        return _from_snapshot(name, pretrained)
    return _from_open_clip(name, pretrained)


def random_stock(name: str, seed: int = 0) -> Stock:
    """A named open_clip architecture with random weights, for timing without a download."""
    if name not in open_clip.list_models():
        raise _unknown_model(name)
    cfg = open_clip.get_model_config(name)
    _check_config(name, cfg)
    with _isolated():
        tokenizer = load_tokenizer(name, cfg["text_cfg"])
        torch.manual_seed(seed)
        model = open_clip.create_model(name, load_weights=False, pretrained_text=False)
    return Stock(name, "random", model, tokenizer, open_clip.get_model_preprocess_cfg(model))


def prepare(built: Stock, device: torch.device, fast: bool = True) -> Backbone:
    """Freeze a model in place and move it to a device.

    fast: also replace parts of it by faster forms, where these give the same numbers to rounding.
    """
    model = built.model
    preprocessing = Preprocessing.from_config(built.name, built.preprocess)
    _check_text_tower(built.name, model)
    check_size(built.name, model, preprocessing)
    scale = float(model.logit_scale.exp())
    check_logit_scale(built.name, scale)
    model.eval().requires_grad_(False)
    fingerprint = weights_fingerprint(model)  # of the weights as they came
    model.to(device)
    if fast:
        tokens = built.tokenizer(list(PROBE[1]))[:, : text_limit(model, built.tokenizer)]
        image = random_image(model.visual, preprocessing.size)
        make_fast_where_equal(model, image, tokens.to(device))
        if hasattr(model.visual, "layer1"):
            # Convolutional towers run a little faster with channels last in memory.
            model.visual.to(memory_format=torch.channels_last)
    return Backbone(
        name=built.name,
        pretrained=built.pretrained,
        model=model,
        tokenizer=built.tokenizer,
        preprocessing=preprocessing,
        logit_scale=scale,
        fingerprint=fingerprint,
        architecture=built.architecture,
        text_path=find_text_path(model, built.tokenizer),
    )


def check_size(name: str, model: nn.Module, own: Preprocessing) -> None:
    """Raise a UserError where the preprocessing makes images that the tower does not take."""
    takes = getattr(model.visual, "image_size", None)
    takes = (takes, takes) if isinstance(takes, int) else takes
    if takes and tuple(takes) != own.size:
        given, wanted = (" × ".join(map(str, size)) for size in (own.size, takes))
        raise UserError(
            f"Preprocessing of “{name}”: {given} pixels are not the {wanted} that its image tower "
            "takes; give the model's own preprocessing."
        )


def _unknown_model(name: str) -> UserError:
    return UserError(
        f"Backbone “{name}”: open_clip has no such model; `python -m ueo_core backbones` lists the names."
    )


_ISOLATED = threading.RLock()
MODEL_CONFIG = {"embed_dim": int, "vision_cfg": dict, "text_cfg": dict}


@contextlib.contextmanager
def _isolated() -> Iterator[None]:
    """Silence open_clip and the Hub's client, and keep the state of torch's global generator.

    Errors are raised with messages of our own, and open_clip initializes models at random. One thread at
    a time: levels, filters and the generator are the process's, and the last one must find the first one's.
    """
    with _ISOLATED, _silenced():
        yield


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    loggers = [logging.getLogger(), logging.getLogger("huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check_reachable(name: str, tag: str) -> None:
    """Raise a UserError at once if a download cannot work; the Hub's client would retry for a minute."""
    if not is_reachable(HUB):
        raise UserError(
            f"Weights “{tag}” of {name}: they are not on this machine, and {HUB} cannot be reached to "
            "download them; connect to the network and try again, or give a checkpoint file."
        )


def _from_config(name: str, pretrained: str, config: Path, weights: Path) -> Stock:
    """Build a model from an open_clip config file and load a checkpoint file."""
    try:
        data = json.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"Backbone config “{config}”: there is no such file; check the path."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"Backbone config “{config}”: it is not readable JSON ({error}); give an open_clip model config."
        ) from None
    full = data if isinstance(data, dict) and "model_cfg" in data else {"model_cfg": data}
    tokenizer, model = _build(name, str(config), full, (config.parent, weights.parent))
    with _isolated():
        load_checkpoint(name, model, weights)
    own = open_clip.get_model_preprocess_cfg(model)
    return Stock(name, pretrained, model, tokenizer, own, full["model_cfg"])


def _from_snapshot(name: str, pretrained: str | None) -> Stock:
    """Build the model of a folder of the Hugging Face Hub, with its own weights or a checkpoint file."""
    found = open_snapshot(name)
    if pretrained and not Path(pretrained).is_file():
        raise UserError(
            f"Weights “{pretrained}” of {name}: there is no such file; leave them out for the folder's own."
        )
    tokenizer, model = _build(name, str(found.folder), found.config, (found.folder,))
    as_stored(model, found)
    weights = Path(pretrained) if pretrained else found.weights
    if weights.is_dir():
        load_weights(name, model, weights, found.state())
    else:
        with _isolated():
            load_checkpoint(name, model, weights)
    own = open_clip.get_model_preprocess_cfg(model)
    return Stock(name, str(weights), model, tokenizer, own, found.config["model_cfg"])


def _build(
    name: str, source: str, full: dict, folders: tuple[Path, ...]
) -> tuple[Tokenizer, nn.Module]:
    """A model with random weights, and its tokenizer. full: with `model_cfg`; source: for messages"""
    cfg = full["model_cfg"]
    if not has_shape(cfg, MODEL_CONFIG):
        raise UserError(
            f"Backbone config “{source}”: it has no embed_dim, vision_cfg or text_cfg; give an open_clip model config."
        )
    check_sizes(source, cfg)
    _check_config(name, cfg)
    with tempfile.TemporaryDirectory() as folder:
        placed = full | {"model_cfg": _with_local_encoder(cfg, folders[0])}
        Path(folder, "open_clip_config.json").write_text(json.dumps(placed), encoding="utf-8")
        try:
            with _isolated():
                tokenizer = load_tokenizer(name, cfg["text_cfg"], folders)
                model = open_clip.create_model(
                    f"local-dir:{folder}", load_weights=False, pretrained_text=False
                )
        except UserError:
            raise
        except Exception as error:  # open_clip raises whatever its constructors do
            raise UserError(
                f"Backbone config “{source}”: open_clip cannot build it ({brief(error)}); check its values."
            ) from error
    return tokenizer, model


def _from_open_clip(name: str, pretrained: str | None) -> Stock:
    """Build a named open_clip model with the weights of a tag or a checkpoint file."""
    name = name.replace("/", "-")
    if name not in open_clip.list_models():
        raise _unknown_model(name)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained is None:
        if SUGGESTED_TAG not in tags:
            raise UserError(
                f"Backbone “{name}”: it needs weights; give one of {', '.join(tags) or 'your files'} as pretrained."
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
        # `openai`, `dfn2b`, `metaclip` weights need quick-GELU; under the plain name open_clip
        # loads them with a warning only, and the features are wrong.
        needs = bool((open_clip.get_pretrained_cfg(name, pretrained) or {}).get("quick_gelu"))
        if needs and not cfg.get("quick_gelu"):
            name = f"{name}-quickgelu"
            if name not in open_clip.list_models():
                raise UserError(
                    f"Weights “{pretrained}”: they need a quick-GELU model, and open_clip has no {name}; choose another tag."
                )
            log.warning("the weights %s need quick-GELU; using %s", pretrained, name)
        if not is_cached(name, pretrained):
            _check_reachable(name, pretrained)
    folders = () if from_tag else (Path(pretrained).parent,)
    local = {}
    if folders and (placed := _with_local_encoder(cfg, folders[0])) is not cfg:
        local = {"text_cfg": placed["text_cfg"] | {"hf_model_pretrained": False}}
    try:
        with _isolated():
            tokenizer = load_tokenizer(name, cfg["text_cfg"], folders)
            model = open_clip.create_model(
                name, pretrained=pretrained if from_tag else None, pretrained_text=False, **local
            )
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"Weights “{pretrained}” of {name}: they could not be loaded or downloaded "
            f"({brief(error)}); connect to the network and try again, or give a checkpoint file."
        ) from error
    preprocess = open_clip.get_model_preprocess_cfg(model)
    if not from_tag:
        with _isolated():
            load_checkpoint(name, model, Path(pretrained))
        preprocess = preprocess | _preprocess_of_tags(name, tags)
    return Stock(name, pretrained, model, tokenizer, preprocess)


def _preprocess_of_tags(name: str, tags: list[str]) -> dict:
    """The preprocess values that all of a model's tags share, for weights from a file.

    A file does not tell how its model wants images, and open_clip then takes CLIP's own values, also
    for a SigLIP. Where the tags differ nothing can be told from the name: CLIP's own stay.
    """
    keys = [field.name for field in fields(PreprocessCfg)]
    told = [open_clip.get_pretrained_cfg(name, tag) or {} for tag in tags]
    of_tags = [{k: cfg[k] for k in keys if cfg.get(k) is not None} for cfg in told]
    if any(values != of_tags[0] for values in of_tags):
        log.warning(
            "the weights that open_clip lists for %s want different preprocessing, and a file does not "
            "tell its own; using that of CLIP. To choose, give a model config (.json) with preprocess_cfg "
            "as the backbone",
            name,
        )
        return {}
    return of_tags[0] if of_tags else {}


def _check_config(name: str, cfg: dict) -> None:
    """Raise a UserError for an architecture that cannot be built here."""
    text = cfg["text_cfg"]
    if text.get("hf_model_name") or text.get("hf_tokenizer_name"):
        check_transformers(name)


def _with_local_encoder(cfg: dict, folder: Path) -> dict:
    """A model config whose Hugging Face text encoder is read from a folder beside it, if it is there."""
    name = cfg["text_cfg"].get("hf_model_name")
    if not name or not (local := folder / name).joinpath("config.json").is_file():
        return cfg
    return cfg | {"text_cfg": cfg["text_cfg"] | {"hf_model_name": str(local.resolve())}}


def _check_text_tower(name: str, model: nn.Module) -> None:
    if token_embedding(model) is None or not callable(getattr(model, "encode_text", None)):
        raise UserError(
            f"Backbone “{name}”: its text tower takes no context vectors; choose a CLIP model."
        )
