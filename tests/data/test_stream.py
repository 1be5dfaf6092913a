"""Sources read in place: the same files as an intake lists, always in one order."""

import zipfile

import pytest

from tests.helpers.streams import image_bytes, write_folder, write_tar
from ueo_core.data.intake_report import SkippedFile
from ueo_core.data.limits import Limits
from ueo_core.data.source_entries import Entry
from ueo_core.data.sources import open_path
from ueo_core.data.stream import Stream, open_stream
from ueo_core.utils.errors import UserError


def stream(path, **limits) -> Stream:
    return open_stream(path, Limits(**limits), path.parent / "out")


def test_a_folder_gives_what_an_intake_lists(tmp_path):
    root = write_folder(tmp_path / "photos", 7)
    with open_path(root, Limits(), tmp_path / "store") as source:
        listed = [e.name for e in source.entries]
    assert [f.name for f in stream(root).files()] == listed


def test_limits_of_a_whole_source_do_not_hold(tmp_path):
    root = write_folder(tmp_path / "photos", 7)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(root.rglob("*.png")):
            archive.write(path, path.relative_to(root).as_posix())
    assert stream(root, max_files=2).survey()[0] == 9
    assert stream(tmp_path / "a.zip", max_files=2).survey()[0] == 7


def test_a_mixed_folder_gives_its_images_and_those_of_its_tars(tmp_path):
    root = write_folder(tmp_path / "photos", 2)
    write_tar(root / "s" / "0.tar", [("k.png", image_bytes(1)), ("k.cls", b"3")])
    (root / "s" / "1.tar").write_bytes(b"damaged" * 100)
    (root / "z.zip").write_bytes(b"PK\x03\x04")
    found = {f.name: f for f in stream(root).files()}
    assert list(found) == [
        *("000.png", "notes.txt", "z.zip", "a/001.png", "a/broken.jpg"),
        *("s/0.tar/k.png", "s/1.tar"),
    ]
    assert isinstance(found["s/1.tar"], SkippedFile)
    assert isinstance(found["s/0.tar/k.png"], Entry)


def test_the_results_are_no_part_of_their_source(tmp_path):
    root = write_folder(tmp_path / "photos", 3)
    (root / "out").mkdir()
    before = open_stream(root, Limits(), root / "out").survey()
    (root / "out" / "part.parquet").write_bytes(b"x")
    assert open_stream(root, Limits(), root / "out").survey() == before


@pytest.mark.parametrize("change", ["size", "name", "more", "none"])
def test_the_fingerprint_tells_changes(tmp_path, change):
    path = write_tar(tmp_path / "a.tar", [("a.png", b"1"), ("b.png", b"2")])
    root = write_folder(tmp_path / "photos", 3)
    path.rename(root / "a.tar")
    before = stream(root).survey()
    if change == "size":
        (root / "000.png").write_bytes(image_bytes(9) + b" ")
    elif change == "name":
        (root / "000.png").rename(root / "0.png")
    elif change == "more":
        write_tar(root / "b.tar", [("a.png", b"1")])
    assert (stream(root).survey() == before) == (change == "none")


def test_what_is_no_source_is_one_sentence(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no folder, zip, .tar archive, or list of paths"):
        stream(tmp_path / "a.tar.gz")
    with pytest.raises(UserError, match="there is no such folder or file"):
        stream(tmp_path / "none")
    with pytest.raises(UserError, match="contains no files"):
        stream(tmp_path / "empty").survey()
