"""Adapter files: complete metadata, and checks of everything that is read from them."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.conftest import Arrays
from tests.helpers.adapters import CLASSES, write_adapter
from ueo_core import __version__
from ueo_core.inference.predict import cosines, load_model
from ueo_core.models.adapted_clip import read_adapter
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.utils.errors import UserError


@pytest.fixture
def made(tmp_path, tiny_files):
    config, weights = map(str, tiny_files["vit"])
    model = write_adapter(tmp_path / "d.safetensors", config, weights)
    return tmp_path / "d.safetensors", model


def test_the_metadata_is_complete(made):
    path, model = made
    about = adapter_of_run(path).metadata
    assert about["classes"] == CLASSES and about["prompt"] == "a photo of a"
    assert about["version"] == __version__ and about["versions"]["torch"] == torch.__version__
    assert about["data"] == {"name": "photos", "fingerprint": "f" * 64, "n": 10}
    assert about["weights"] == model.backbone.fingerprint and len(about["weights"]) == 64
    assert about["architecture"]["embed_dim"] == 16 and about["image_size"] == 32
    assert {
        "settings",
        "metrics",
        "threshold",
        "score",
        "step",
        "logit_scale",
        "mean",
        "std",
    } <= set(about)


def test_a_loaded_model_has_the_same_cosines(made):
    path, model = made
    again = load_model(adapter_of_run(path), "cpu")
    images = Arrays(5)
    np.testing.assert_array_equal(cosines(again, images), cosines(model, images))


def test_other_weights_are_refused(made, tiny_files, tmp_path):
    path, _ = made
    other = tmp_path / "other.safetensors"
    with safe_open(tiny_files["vit"][1], "pt") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (no dict)
    tensors["text_projection"] = tensors["text_projection"] * 1.001
    save_file(tensors, other)
    with pytest.raises(UserError, match="made with other weights"):
        load_model(adapter_of_run(path, pretrained=str(other)), "cpu")


def test_another_architecture_is_refused(made, tiny_files):
    path, _ = made
    config, weights = map(str, tiny_files["resnet"])
    with pytest.raises(UserError, match="made with other weights"):
        load_model(adapter_of_run(path, config, weights), "cpu")


def rewritten(path, tensors=None, drop=(), **metadata):
    """The adapter file with other tensors or metadata (as JSON text)."""
    found, about = read_adapter(path)
    about = {k: json.dumps(v) for k, v in about.items() if k not in drop}
    save_file(found if tensors is None else tensors, path, about | metadata)
    return path


@pytest.mark.parametrize(
    ("metadata", "drop", "message"),
    [
        ({}, ["format"], "has no metadata of UEO Studio"),
        ({}, ["classes"], "its classes cannot be read"),
        ({"classes": "[1, 2]"}, [], "its classes cannot be read"),
        ({"classes": '["a", "A"]'}, [], "are the same name"),
        ({"synonyms": '{"no class": ["x"]}'}, [], "“synonyms” are not of its classes"),
        ({"synonyms": '{"star": "x"}'}, [], "“synonyms” are no names"),
        ({"synonyms": "[]"}, [], "“synonyms” are not of its classes"),
        ({"threshold": "NaN"}, [], "its threshold is not a number"),
        ({"logit_scale": '"x"'}, [], "its logit_scale is not a number"),
        ({"score": '"energy"'}, [], "score 'energy'"),
        ({"settings": '{"epochs": "many"}'}, [], "settings"),
        ({"settings": '{"epochs": 0}'}, [], "Epochs"),
        ({"prompt": "no json"}, [], "cannot be read"),
    ],
)
def test_metadata_that_cannot_be_used(made, metadata, drop, message):
    with pytest.raises(UserError, match=message):
        adapter_of_run(rewritten(made[0], drop=drop, **metadata))


def test_parameters_of_another_model(made):
    path, _ = made
    tensors, _ = read_adapter(path)
    shorter = {k: v for k, v in tensors.items() if k != "context"}
    with pytest.raises(UserError, match="“context” does not fit"):
        load_model(adapter_of_run(rewritten(path, shorter)), "cpu")


def test_values_that_are_not_finite(made):
    path, _ = made
    tensors, _ = read_adapter(path)
    tensors["context"][0, 0] = float("nan")
    with pytest.raises(UserError, match="not finite"):
        load_model(adapter_of_run(rewritten(path, tensors)), "cpu")


def test_a_file_that_is_not_an_adapter(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"not at all")
    save_file({"a": torch.zeros(2)}, tmp_path / "y.safetensors")
    for name in ("x", "y"):
        with pytest.raises(UserError, match="not an adapter of UEO Studio"):
            adapter_of_run(tmp_path / f"{name}.safetensors")
    with pytest.raises(UserError, match="no run"):
        adapter_of_run(tmp_path / "z.safetensors")
