"""Loading by name, tag, file and config, and an error for everything that does not load."""

import json
import logging
import threading
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import open_clip
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from open_clip import CLIP
from open_clip.model import set_model_preprocess_cfg
from open_clip.transform import PreprocessCfg
from safetensors.torch import save_file

from ueo_core.models import backbones, tokenizers
from ueo_core.models.preprocessing import CLIP_MEAN, CLIP_STD
from ueo_core.utils.errors import UserError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "preprocessing.md"


@pytest.mark.parametrize(
    ("name", "norm"), [("drawings-resnet", "BatchNorm2d"), ("drawings-vit", "LayerNorm")]
)
def test_the_teaching_models_load(name, norm):
    backbone = backbones.load(name, device="cpu")
    kinds = {type(m).__name__ for m in backbone.model.visual.modules()}
    assert norm in kinds
    assert backbone.preprocessing.size == (64, 64) and backbone.store_side == 105
    assert 1 < backbone.logit_scale <= 100
    assert not any(p.requires_grad for p in backbone.model.parameters())
    assert not backbone.model.training


def test_assets_stay_small():
    files = list(backbones.ASSETS.glob("*.safetensors"))
    assert len(files) == 2
    assert sum(f.stat().st_size for f in files) <= 40e6


@pytest.mark.long
@pytest.mark.parametrize("name", ["RN50-quickgelu", "ViT-B-16-quickgelu"])
def test_real_architectures_load_from_a_file(name, real_checkpoint):
    backbone = backbones.load(name, str(real_checkpoint(name)), "cpu")
    assert backbone.preprocessing.size == (224, 224) and backbone.store_side == 366
    assert {type(m).__name__ for m in backbone.model.modules()} & {"QuickGELU"}


def test_a_config_in_open_clips_hub_format_loads_too(tiny_files, tmp_path):
    config, weights = tiny_files["vit"]
    wrapped = {
        "model_cfg": json.loads(config.read_text(encoding="utf-8")),
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    }
    path = tmp_path / "open_clip_config.json"
    path.write_text(json.dumps(wrapped))
    assert backbones.load(str(path), str(weights), "cpu").preprocessing.mean == (0.5, 0.5, 0.5)


def loaded_from_a_file(name, tiny_files, monkeypatch):
    """The preprocess values of a model by name with weights from a file; a tiny model in its place."""
    config, weights = tiny_files["vit"]
    model = CLIP(**json.loads(config.read_text(encoding="utf-8")))
    set_model_preprocess_cfg(model, asdict(PreprocessCfg(size=32)))  # as open_clip does for a file
    monkeypatch.setattr(backbones.open_clip, "create_model", lambda *_, **__: model)
    return backbones.stock(name, str(weights)).preprocess


@pytest.mark.parametrize(
    ("name", "mean", "resize_mode", "interpolation"),
    [
        ("MobileCLIP-S1", (0, 0, 0), "shortest", "bilinear"),
        ("PE-Core-B-16", (0.5, 0.5, 0.5), "squash", "bilinear"),
        ("ViT-B-16", CLIP_MEAN, "shortest", "bicubic"),
        ("ViT-S-16", CLIP_MEAN, "shortest", "bicubic"),  # it has no tag
    ],
)
def test_a_file_has_the_preprocessing_that_the_tags_of_its_model_share(
    name, mean, resize_mode, interpolation, tiny_files, monkeypatch, caplog
):
    found = loaded_from_a_file(name, tiny_files, monkeypatch)
    assert (tuple(found["mean"]), found["resize_mode"]) == (mean, resize_mode)
    assert (found["interpolation"], found["size"]) == (interpolation, 32)
    assert not caplog.records


def test_a_file_has_clips_preprocessing_and_a_warning_where_the_tags_differ(
    tiny_files, monkeypatch, caplog
):
    found = loaded_from_a_file("ViT-L-14", tiny_files, monkeypatch)
    assert tuple(found["mean"]) == CLIP_MEAN and found["resize_mode"] == "shortest"
    assert "ViT-L-14 want different preprocessing" in caplog.text
    assert "give a model config (.json) with preprocess_cfg" in caplog.text


def test_for_how_many_models_a_file_differs_from_clips_preprocessing(caplog):
    """In the documentation: docs/preprocessing.md."""
    clips = {"mean": CLIP_MEAN, "std": CLIP_STD, "resize_mode": "shortest"}
    clips["interpolation"] = "bicubic"
    tags = {m: open_clip.list_pretrained_tags_by_model(m) for m in open_clip.list_models()}
    of_tags = {m: backbones._preprocess_of_tags(m, t) for m, t in tags.items()}
    others = [m for m, own in of_tags.items() if clips | own != clips]
    unsure = [record.args[0] for record in caplog.records]
    assert unsure == ["ViT-H-14", "ViT-H-14-quickgelu", "ViT-L-14"]
    assert {"ViT-B-16-SigLIP", "ViT-L-14-CLIPA", "MobileCLIP-B"} <= set(others)
    assert f"{len(others)} of its models" in DOCS.read_text(encoding="utf-8")


def test_an_unknown_name_is_an_error_that_says_where_names_are_listed():
    with pytest.raises(UserError, match=r"“ViT-Z-99”.*backbones"):
        backbones.load("ViT-Z-99")


def test_a_missing_download_is_a_user_error(monkeypatch):
    monkeypatch.setattr(backbones, "HUB", "host.invalid")
    with pytest.raises(UserError, match=r"openai.*not on this machine.*checkpoint file"):
        backbones.load("RN50-quickgelu", "openai")


def test_openai_weights_under_the_plain_name_use_the_quickgelu_model(monkeypatch):
    monkeypatch.setattr(backbones, "HUB", "host.invalid")
    with pytest.raises(UserError, match="of RN50-quickgelu"):
        backbones.load("RN50", "openai")


def test_neither_tag_nor_file():
    with pytest.raises(UserError, match=r"“nonsense” of RN50-quickgelu.*openai"):
        backbones.load("RN50-quickgelu", "nonsense")


def test_a_checkpoint_of_another_model_names_what_does_not_match(tiny_files):
    config, _ = tiny_files["vit"]
    with pytest.raises(UserError, match="does not fit"):
        backbones.load(str(config), str(tiny_files["resnet"][1]), "cpu")


def test_a_broken_checkpoint_and_a_missing_one(tiny_files, tmp_path):
    config, _ = tiny_files["vit"]
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\0" * 100)
    with pytest.raises(UserError, match="broken.safetensors.*does not fit"):
        backbones.load(str(config), str(broken), "cpu")
    with pytest.raises(UserError, match="no such file"):
        backbones.load(str(config), str(tmp_path / "none.safetensors"), "cpu")


def test_a_pickle_that_would_run_code_is_refused(tiny_files, tmp_path):
    config, _ = tiny_files["vit"]
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    torch.save(Evil(), tmp_path / "evil.pt")
    with pytest.raises(UserError, match="does not fit"):
        backbones.load(str(config), str(tmp_path / "evil.pt"), "cpu")
    assert not ran.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"embed_dim": 3}'])
def test_a_file_that_is_not_a_config(tmp_path, tiny_files, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(UserError, match="open_clip model config"):
        backbones.load(str(path), str(tiny_files["vit"][1]), "cpu")


def test_a_config_without_weights(tiny_files):
    with pytest.raises(UserError, match="has no weights"):
        backbones.load(str(tiny_files["vit"][0]))


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "roberta-ViT-B-32"])
def test_texts_that_need_transformers_where_it_is_not_installed(name, tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    monkeypatch.setattr(tokenizers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"“{name}”.*pip install transformers"):
        backbones.load(name, str(path))


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
def test_tokenizer_files_that_are_not_here(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    monkeypatch.setattr(tokenizers, "HUB", "host.invalid")
    with pytest.raises(UserError, match=r"“timm/ViT-B-16-SigLIP” are not.*folder of the check"):
        backbones.load("ViT-B-16-SigLIP", str(path))
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=f"“{tmp_path}” are not on this machine or not readable"):
        backbones.load("ViT-B-16-SigLIP", str(path))


def test_a_model_without_a_token_embedding_is_refused(tiny_files):
    config, weights = tiny_files["vit"]
    stock = backbones.stock(str(config), str(weights))
    del stock.model.token_embedding
    with pytest.raises(UserError, match="takes no context vectors"):
        backbones.prepare(stock, torch.device("cpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_available():
    with pytest.raises(UserError, match="cuda.*not available"):
        backbones.pick_device("cuda")


def test_two_threads_that_load_leave_logging_as_it_was():
    root, level = logging.getLogger(), logging.getLogger().level
    inside, leave = threading.Event(), threading.Event()

    def first():
        with backbones._isolated():
            inside.set()
            leave.wait(10)

    def second():
        with backbones._isolated():
            pass

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait(10)
    threads[1].start()
    threads[1].join(0.2)  # it waits for the first, which would else restore the level too early
    assert threads[1].is_alive() and root.level == logging.CRITICAL
    leave.set()
    for thread in threads:
        thread.join(10)
    assert root.level == level


CONFIG_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_config_gives_a_model_or_a_sentence(tiny_files, tmp_path, data):
    config, weights = tiny_files["vit"]
    cfg = json.loads(config.read_text(encoding="utf-8"))
    where = data.draw(st.sampled_from([None, "vision_cfg", "text_cfg"]))
    part = cfg if where is None else cfg[where]
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(CONFIG_JSON)
    other = tmp_path / "fuzzed.json"
    other.write_text(json.dumps(cfg), encoding="utf-8")
    try:
        backbones.load(str(other), str(weights), "cpu")
    except UserError as error:
        assert str(error).endswith(".")


def test_a_config_nested_too_deep_and_parts_of_another_type(tiny_files, tmp_path):
    _, weights = tiny_files["vit"]
    path = tmp_path / "c.json"
    for text in ("[" * 200_000, '{"embed_dim": 4, "vision_cfg": {}, "text_cfg": null}', "[1]"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match="Backbone config"):
            backbones.load(str(path), str(weights), "cpu")
