"""Labels from folders and CSV files, and matching folder names to class names."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ueo_core.data.labels import csv_labels, folder_labels, map_folders
from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError

NAMES = ["cat/a.png", "deep/dog/b.png", "dog/c.png", "top.png"]


@pytest.fixture
def images(tmp_path):
    files = []
    for seed, name in enumerate([*NAMES, "dog/copy of a.png"]):
        file = io.BytesIO()
        Image.new("RGB", (40, 40), (seed % 4 * 60, 0, 0)).save(file, "PNG")
        files.append((name, file))
    store = Store(tmp_path / "store")
    return store.open(store.ingest_files(files).set_id)


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_folders(images):
    assert images.names == NAMES
    assert folder_labels(images) == ["cat", "dog", "dog", None]


@pytest.mark.parametrize(
    "text",
    [
        'path,label\ncat/a.png,Cat\ntop.png,"sea, lion"\nskipped.png,Cat\ndog/c.png,\n',
        "\ufeffLabel;Path\r\nCat;.\\cat\\a.png\r\n\r\nsea, lion;./top.png\r\n",
        "n\tpath\tlabel\n1\tdog/copy of a.png\tCat\n2\ttop.png\tsea, lion\n",
    ],
)
def test_tables(images, table, text):
    assert csv_labels(images, table(text)).labels == ["Cat", None, None, "sea, lion"]


def test_a_table_says_what_of_it_was_used(images, table):
    found = csv_labels(images, table("path,label\ntop.png,x\ngone.png,x\n./cat/a.png,\n"))
    assert (found.rows, found.used, found.unmatched, found.unlabeled) == (3, 1, ("gone.png",), 3)
    assert not found.complete
    assert found.sentence == (
        "Labels file: 1 of 3 rows used; 3 of 4 images have no label. 1 rows are about no image of "
        "this set, for example 'gone.png'."
    )
    whole = csv_labels(images, table("path,label\n" + "".join(f"{n},x\n" for n in NAMES)))
    assert whole.complete and (whole.used, whole.unlabeled) == (4, 0)


def test_a_copy_with_another_label_is_counted(images, table):
    found = csv_labels(images, table("path,label\ndog/copy of a.png,dog\ncat/a.png,cat\n"))
    assert found.labels == ["cat", None, None, None] and found.conflicts == 1
    assert "1 images have an exact copy with another label" in found.sentence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns path and label"),
        ("file,label\na,b\n", "columns path and label"),
        ("path,path,label\na,b,c\n", "columns path and label"),
        ("path,label\ncat/a.png\n", "line 2 has 1 columns instead of 2"),
        ("path,label\ntop.png,a\ntop.png,b\n", "line 3 gives top.png a second label"),
        ("path,label\nother/a.png,a\n", "no row is about an image of this set.*'other/a.png'"),
        ("path,label\n", "no row is about"),
        ('path,label\n"' + "x" * 200_000 + '",a\n', "is not CSV"),
    ],
)
def test_tables_without_usable_labels(images, table, text, message):
    with pytest.raises(UserError, match=message):
        csv_labels(images, table(text))


def test_files_that_are_not_tables(images, table, tmp_path):
    with pytest.raises(UserError, match="not UTF-8"):
        csv_labels(images, table("path,label\nä,b\n", "utf-16"))
    with pytest.raises(UserError, match="cannot be read"):
        csv_labels(images, tmp_path / "missing.csv")
    with pytest.raises(UserError, match="cannot be read"):
        csv_labels(images, tmp_path)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Dog", "dog"),
        ("sea_lion", "sea lion"),
        ("Sea-Lions", "sea lion"),
        ("dogs", "dog"),
        ("puppies", "puppy"),
        ("boxes", "box"),
        ("buses", "bus"),
        ("watches", "watch"),
        ("knives", "knife"),
        ("leaves", "leaf"),
        ("mice", "mouse"),
        ("056.dog", "dog"),
        ("n02084071-dog", "dog"),
        ("dog", "dogs"),
        ("horse", "Horses"),
    ],
)
def test_similar_names_are_suggested_and_never_merged(folder, name):
    result = map_folders([folder, "volcano"], [name, "glass"])
    assert result.suggestions == {folder: name}
    assert result.exact == {} and result.unmatched == ["volcano"]
    assert result.resolve() == {folder: None, "volcano": None}
    assert result.resolve([folder]) == {folder: name, "volcano": None}


@pytest.mark.parametrize(
    ("folder", "name"),
    [("glass", "glas"), ("bus", "bu"), ("3", "4"), ("cat", "car"), ("dogma", "dog")],
)
def test_different_words_are_not_suggested(folder, name):
    assert map_folders([folder], [name, "x"]).unmatched == [folder]


def test_an_equal_name_has_priority_over_a_similar_one():
    result = map_folders(["dog", "dogs", "DOGS"], ["dog", "dogs"])
    assert result.exact == {"dog": "dog", "dogs": "dogs"}
    assert result.suggestions == {"DOGS": "dogs"}
    decomposed = "cafe\u0301"
    assert map_folders([decomposed], ["caf\u00e9", "x"]).exact == {decomposed: "caf\u00e9"}


@given(st.lists(st.text(min_size=1, max_size=12)), st.lists(st.text(min_size=1, max_size=12)))
def test_every_folder_is_in_one_group(folders, classes):
    result = map_folders(folders, classes)
    places = [*result.exact, *result.suggestions, *result.unmatched]
    assert sorted(places) == sorted(set(folders))
    assert {*result.exact.values(), *result.suggestions.values()} <= set(classes)
    assert not set(result.suggestions) & set(classes)
