"""Class names from pasted lists, files, the command line and Python."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ueo_core.data.class_list import (
    classes_given,
    parse_class_names,
    read_class_names,
    split_names,
    write_class_names,
)
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
        ('"tench, Tinca tinca", cat', ["tench, Tinca tinca", "cat"]),
        ('"tench, Tinca tinca"\n"cock"', ["tench, Tinca tinca", "cock"]),
        ('"a ""big, old"" dog", cat', ['a "big, old" dog', "cat"]),
        ('["dog", "sea lion, adult"]', ["dog", "sea lion, adult"]),
        ("('dog', 'cat',)", ["dog", "cat"]),
        ("{0: 'person', 1: 'bicycle'}", ["person", "bicycle"]),
        ("16:9, 4:3", ["16:9", "4:3"]),
    ],
)
def test_pasted_lists(text, names):
    assert parse_class_names(text).names == names


@pytest.mark.parametrize(
    ("text", "names", "remark"),
    [
        (
            "# mine\ndog\n#\ncat",
            ["dog", "cat"],
            "2 lines that begin with # were left out as notes.",
        ),
        ("dog\ncat\n# x", ["dog", "cat"], "1 line that begins with # was left out as a note."),
        ("1. dog\n2) cat\n3: sea lion", ["dog", "cat", "sea lion"], "“1. dog” was read as “dog”."),
        ("- dog\n\n* cat\n• emu", ["dog", "cat", "emu"], "“- dog” was read as “dog”."),
        ("1. dog, 2. cat", ["dog", "cat"], "“1. dog” was read as “dog”."),
        ("names:\n  0: dog\n  1: cat", ["dog", "cat"], "“names:” at the beginning"),
        ("CLASSES = ['dog', 'cat']", ["dog", "cat"], "“CLASSES =” at the beginning"),
        ("AT&amp;T, IBM", ["AT&T", "IBM"], "“AT&amp;T” was read as “AT&T”."),
        ("[dog], [cat]", ["[dog]", "[cat]"], r"begins with \[ but is no Python list"),
        ("- dog\ncat", ["- dog", "cat"], "“- dog” begins with a number or a dash, which was kept"),
        ("n02 x, n02084071 dog, 7-up", ["n02 x", "n02084071 dog", "7-up"], "dog” and 1 more begin"),
        ("dog:puppy, cat", ["dog:puppy", "cat"], "“dog:puppy” was read as one name"),
        ("dog;cat, emu", ["dog;cat", "emu"], "“dog;cat” was read as one name"),
        ("here is what we have seen on our trip, cat", None, "has 9 words"),
    ],
)
def test_odd_lines_are_remarked_on(text, names, remark):
    found = parse_class_names(text)
    assert names is None or found.names == names
    assert len(found.remarks) == (2 if text.startswith("names") else 1)
    assert any(re.search(remark, r) for r in found.remarks)


@pytest.mark.parametrize(
    "text",
    [
        "dog: puppy, hound\ncat\nfox: vixen",
        "dog: puppy, hound; cat; fox: vixen",
        "- dog: puppy, hound\n- cat\n- fox: vixen",
        "{'dog': ['puppy', 'hound'], 'cat': [], 'fox': 'vixen'}",
        'dog:  "puppy" ,hound,\n"cat"\n"fox": vixen',
    ],
)
def test_further_names_of_a_class(text):
    found = parse_class_names(text)
    assert found.names == ["dog", "cat", "fox"]
    assert found.synonyms == {"dog": ["puppy", "hound"], "fox": ["vixen"]}
    assert "2 classes have further names (as “dog”: “puppy”, “hound”)" in found.remarks[-1]


def test_a_quoted_colon_belongs_to_the_name():
    found = parse_class_names('"Star Wars: A New Hope"\n"Alien: Covenant": "Alien; part 6"')
    assert found.names == ["Star Wars: A New Hope", "Alien: Covenant"]
    assert found.synonyms == {"Alien: Covenant": ["Alien; part 6"]}


def test_what_takes_one_name_per_class_refuses_further_ones():
    assert parse_class_names("dog, cat").alone("x") == ["dog", "cat"]
    with pytest.raises(UserError, match="a protocol takes one name per class; .* “dog”"):
        parse_class_names("dog: puppy\ncat").alone("a protocol")


@pytest.mark.parametrize(
    "given", ["dog: puppy\ncat", {"dog": "puppy", "cat": ()}, {"dog": ["puppy"], "cat": None}]
)
def test_python_takes_texts_and_dicts(given):
    found = classes_given(given)
    assert found.names == ["dog", "cat"] and found.synonyms == {"dog": ["puppy"]}


def test_python_takes_lists_and_paths(tmp_path):
    assert classes_given(iter(["a, b", "# c"])).names == ["a, b", "# c"]  # names as they are
    file = tmp_path / "classes.txt"
    file.write_text("dog: puppy\ncat", encoding="utf-8")
    assert classes_given(file) == classes_given("dog: puppy\ncat")


@pytest.mark.parametrize(
    ("given", "message"),
    [(None, "classes: give a list"), (5, "classes: give a list"), (["a", 5], "5 is not text")],
)
def test_python_refuses_what_is_no_list(given, message):
    with pytest.raises(UserError, match=message):
        classes_given(given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "none were given"),
        (" \n \n", "none were given"),
        ("dog", "only “dog”"),
        ("dog,,cat", "empty name after 1"),
        (", dog, cat", "empty name after 0"),
        ("dog, '' ,cat", "empty name"),
        ("dog, cat, dog", "“dog” is given twice"),
        ("dog, Dog", "“Dog” and “dog” are the same name"),
        ("sea lion, sea_lion", "“sea_lion” and “sea lion” are the same name"),
        ("dog, ___", "contains no letters"),
        ("dog, ca\x00t", "U\\+0000"),
        ("dog, a\tb", "U\\+0009"),
        ("dog, gpj\u202eexe", "U\\+202E"),
        ("dog, do\u200bg", "U\\+200B"),
        ("dog, \ud800", "U\\+D800"),
        ("dog, a&#x202e;b", "U\\+202E"),
        ("lady's, lady’s", "“lady's” and “lady’s” are the same text for CLIP"),
        ("AT&T, AT&amp;T", "“AT&T” and “AT&amp;T” are the same text for CLIP"),
        ("dog: hound\nfox: Hound", "“hound” of “dog” and “Hound” of “fox” are the same text"),
        ("dog: hound\nfox: hound", "“hound” is a name of both “dog” and “fox”"),
        ("dog: fox\nfox", "“fox” is a name of both “dog” and “fox”"),
        ("dog: puppy, puppy\nfox", "“puppy” is given twice for “dog”"),
        ("dog, cat: kitten", "has a comma before its colon"),
        ("dog: puppy,,hound\ncat", "empty name after 2"),
        ("[1, 2]", "1 is not text"),
        ("(" * 5000 + ")" * 5000, r"only “\(\(\(.*” was given"),
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
        found = parse_class_names(text)
    except UserError as error:
        assert str(error).startswith("Class names: ")
    else:
        assert len(found.names) >= 2
        assert all(remark.startswith("Class names: ") for remark in found.remarks)


NAMES = st.text("ab '\",;:#&[]{}()=-.1“”’", min_size=1, max_size=8).map(
    lambda n: " ".join(n.split())
)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), min_size=2, max_size=4), st.booleans())
def test_what_is_written_is_read_again(groups, one_line):
    given = {name: more for name, *more in groups}
    try:
        expected = classes_given(given)
    except UserError:
        return
    written = write_class_names(expected.names, expected.synonyms, one_line)
    assert not one_line or "\n" not in written
    found = parse_class_names(written)
    assert (found.names, found.synonyms) == (expected.names, expected.synonyms)


def test_plain_names_are_written_plainly():
    assert write_class_names(["dog", "sea_lion"], one_line=True) == "dog,sea_lion"
    assert write_class_names(["dog", "lady's slipper"]) == "dog\nlady's slipper"
    assert write_class_names(["dog", "a, b"], {"dog": ["puppy"]}, True) == 'dog: puppy; "a, b"'


def test_a_pool_may_be_one_name():
    assert split_names("dog") == ["dog"]
    assert split_names('dog, "tench, Tinca tinca"') == ["dog", "tench, Tinca tinca"]


def test_a_value_is_a_list_or_a_file(tmp_path, monkeypatch):
    file = tmp_path / "classes.txt"
    file.write_text("\ufeffdog\nsea lion\n", encoding="utf-8")
    assert read_class_names("a,b , c").names == ["a", "b", "c"]
    assert read_class_names(str(file)).names == ["dog", "sea lion"]
    (tmp_path / "a,b").write_text("x\ny\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read_class_names("a,b").names == ["x", "y"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("missing.txt", "“missing.txt” is not a file or folder"),
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
    assert read_class_names(str(tmp_path)).names == ["dog", "sea lion"]
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
