"""Tokenizers of text towers: from the Hub's cache or a local folder, and which tokens are context."""

import importlib.util
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import open_clip
import torch
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer
from torch import Tensor

from ueo_core.models.catalog import HUB
from ueo_core.utils.errors import UserError

# One of these in a folder makes it the source of a Hugging Face tokenizer.
FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
)
# As class names they have no beginning in common, with each other or with any list of classes.
OTHER_NAMES = ("x", "0", "wolf")


class Tokenizer(Protocol):
    """The part of open_clip's tokenizers that is used."""

    context_length: int

    def __call__(self, texts: list[str]) -> Tensor:
        """Token indices with start and end token, padded. → (n, L) int64"""


class Span(NamedTuple):
    """Which tokens of every prompt the context vectors replace: m of them, after `start` others."""

    start: int
    m: int


def load_tokenizer(name: str, text_cfg: dict, folders: Iterable[Path] = ()) -> Tokenizer:
    """The tokenizer of an open_clip text config.

    folders: where the files of a Hugging Face tokenizer are looked for first, so that a model works
    without a network: in the folder itself, and in a subfolder with the name that the config gives.
    UserError where the package `transformers` or the files are missing.
    """
    source = text_cfg.get("hf_tokenizer_name")
    length = text_cfg.get("context_length", DEFAULT_CONTEXT_LENGTH)
    kwargs = text_cfg.get("tokenizer_kwargs") or {}
    if not source:
        return open_clip.SimpleTokenizer(context_length=length, **kwargs)
    check_transformers(name)
    local = _local_files(source, folders)
    if local is None and not _is_cached(source) and not is_reachable(HUB):
        raise _no_files(name, source)
    try:
        return HFTokenizer(
            str(local or source),
            context_length=length,
            tokenizer_mode=text_cfg.get("tokenizer_mode"),
            **kwargs,
        )
    except Exception as error:  # transformers raises whatever its readers do
        raise _no_files(name, str(local or source)) from error


def check_transformers(name: str) -> None:
    """Raise a UserError where the package `transformers` is needed and not installed."""
    if importlib.util.find_spec("transformers") is None:
        raise UserError(
            f"Backbone “{name}”: its texts need the package transformers, which is not installed; "
            "run `pip install transformers sentencepiece`."
        )


def is_reachable(host: str | None) -> bool:
    """Whether the Hugging Face Hub can be reached; its own client would retry for a minute."""
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError:
        return False
    return True


def _local_files(source: str, folders: Iterable[Path]) -> Path | None:
    """The first place with tokenizer files: inside or in one of `folders`, then `source` itself.

    A model's own folder comes first: the folder in which the program was started may hold another's.
    """
    places = [*(p for folder in folders for p in (folder / source, folder)), Path(source)]
    return next((p for p in places if any((p / file).is_file() for file in FILES)), None)


def _is_cached(source: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    try:
        return any(isinstance(try_to_load_from_cache(source, file), str) for file in FILES)
    except ValueError:  # not the name of a repository
        return False


def _no_files(name: str, source: str) -> UserError:
    return UserError(
        f"Tokenizer of “{name}”: the files of “{source}” are not on this machine or not readable; "
        "put tokenizer.json and tokenizer_config.json into the folder of the checkpoint, or "
        "connect to the network and try again."
    )


def prompt_length(tokenizer: Any, text: str) -> int:
    """Number of tokens of a text, with start and end token, before anything is cut off."""
    if hasattr(tokenizer, "encode"):  # open_clip's own
        return len(tokenizer.encode(text)) + 2
    clean = getattr(tokenizer, "clean_fn", None)
    tokens = tokenizer.tokenizer(clean(text) if clean else text).input_ids
    return len(tokens) + (getattr(tokenizer, "tokenizer_mode", None) == "clips")


def is_usable(tokenizer: Any) -> bool:
    """Whether an object is one of open_clip's tokenizers, or works as these do."""
    own = callable(getattr(tokenizer, "encode", None))
    return callable(tokenizer) and (own or callable(getattr(tokenizer, "tokenizer", None)))


def context_span(tokenizer: Tokenizer, prompt: str, tokens: Tensor) -> Span:
    """Which tokens of the prompts of all classes stand for the words of `prompt`.

    tokens: (C, L) of "{prompt} {class}." for every class.

    A tokenizer need not cut where the prompt ends: one that merges pieces may join its last word
    with the first of a class. So the context is the longest beginning that the tokens of all classes
    and of some other names have in common, without the start tokens that an empty text has as
    well. With the embeddings of these tokens as context vectors, all prompts are exactly as
    tokenized, and what is left of the prompt stays with the classes. For a tokenizer that cuts
    between words, as CLIP's own does, they are the tokens of the prompt.
    """
    others = tokenizer([f"{prompt} {name}." for name in OTHER_NAMES] + [""])
    others = others[:, : tokens.shape[1]].to(tokens.device)
    every = torch.cat([tokens, others[:-1]])
    common = _leading((every == every[0]).all(0))
    start = min(common, _leading(every[0] == others[-1]))
    if common == start and prompt.strip():
        raise UserError(
            f"Prompt “{prompt}”: with these class names, the tokenizer writes no part of it in the same "
            "way for all; use another prompt."
        )
    return Span(start, common - start)


def _leading(same: Tensor) -> int:
    """Number of True values at the beginning."""
    return int(same.int().cumprod(0).sum())


def shortest_length(tokenizer: Tokenizer, tokens: Tensor) -> int:
    """Columns up to the longest prompt's end; what follows is padding. (C, L) → 1 … L"""
    padding = tokenizer([""])[0, -1].to(tokens.device)
    used = (tokens != padding).any(0).nonzero()
    # One more: there are tokenizers that pad with the end token.
    return min(tokens.shape[1], int(used.max()) + 2 if len(used) else 1)
