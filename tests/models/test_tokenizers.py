"""Tokenizers: which tokens are context, how long a prompt is, where files are looked for."""

import json
from importlib.util import find_spec
from pathlib import Path

import open_clip
import pytest
import torch

from tests.helpers.model_families import write_tokenizer
from ueo_core.models.tokenizers import (
    Span,
    context_span,
    is_usable,
    load_tokenizer,
    prompt_length,
    shortest_length,
)
from ueo_core.utils.errors import UserError

NAMES = ["dog", "grand piano", "sea lion"]
needs_transformers = pytest.mark.skipif(
    find_spec("transformers") is None, reason="transformers is not installed"
)


def hf(folder: Path, kind: str, length: int = 16, **more):
    folder.mkdir()
    write_tokenizer(folder, kind)
    text = {"hf_tokenizer_name": "owner/name", "context_length": length, **more}
    return load_tokenizer("a model", text, [folder])


def prompts(tokenizer, prompt: str = "a photo of a", names=NAMES) -> torch.Tensor:
    return tokenizer([f"{prompt} {name}." for name in names])


@pytest.mark.parametrize(
    ("prompt", "m"), [("a photo of a", 4), ("it's a photo:", 5), ("", 0), ("a", 1)]
)
@pytest.mark.parametrize("names", [NAMES, ["dog", "dog house"], ["x", "0"], ["wolf", "wolf pup"]])
def test_clips_context_is_the_prompt_whatever_the_classes(prompt, m, names):
    tokenizer = open_clip.SimpleTokenizer()
    assert context_span(tokenizer, prompt, prompts(tokenizer, prompt, names)) == Span(1, m)
    assert m == len(tokenizer.encode(prompt))


@needs_transformers
@pytest.mark.parametrize(
    ("kind", "span"), [("bert", (1, 4)), ("roberta", (1, 4)), ("nllb", (1, 4)), ("t5", (0, 3))]
)
def test_the_context_of_other_tokenizers(tmp_path, kind, span):
    """The pieces of the last join words: that of the prompt's last word depends on the class."""
    tokenizer = hf(tmp_path / kind, kind)
    tokens = prompts(tokenizer)
    assert context_span(tokenizer, "a photo of a", tokens) == span
    beginning = tokens[:, : sum(span)]
    assert (beginning == beginning[0]).all()


def padded_left(texts: list[str]) -> torch.Tensor:
    tokens = open_clip.SimpleTokenizer(context_length=16)(texts)
    return torch.stack([row.roll(int((row == 0).sum())) for row in tokens])


def test_a_prompt_that_is_nowhere_the_same_is_an_error():
    with pytest.raises(UserError, match="“a photo of a”.*use another prompt"):
        context_span(padded_left, "a photo of a", prompts(padded_left))


@needs_transformers
@pytest.mark.parametrize("kind", ["bert", "roberta", "nllb", "t5", "c4"])
def test_the_length_is_that_of_the_tokens(tmp_path, kind):
    tokenizer = hf(tmp_path / kind, kind)
    short, long = "a photo of a dog.", "a photo of a " + "grand piano " * 20
    tokens = tokenizer([short, long])
    length = prompt_length(tokenizer, short)
    padding = tokenizer([""])[0, -1]
    assert length == int((tokens[0] != padding).sum()) + (kind == "c4")
    assert prompt_length(tokenizer, long) > 16
    assert length <= shortest_length(tokenizer, tokens[:1]) <= length + 1
    assert shortest_length(tokenizer, tokens) == 16


def test_the_length_for_clips_tokenizer():
    tokenizer = open_clip.SimpleTokenizer(context_length=16)
    assert prompt_length(tokenizer, "a photo of a dog.") == 8
    assert prompt_length(tokenizer, "dog " * 30) == 32
    assert shortest_length(tokenizer, tokenizer(["a photo of a dog."])) == 9


@needs_transformers
def test_files_in_a_subfolder_of_the_same_name_come_first(tmp_path):
    for folder, kind in ((tmp_path, "bert"), (tmp_path / "owner" / "name", "roberta")):
        folder.mkdir(parents=True, exist_ok=True)
        write_tokenizer(folder, kind)
    text = {"hf_tokenizer_name": "owner/name", "context_length": 8}
    assert load_tokenizer("m", text, [tmp_path])([""])[0, 0] == 0  # <s>
    (tmp_path / "owner" / "name").rename(tmp_path / "elsewhere")
    assert load_tokenizer("m", text, [tmp_path])([""])[0, 0] == 2  # [CLS]


@needs_transformers
def test_the_tokenizers_own_cleaning_is_kept(tmp_path):
    tokenizer = hf(tmp_path / "a", "roberta", tokenizer_kwargs={"clean": "canonicalize"})
    assert torch.equal(tokenizer(["A photo_of a DOG."]), tokenizer(["a photo of a dog"]))
    assert prompt_length(tokenizer, "A photo_of a DOG!") == prompt_length(
        tokenizer, "a photo of a dog"
    )
    stripped = hf(tmp_path / "b", "bert", tokenizer_kwargs={"strip_sep_token": True})
    assert 3 not in stripped(["a dog"])


def test_a_config_without_a_tokenizer_has_clips():
    tokenizer = load_tokenizer("m", {"context_length": 32})
    assert isinstance(tokenizer, open_clip.SimpleTokenizer) and tokenizer.context_length == 32
    assert load_tokenizer("m", {}).context_length == 77


def test_what_is_a_tokenizer():
    assert is_usable(open_clip.SimpleTokenizer())
    assert not is_usable(open_clip.tokenize) and not is_usable(json)
