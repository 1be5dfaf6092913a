"""The list of backbones: order, the cache, and that asking for it does not load torch."""

import subprocess
import sys

import open_clip
import pytest

from ueo_core.models import catalog


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


def test_the_command_lists_without_torch():
    code = (
        "import sys; from ueo_core.cli.main import main; main(['backbones']); "
        "assert not {'torch', 'open_clip', 'streamlit', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 4
