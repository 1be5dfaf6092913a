"""What viewers on a network are told of this machine: names of files, not their folders."""

import pytest
from streamlit import config

from ui.common import network
from ui.common.network import public


@pytest.fixture
def open_to_all(monkeypatch):
    monkeypatch.setattr(network, "local", lambda: False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Adapter “/home/ann/my runs/delta.safetensors”: no", "Adapter “delta.safetensors”: no"),
        ("full (/home/ann/runs/a/events.jsonl): free", "full (events.jsonl): free"),
        ("Source “C:\\Users\\Ann\\photos”: none", "Source “photos”: none"),
        ("Folder “/srv/data/”: none", "Folder “data”: none"),
        ("ueo export /home/ann/run --to x.zip", "ueo export run --to x.zip"),
        ("cannot open '/etc/x y/z.json'", "cannot open 'z.json'"),
        ("read /a/b/c.json, then /a/d.json;", "read c.json, then d.json;"),
    ],
)
def test_folders_are_left_out(open_to_all, text, shown):
    assert public(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "known and/or unknown, 3 images/s",
        "Image dog/0.png: its pixels are gone",
        "see https://arxiv.org/abs/2308.12919",
        "a photo of a {class} / sketch",
        "1/2 of “dog” (3/4)",
    ],
)
def test_other_strokes_stay(open_to_all, text):
    assert public(text) == text


def test_who_sits_at_the_machine_sees_paths():
    assert config.get_option("server.address") == "localhost"
    assert public("Source “/home/ann/photos”") == "Source “/home/ann/photos”"
