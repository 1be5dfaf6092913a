"""Class names from pasted lists, files and the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ueo_core.data.class_names import parse_class_names, read_class_names
from ueo_core.utils.errors import UserError


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("dog\ncat", ["dog", "cat"]),
        ("dog, cat ,bird", ["dog", "cat", "bird"]),
        ("\n dog \n\n\tcat\t\n\n", ["dog", "cat"]),
        ("dog,\ncat,\n", ["dog", "cat"]),
        ("\ufeffdog\r\ncat\rbird", ["dog", "cat", "bird"]),
        ("\"dog\", 'sea lion', “emu”", ["dog", "sea lion", "emu"]),
        ("rock 'n' roll, bird's nest", ["rock 'n' roll", "bird's nest"]),
        ("golden   retriever, golden_eagle", ["golden retriever", "golden_eagle"]),
        ("Éléphant, 犬", ["Éléphant", "犬"]),
    ],
)
def test_pasted_lists(text, names):
    assert parse_class_names(text) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "none were given"),
        (" \n \n", "none were given"),
        ("dog", "only 'dog'"),
        ("dog,,cat", "empty name after 1"),
        (", dog, cat", "empty name after 0"),
        ("dog, '' ,cat", "empty name"),
        ("dog, cat, dog", "'dog' is given twice"),
        ("dog, Dog", "'Dog' and 'dog' are the same name"),
        ("sea lion, sea_lion", "'sea_lion' and 'sea lion' are the same name"),
        ("dog, ___", "contains no letters"),
        ("dog, ca\x00t", "U\\+0000"),
        ("dog, a\tb", "U\\+0009"),
        ("dog, gpj\u202eexe", "U\\+202E"),
        ("dog, do\u200bg", "U\\+200B"),
        ("dog, \ud800", "U\\+D800"),
    ],
)
def test_invalid_lists(text, message):
    with pytest.raises(UserError, match=message) as caught:
        parse_class_names(text)
    str(caught.value).encode()  # a message can always be printed
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_gives_names_or_an_error(text):
    try:
        names = parse_class_names(text)
    except UserError as error:
        assert str(error).startswith("Class names: ")
    else:
        assert len(names) >= 2
        assert parse_class_names("\n".join(names)) == names
        assert parse_class_names(",".join(names)) == names


def test_a_value_is_a_list_or_a_file(tmp_path, monkeypatch):
    file = tmp_path / "classes.txt"
    file.write_text("\ufeffdog\nsea lion\n", encoding="utf-8")
    assert read_class_names("a,b , c") == ["a", "b", "c"]
    assert read_class_names(str(file)) == ["dog", "sea lion"]
    (tmp_path / "a,b").write_text("x\ny\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read_class_names("a,b") == ["x", "y"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("missing.txt", "'missing.txt' is not a file or folder"),
        ("", "none were given"),
        ("x\0,x\0", "U\\+0000"),
    ],
)
def test_invalid_values(spec, message):
    with pytest.raises(UserError, match=message):
        read_class_names(spec)


def test_subfolders_give_names(tmp_path):
    for name in ("sea lion", "dog", ".git", "__MACOSX"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert read_class_names(str(tmp_path)) == ["dog", "sea lion"]
    (tmp_path / "sea_lion").mkdir()
    with pytest.raises(UserError, match="are the same name"):
        read_class_names(str(tmp_path))
    with pytest.raises(UserError, match="is a folder with 0 subfolders"):
        read_class_names(str(tmp_path / "dog"))


def test_invalid_files(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_bytes(b"\xff\xfed\0o\0g\0")
    with pytest.raises(UserError, match="not UTF-8"):
        read_class_names(str(file))
    file.write_bytes(b"a\n" * 600_000)
    with pytest.raises(UserError, match="larger than"):
        read_class_names(str(file))
