"""Sizes of a config and the logit scale of a checkpoint: what no model has is a sentence."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ueo_core.models import backbones
from ueo_core.utils.errors import UserError


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        (None, "embed_dim", 10**9),
        ("vision_cfg", "width", 10**8),
        ("vision_cfg", "layers", 100_000),
        ("vision_cfg", "image_size", [32, 10**7]),
        ("text_cfg", "vocab_size", 10**10),
        ("text_cfg", "context_length", 0),
        ("text_cfg", "heads", -2),
    ],
)
def test_a_size_that_no_model_has_is_refused_before_memory_is_taken(
    tiny_files, tmp_path, part, key, value
):
    config, weights = tiny_files["vit"]
    cfg = json.loads(config.read_text(encoding="utf-8"))
    (cfg if part is None else cfg[part])[key] = value
    (tmp_path / "large.json").write_text(json.dumps(cfg), encoding="utf-8")
    with pytest.raises(UserError, match=f"its {key} is .*, and models have 1 to "):
        backbones.load(str(tmp_path / "large.json"), str(weights), "cpu")


@pytest.mark.parametrize("stored", [100.0, 20.0, -200.0])
def test_a_logit_scale_that_no_trained_model_has_is_refused(tiny_files, tmp_path, stored):
    config, weights = tiny_files["vit"]
    state = load_file(weights)
    assert float(state["logit_scale"].exp()) <= 100
    save_file(state | {"logit_scale": torch.tensor(stored)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match="their logit scale is .*a checkpoint stores its logarithm"):
        backbones.load(str(config), str(tmp_path / "w.safetensors"), "cpu")
