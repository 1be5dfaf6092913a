"""The list of backbones: order, the cache, and that asking for it does not load torch."""

import subprocess
import sys

import open_clip
import pytest

from ueo_core.models import catalog
from ueo_core.models.hub_files import cached_models


def test_the_teaching_models_come_first():
    rows = catalog.available()
    assert [r["name"] for r in rows[:2]] == ["drawings-resnet", "drawings-vit"]
    assert all(r["available"] for r in rows[:2])
    assert [(r["name"], r["pretrained"]) for r in rows[2:]] == [
        ("RN50-quickgelu", "openai"),
        ("ViT-B-16-quickgelu", "openai"),
    ]


def test_every_tag_of_open_clip_is_listed_once():
    pairs = [(r["name"], r["pretrained"]) for r in catalog.available(every=True)[2:]]
    assert sorted(pairs) == sorted(map(tuple, open_clip.list_pretrained()))


@pytest.mark.parametrize("name", catalog.SUGGESTED)
def test_what_is_repeated_of_open_clip_is_what_it_says(name):
    theirs = open_clip.get_pretrained_cfg(name, catalog.SUGGESTED_TAG)
    assert catalog.SUGGESTED[name] == {key: theirs[key] for key in ("hf_hub", "url")}


def test_weights_in_openais_own_cache_count(tmp_path, monkeypatch):
    monkeypatch.setattr(catalog.Path, "home", lambda: tmp_path)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, file: None)
    assert not catalog.is_cached("RN50-quickgelu", "openai")
    (tmp_path / ".cache" / "clip").mkdir(parents=True)
    (tmp_path / ".cache" / "clip" / "RN50.pt").touch()
    assert catalog.is_cached("RN50-quickgelu", "openai")
    assert not catalog.is_cached("ViT-B-16-quickgelu", "openai")


def test_weights_in_the_hubs_cache_count(monkeypatch):
    asked = []

    def look(repo, file):
        asked.append((repo, file))
        return "/here" if file == "open_clip_model.safetensors" else None

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", look)
    assert catalog.is_cached("RN50-quickgelu", "openai")
    assert asked == [("timm/resnet50_clip.openai", "open_clip_model.safetensors")]


def hub_cache(folder, monkeypatch, **files):
    """Fill the cache of the Hub: files by repository ("owner__name"), each {name: text}."""
    commit = "0" * 40
    for repository, inside in files.items():
        place = folder / f"models--{repository.replace('__', '--')}"
        for name, text in inside.items():
            path = place / "snapshots" / commit / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (place / "refs").mkdir(parents=True)
        (place / "refs" / "main").write_text(commit, encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))


def test_models_in_the_cache_of_the_hub_are_listed(tmp_path, monkeypatch):
    clip, bert = '{"model_type": "clip"}', '{"model_type": "bert"}'
    hub_cache(
        tmp_path,
        monkeypatch,
        someone__plain={"open_clip_config.json": "{}", "open_clip_model.safetensors": "w"},
        someone__clip={"config.json": clip, "model.safetensors": "w"},
        someone__half={"config.json": clip},
        someone__bert={"config.json": bert, "model.safetensors": "w"},
        someone__broken={"config.json": "[" * 100_000, "model.safetensors": "w"},
    )
    assert cached_models() == ["hf-hub:someone/clip", "hf-hub:someone/plain"]
    row = catalog.available()[-1]
    assert row == {
        "name": "hf-hub:someone/plain",
        "pretrained": "",
        "available": True,
        "about": "in the cache of the Hub",
    }


def test_without_a_cache_of_the_hub_nothing_is_listed(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "none"))
    assert cached_models() == []


def test_the_command_lists_without_torch():
    code = (
        "import sys; from ueo_core.cli.main import main; main(['backbones']); "
        "assert not {'torch', 'open_clip', 'streamlit', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 4
