"""Labels from folders and CSV files, and matching folder names to class names."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ueo_core.data.labels import folder_labels, map_folders, table_labels
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
    assert table_labels(images, table(text)).labels == ["Cat", None, None, "sea, lion"]


def test_a_table_says_what_of_it_was_used(images, table):
    found = table_labels(images, table("path,label\ntop.png,x\ngone.png,x\n./cat/a.png,\n"))
    assert (found.rows, found.used, found.unmatched, found.unlabeled) == (3, 1, ("gone.png",), 3)
    assert not found.complete
    assert found.sentence == (
        "Labels file: 1 of 3 rows used; 3 of 4 images have no label. 1 rows are about no image of "
        "this set, for example 'gone.png'."
    )
    whole = table_labels(images, table("path,label\n" + "".join(f"{n},x\n" for n in NAMES)))
    assert whole.complete and (whole.used, whole.unlabeled) == (4, 0)


def test_a_copy_with_another_label_is_counted(images, table):
    found = table_labels(images, table("path,label\ndog/copy of a.png,dog\ncat/a.png,cat\n"))
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
        table_labels(images, table(text))


def test_files_that_are_not_tables(images, table, tmp_path):
    with pytest.raises(UserError, match="not UTF-8"):
        table_labels(images, table("path,label\nä,b\n", "utf-16"))
    with pytest.raises(UserError, match="cannot be read"):
        table_labels(images, tmp_path / "missing.csv")
    with pytest.raises(UserError, match="cannot be read"):
        table_labels(images, tmp_path)


def task(path, *choices, **changes):
    """A task as Label Studio exports it, with one annotation for each choice."""
    annotations = [
        {
            "was_cancelled": False,
            "result": [
                {
                    "from_name": "label",
                    "to_name": "image",
                    "type": "choices",
                    "value": {"choices": [choice]},
                }
            ],
        }
        for choice in choices
    ]
    data = {"image": "/data/local-files/?d=x/images/a.png", "path": path}
    return {"id": 7, "data": data, "annotations": annotations} | changes


def test_labels_from_label_studio(images, table):
    cancelled = task("dog/c.png", "Dog")
    cancelled["annotations"][0]["was_cancelled"] = True
    other = task("deep/dog/b.png", "blurred")
    other["annotations"][0]["result"][0]["from_name"] = "quality"
    tasks = [
        task("./cat/a.png", "Cat"),
        task("top.png", "=lion", "=lion", predictions=[{"result": "not read"}]),
        cancelled,
        other,
    ]
    found = table_labels(images, table(json.dumps(tasks)))
    assert found.labels == ["Cat", None, None, "=lion"] and (found.rows, found.used) == (4, 2)
    small = [{"path": "cat/a.png", "label": "Cat", "id": 1}, {"path": "top.png", "image": "x"}]
    assert table_labels(images, table(json.dumps(small))).labels == ["Cat", None, None, None]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([task("top.png", "a", "b")], "task 1 gives top.png a second label"),
        ([task("top.png", "a"), {"data": {"image": "x"}}], "task 2 is not one of Label Studio"),
        ([{"path": "top.png", "label": {"choices": ["a", "b"]}}], "task 1 is not one of"),
        ([task("top.png", "a"), 3], "task 2 is not one of"),
        ([task("top.png", "a", annotations=[{"result": [None]}])], "task 1 is not one of"),
        ([], "no row is about"),
    ],
)
def test_tasks_without_usable_labels(images, table, tasks, message):
    with pytest.raises(UserError, match=message):
        table_labels(images, table(json.dumps(tasks)))
    with pytest.raises(UserError, match="is not JSON"):
        table_labels(images, table("[{]"))


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
