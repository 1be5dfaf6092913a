"""Folders of the Hugging Face Hub: open_clip's layout, and Transformers' CLIP and SigLIP converted."""

import json
import shutil

import numpy as np
import open_clip
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import TINY, Arrays
from tests.helpers.model_families import write_tokenizer
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.models import backbones, snapshot, transformers_layout
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import adapt
from ueo_core.utils.errors import UserError

transformers = pytest.importorskip("transformers")
TEXTS = ["a photo of a dog.", "a photo of a wild cat."]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A small random CLIPModel as Transformers saves it, and the model."""
    torch.manual_seed(0)
    common = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_act": "quick_gelu"}
    config = transformers.CLIPConfig(
        text_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "max_position_embeddings": 77,
            **common,
        },
        vision_config={
            "hidden_size": 48,
            "intermediate_size": 96,
            "image_size": 32,
            "patch_size": 8,
            **common,
        },
        projection_dim=24,
    )
    model = transformers.CLIPModel(config).eval()
    folder = tmp_path_factory.mktemp("clip")
    model.save_pretrained(folder)
    images = {
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 32, "width": 32},
        "do_center_crop": True,
        "resample": 3,
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.3, 0.4],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(images), encoding="utf-8")
    return folder, model


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory):
    """The same of a SiglipModel; timm gets an image tower of its size."""

    def tower(pretrained=False, **more):
        size = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
        kind = {"class_token": False, "global_pool": "map", "mlp_ratio": 2}
        make = timm.models.vision_transformer._create_vision_transformer
        return make("vit_base_patch16_siglip_224", pretrained, **{**size, **kind, **more})

    tower.__name__ = "vit_smalltest_patch8_siglip_32"
    tower.__module__ = "timm.models.vision_transformer"
    timm.models.register_model(tower)
    transformers_layout.SIGLIP_SIZES[32] = "smalltest"
    torch.manual_seed(0)
    common = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = transformers.SiglipConfig(
        text_config={"vocab_size": 300, "max_position_embeddings": 16, **common},
        vision_config={"image_size": 32, "patch_size": 8, **common},
    )
    model = transformers.SiglipModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp("siglip")
    model.save_pretrained(folder)
    write_tokenizer(folder, "c4")
    images = {"size": {"height": 32, "width": 32}, "resample": 2, "image_mean": [0.5] * 3}
    images["image_std"] = [0.5] * 3
    (folder / "preprocessor_config.json").write_text(json.dumps(images), encoding="utf-8")
    yield folder, model
    del transformers_layout.SIGLIP_SIZES[32]


def features(model, pixels, tokens):
    with torch.no_grad():
        found = model.get_image_features(pixels), model.get_text_features(tokens)
    found = [getattr(f, "pooler_output", f) for f in found]
    return [torch.nn.functional.normalize(f, dim=-1) for f in found]


def ours(backbone, pixels, tokens):
    with torch.no_grad():
        return [
            torch.nn.functional.normalize(f, dim=-1)
            for f in (backbone.model.encode_image(pixels), backbone.model.encode_text(tokens))
        ]


@pytest.mark.parametrize("kind", ["clip_folder", "siglip_folder"])
def test_features_are_those_of_transformers(kind, request):
    folder, model = request.getfixturevalue(kind)
    backbone = backbones.load(str(folder), device="cpu")
    tokens = backbone.tokenizer(TEXTS)
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    for a, b in zip(ours(backbone, pixels, tokens), features(model, pixels, tokens), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    assert backbone.logit_scale == pytest.approx(float(model.logit_scale.exp()), rel=1e-5)


def test_the_folder_of_the_model_and_not_that_of_the_program_gives_the_tokenizer(
    siglip_folder, tmp_path, monkeypatch
):
    own = backbones.load(str(siglip_folder[0]), device="cpu").tokenizer(TEXTS)
    write_tokenizer(tmp_path, "nllb")  # another model's
    monkeypatch.chdir(tmp_path)
    found = backbones.load(str(siglip_folder[0]), device="cpu").tokenizer(TEXTS)
    assert torch.equal(found, own)


def test_a_folder_does_not_hide_a_model_of_its_name(tmp_path, monkeypatch):
    (tmp_path / "RN50").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not snapshot.is_snapshot("RN50") and snapshot.is_snapshot("./RN50")


def test_preprocessing_is_read_from_the_folder(clip_folder, siglip_folder):
    own = backbones.load(str(clip_folder[0]), device="cpu").preprocessing
    assert (own.size, own.resize_mode, own.filter) == ((32, 32), "shortest", "bicubic")
    assert own.mean == (0.4, 0.5, 0.6) and own.std == (0.2, 0.3, 0.4)
    own = backbones.load(str(siglip_folder[0]), device="cpu").preprocessing
    assert (own.size, own.resize_mode, own.filter) == ((32, 32), "squash", "bilinear")


@pytest.mark.parametrize("kind", ["clip_folder", "siglip_folder"])
def test_one_adaptation_begins_at_zero_shot_and_moves(kind, request):
    folder, _ = request.getfixturevalue(kind)
    backbone = backbones.load(str(folder), device="cpu")
    model = AdaptedCLIP(backbone, ["dog", "cat", "house"])
    tokens = backbone.tokenizer([f"a photo of a {c}." for c in model.classes])
    with torch.no_grad():
        plain = torch.nn.functional.normalize(backbone.model.encode_text(tokens), dim=-1)
    torch.testing.assert_close(model.encode_text().detach(), plain, rtol=0, atol=1e-5)
    settings = Settings(backbone=str(folder), epochs=1, batch_size=4, lr=1e-1, device="cpu")
    steps = list(adapt(model, Views(Arrays(8), backbone), torch.full((8,), 0.5), settings))
    assert len(steps) == 2 and all(np.isfinite(s.loss) for s in steps)
    moved = [not torch.equal(v, model.original[k]) for k, v in model.adapter().items()]
    assert sum(moved) > len(moved) / 2


def test_weights_in_several_files(clip_folder, tmp_path):
    folder, _ = clip_folder
    one = backbones.load(str(folder), device="cpu")
    shutil.copytree(folder, tmp_path / "split")
    weights = load_file(folder / "model.safetensors")
    (tmp_path / "split" / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, inside in parts.items():
        save_file({n: weights[n] for n in inside}, tmp_path / "split" / file)
    index = {"weight_map": {n: f for f, inside in parts.items() for n in inside}}
    path = tmp_path / "split" / "model.safetensors.index.json"
    path.write_text(json.dumps(index), encoding="utf-8")
    assert backbones.load(str(tmp_path / "split"), device="cpu").fingerprint == one.fingerprint
    index["weight_map"][names[0]] = "../a.safetensors"
    path.write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(UserError, match="names a file outside the folder"):
        backbones.load(str(tmp_path / "split"), device="cpu")


@pytest.fixture
def open_clip_folder(tmp_path):
    """open_clip's own layout, as its `push_to_hf_hub` writes it."""
    folder = tmp_path / "snapshot"
    folder.mkdir()
    config = {"model_cfg": TINY, "preprocess_cfg": {"mean": [0.1] * 3, "std": [0.2] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(1)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False).eval()
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder, model


def test_a_folder_of_open_clip(open_clip_folder):
    folder, model = open_clip_folder
    backbone = backbones.load(str(folder), device="cpu")
    pixels, tokens = torch.randn(2, 3, 32, 32), backbone.tokenizer(TEXTS)
    assert backbone.preprocessing.mean == (0.1,) * 3
    with torch.no_grad():
        for a, b in zip(
            ours(backbone, pixels, tokens),
            (model.encode_image(pixels), model.encode_text(tokens)),
            strict=True,
        ):
            torch.testing.assert_close(
                a, torch.nn.functional.normalize(b, dim=-1), atol=1e-5, rtol=0
            )


def test_a_name_of_the_hub_is_found_in_its_cache(open_clip_folder, tmp_path, monkeypatch):
    folder, _ = open_clip_folder
    cache = tmp_path / "hub"
    repository = cache / "models--someone--tiny.clip"
    commit = "0" * 40
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit, encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    found = backbones.load("hf-hub:someone/tiny.clip", device="cpu")
    assert found.fingerprint == backbones.load(str(folder), device="cpu").fingerprint
    assert found.name == "hf-hub:someone/tiny.clip"


def test_refusals_name_the_cause(clip_folder, open_clip_folder, tmp_path, monkeypatch):
    def refused(name, match, pretrained=None):
        with pytest.raises(UserError, match=match):
            backbones.load(str(name), pretrained, device="cpu")

    def changed(name, **values):
        folder = tmp_path / name
        shutil.copytree(clip_folder[0], folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for key, value in values.items():
            part, _, inner = key.partition("__")
            if inner:
                config[part][inner] = value
            else:
                config[key] = value
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return folder

    monkeypatch.setattr(snapshot, "is_reachable", lambda host: False)
    refused("hf-hub:nobody/nothing", "not on this machine, and huggingface.co cannot be reached")
    refused("hf-hub:nothing", "write it as hf-hub:owner/name")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "neither open_clip_config.json nor config.json")
    refused(changed("blip", model_type="blip"), "model_type is “blip”, and only clip and siglip")
    refused(changed("act", text_config__hidden_act="relu"), "activations are quick_gelu and relu")
    refused(changed("words", text_config__vocab_size=100), "vocabulary has 100 tokens")
    refused(changed("wide", vision_config__hidden_size="big"), "hidden_size is 'big'")
    for i, eps in enumerate((None, [1], float("nan"), 3)):
        refused(changed(f"eps{i}", text_config__layer_norm_eps=eps), "its layer_norm_eps is")
    refused(changed("odd", vision_config=[1]), "its vision_config is no object")
    refused(changed("shape", projection_dim=48), "does not fit")
    bare = changed("bare")
    (bare / "model.safetensors").unlink()
    refused(bare, "it has no model.safetensors")
    cut = changed("cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:5000])
    refused(cut, "its weights cannot be used")
    strange = changed("strange")
    weights = load_file(strange / "model.safetensors") | {"extra.weight": torch.zeros(1)}
    save_file(weights, strange / "model.safetensors")
    refused(strange, "“extra.weight” has no place")
    nan = changed("nan")
    weights = load_file(nan / "model.safetensors")
    weights["logit_scale"] = torch.tensor(float("nan"))
    save_file(weights, nan / "model.safetensors")
    refused(nan, "hold NaN")
    (open_clip_folder[0] / "open_clip_model.safetensors").unlink()
    refused(open_clip_folder[0], "it has no open_clip_model.safetensors")
    refused(clip_folder[0], "no such file; leave them out", pretrained="openai")
    deep = tmp_path / "deep"
    deep.mkdir()
    (deep / "config.json").write_text("[" * 200_000, encoding="utf-8")
    refused(deep, "config.json cannot be read")


@pytest.mark.parametrize("kind", ["clip_folder", "siglip_folder"])
def test_a_run_its_adapter_and_its_predictions(kind, request, tmp_path, capsys):
    """The whole way on the command line; the script for open_clip refuses what open_clip cannot read."""
    from PIL import Image

    from ueo_core.cli.main import main

    folder, _ = request.getfixturevalue(kind)
    (tmp_path / "photos").mkdir()
    for i, pixels in enumerate(Arrays(6).arrays):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    run, photos = str(tmp_path / "run"), str(tmp_path / "photos")
    given = ["--classes", "dog,cat", "--backbone", str(folder), "--epochs", "1", "--lr", "0.01"]
    assert main(["adapt", photos, "--out", run, *given]) == 0, capsys.readouterr().err
    csv = tmp_path / "found.csv"
    assert main(["predict", run, photos, "--csv", str(csv)]) == 0, capsys.readouterr().err
    assert len(csv.read_text(encoding="utf-8").splitlines()) == 7
    capsys.readouterr()
    script = str(tmp_path / "use.py")
    assert main(["export", run, "--what", "script", "--to", script]) == 2
    assert "in Transformers' layout" in capsys.readouterr().err
