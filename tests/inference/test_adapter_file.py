"""Adapter files: complete metadata, and checks of everything that is read from them."""

import json

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from tests.conftest import Arrays
from tests.helpers.adapters import CLASSES, write_adapter
from ueo_core import __version__
from ueo_core.inference.adapter_file import read_adapter_file
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
        ({}, ["classes"], "“classes” is no list"),
        ({"classes": "[1, 2]"}, [], "“classes” is missing or has another type"),
        ({"classes": '["a", "A"]'}, [], "are the same name"),
        ({"synonyms": '{"no class": ["x"]}'}, [], "“synonyms” are not of its classes"),
        ({"synonyms": '{"star": "x"}'}, [], "“synonyms” are no names"),
        ({"synonyms": "[]"}, [], "“synonyms” are not of its classes"),
        ({"threshold": "NaN"}, [], "threshold is no number"),
        ({"logit_scale": '"x"'}, [], "“logit_scale” is missing or has another type"),
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 64}, "64 × 64 pixels are not the 32 × 32"),
        ({"image_size": 10**9}, "its size is 1000000000"),
        ({"mean": [1e400, 0, 0]}, "which cannot normalize an image"),
        ({"std": [0, 1, 1]}, "which cannot normalize an image"),
        ({"resize_mode": "tile"}, "resize mode 'tile' is not known"),
    ],
)
def test_preprocessing_that_does_not_fit_the_model(made, changes, message):
    path = rewritten(made[0], **{k: json.dumps(v) for k, v in changes.items()})
    with pytest.raises(UserError, match=message):
        load_model(adapter_of_run(path), "cpu")


def test_a_file_that_is_not_an_adapter(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"not at all")
    save_file({"a": torch.zeros(2)}, tmp_path / "y.safetensors")
    for name in ("x", "y"):
        with pytest.raises(UserError, match="not an adapter of UEO Studio"):
            adapter_of_run(tmp_path / f"{name}.safetensors")
    with pytest.raises(UserError, match="no run"):
        adapter_of_run(tmp_path / "z.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logit_scale": 0}, "logit_scale is no number above 0"),
        ({"logit_scale": -1e9}, "logit_scale is no number above 0"),
        ({"logit_scale": 10**400}, "logit_scale is no number above 0"),
        ({"threshold": 10**400}, "threshold is no number up to"),
        ({"threshold": float("nan")}, "threshold is no number up to"),
        ({"backbone": 5}, "“backbone” is missing or has another type"),
        ({"title": {"a": 1}}, "“title” is missing or has another type"),
        ({"prompt": "a " * 100_000}, "a text of it has 200,000 characters"),
        ({"classes": ["dog", 7]}, "“classes” is missing or has another type"),
        ({"guard": {"share": "all"}}, "“share” is missing"),
        ({"guard": {"share": 7}}, "share of its guard is not between"),
        ({"architecture": [1]}, "“architecture” is missing or has another type"),
        ({"templates": "a {}"}, "“templates” is no list"),
    ],
)
def test_nonsense_is_refused(made, changes, message):
    path, _ = made
    rewritten(path, **{k: json.dumps(v) for k, v in changes.items()})
    with pytest.raises(UserError, match=message) as caught:
        read_adapter_file(path)
    assert len(str(caught.value)) < 700


def test_deep_metadata_and_huge_values(made):
    path, _ = made
    adapter, about = read_adapter(path)
    whole = {k: torch.full_like(v, 1e38) for k, v in adapter.items()}
    save_file(whole, path, {k: json.dumps(v) for k, v in about.items()})
    with pytest.raises(UserError, match="larger than 100,000"):
        load_model(read_adapter_file(path))
    save_file(adapter, path, {k: json.dumps(v) for k, v in about.items()} | {"x": "[" * 200_000})
    with pytest.raises(UserError, match="cannot be read"):
        read_adapter_file(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_metadata_gives_an_adapter_or_a_sentence(made, data):
    path, _ = made
    adapter, about = read_adapter(path)
    name = data.draw(st.sampled_from(sorted(about)))
    inside = isinstance(about[name], dict) and about[name] and data.draw(st.booleans())
    if inside:
        key = data.draw(st.sampled_from(sorted(about[name])))
        about[name] = {**about[name], key: data.draw(JSON)}
    else:
        about[name] = data.draw(JSON)
    other = path.with_name("fuzzed.safetensors")
    save_file(adapter, other, {k: json.dumps(v) for k, v in about.items()})
    try:
        found = read_adapter_file(other)
        model = load_model(found, "cpu")
    except UserError as error:
        assert str(error).endswith(".")
    else:
        assert 0 < found.logit_scale <= 1000 and len(found.classes) >= 2
        assert all(bool(torch.isfinite(v).all()) for v in model.adapter().values())
        str(found.title), found.threshold, found.guard


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_header_gives_an_adapter_or_a_sentence(made, data):
    """Bytes flipped, cut or inserted in the file's header."""
    path, _ = made
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, min(len(whole) - 1, 4000)))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert"]))
    if kind == "flip":
        whole[at] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del whole[at:]
    else:
        whole[at:at] = data.draw(st.binary(min_size=1, max_size=9))
    other = path.with_name("header.safetensors")
    other.write_bytes(whole)
    try:
        load_model(read_adapter_file(other), "cpu")
    except UserError as error:
        assert str(error).endswith(".")
