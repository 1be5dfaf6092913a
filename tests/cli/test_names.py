"""`names`: class names are checked on unlabeled images."""

import json

import pytest

from ueo_core.cli.main import main
from ueo_core.drawings.sample import write_drawings


@pytest.fixture
def photos(tmp_path):
    nouns = ["star", "key", "fish", "boat"]
    write_drawings(tmp_path / "photos", "painted", 6, 0, nouns, 96)
    return tmp_path / "photos"


def test_names_as_text_and_as_json(photos, capsys, own_home):
    command = ["names", str(photos), "--classes", "star,key,moon", "--backbone", "drawings-vit"]
    command += ["--device", "cpu"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["name"] for row in found["classes"]] == ["star", "key", "moon"]
    assert found["images"] == 24 == sum(row["images"] for row in found["classes"])
    assert main(command) == 0
    text = capsys.readouterr().out
    assert all(sentence in text for sentence in found["sentences"])
    assert f"star: {found['classes'][0]['images']} photos" in text


def test_a_word_list_that_is_not_there_is_a_sentence(photos, capsys, tmp_path):
    words = str(tmp_path / "none.txt")
    assert main(["names", str(photos), "--classes", "star,key", "--words", words]) == 2
    assert "none.txt”: it cannot be read" in capsys.readouterr().err
