"""Every name becomes a safe name or is rejected."""

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.safe_names import (
    UniqueNames,
    WritableNames,
    hidden_reason,
    printable,
    relative_name,
    writable_name,
)

MALICIOUS = st.lists(
    st.sampled_from(
        ["..", ".", "/", "\\", "C:", " ", "a", "\0", "\n", "\u202e", "\udcff", "…", ":"]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)


@given(MALICIOUS)
def test_an_accepted_name_stays_inside_on_every_system(raw):
    try:
        name = relative_name(raw, Limits())
    except RejectedFile as error:
        assert str(error)
        return
    name.encode()
    assert relative_name(name, Limits()) == name
    for flavor in (PurePosixPath, PureWindowsPath):
        path = flavor(name)
        assert not path.is_absolute() and not path.drive and not path.root
        assert ".." not in path.parts
        assert not (flavor("/base") / path).relative_to(flavor("/base")).is_absolute()
    assert not any(unicodedata.category(c) in {"Cc", "Cs"} for c in name)
    assert "\u202e" not in name and "\\" not in name


@given(st.text(alphabet=st.characters(), max_size=300))
def test_printable_text_is_one_short_line(raw):
    shown = printable(raw)
    assert len(shown) <= 200 and len(shown.splitlines()) <= 1
    shown.encode()


@given(
    st.lists(st.sampled_from(["a.png", "a (2).png", "b/a.png", "a", ".x", "b.c/a"]), max_size=20)
)
def test_names_become_unique(names):
    used = UniqueNames()
    unique = [used.unique(name) for name in names]
    assert len(set(unique)) == len(names)
    seen = set()
    for raw, name in zip(names, unique, strict=True):
        assert PurePosixPath(name).suffix == PurePosixPath(raw).suffix
        assert PurePosixPath(name).parent == PurePosixPath(raw).parent
        assert name == raw or raw in seen
        seen.update((raw, name))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".a.png", "hidden file"),
        ("x/.b/c.png", "hidden file"),
        ("__MACOSX/x/a.png", "system file"),
        ("x/thumbs.DB", "system file"),
        ("x/a..b.png", None),
        ("_a/b.png", None),
    ],
)
def test_hidden_files(name, reason):
    assert hidden_reason(name) == reason


WRITTEN = st.text(
    st.sampled_from('aé椅. /\\:*?"<>|\0\n\u202econCON'), max_size=200
) | st.sampled_from(
    [
        "con.png",
        "CON",
        "aux.tar.png",
        "nul .x",
        "com1",
        "COM¹.txt",
        "conin$",
        "..",
        "a" * 300 + ".png",
    ]
)


@given(st.lists(WRITTEN, max_size=12), st.sampled_from([24, 120]))
def test_writable_names_are_different_short_and_valid_on_every_disk(raw, longest):
    names = WritableNames(longest)
    found = [names.unique(name) for name in raw]
    assert len({unicodedata.normalize("NFC", n).casefold() for n in found}) == len(raw)
    for name in found:
        assert name and len(name.encode()) <= longest
        assert not set(name) & set('<>:"/\\|?*\0\n\u202e') and name == name.strip(" .")
        assert not PureWindowsPath(name).is_reserved()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("photo.png", "photo.png"),
        ("con.png", "_con.png"),
        ("aux.tar.png", "_aux.tar.png"),
        ("console.png", "console.png"),
        ("a" * 300 + ".jpeg", "a" * 15 + ".jpeg"),
        ("椅" * 300 + ".png", "椅" * 5 + ".png"),
        ("a. " * 3, "a. a. a"),
        ("v1." + "x" * 30, "v1." + "x" * 17),
        (" . ", "file"),
        ("Löwe", "Löwe"),
    ],
)
def test_a_name_keeps_its_suffix_and_changes_only_where_it_must(name, written):
    assert writable_name(name, 20) == written
