"""Sorted folders: right places, originals byte for byte and untouched, never out of the folder."""

import csv
import errno
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from ueo_core.data.originals import Originals
from ueo_core.data.store import Store
from ueo_core.export.downloads import StoredImages
from ueo_core.export.formats import PREDICTIONS
from ueo_core.export.predicted_images import PredictedImages
from ueo_core.export.sorted_folders import folder_names
from ueo_core.inference.predictions import Predictions
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import store_root

CLASSES = ["dog", "../cat"]
# dog, cat, unknown, dog, cat
COSINES = np.array([[0.4, 0.1], [0.1, 0.4], [0.2, 0.2], [0.5, 0.1], [0.0, 0.3]], np.float32)
THRESHOLD = 0.51


def export_sorted(out, images, said, threshold, originals, *progress):
    source = StoredImages(images, originals)
    return PREDICTIONS["folders"].write(
        out, PredictedImages(said, threshold, source=source), *progress
    )


@pytest.fixture
def source(tmp_path):
    g = np.random.default_rng(0)
    for name in ("a/x.png", "b/x.png", "c.png", "d/X.PNG", "e.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        blobs = Image.fromarray(g.integers(0, 256, (7, 6, 3), dtype=np.uint8))
        blobs.resize((60, 70), Image.Resampling.BICUBIC).save(path)
    return tmp_path / "photos"


@pytest.fixture
def taken(source, monkeypatch):
    # The store remembers files that have not changed for two seconds; the test's are younger.
    monkeypatch.setattr("ueo_core.data.hash_cache._SETTLED_NS", -(10**12))
    store = Store(store_root(), 32)
    images = store.open(store.ingest(source).set_id)
    assert images.names == ["a/x.png", "b/x.png", "c.png", "d/X.PNG", "e.jpg"]
    return images, Predictions(images.names, COSINES, CLASSES, 100.0)


def files(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_originals_are_found_and_copied_byte_for_byte(source, taken, tmp_path):
    images, said = taken
    before = {p: (p.read_bytes(), p.stat().st_mtime) for p in source.rglob("*") if p.is_file()}
    seen = []
    with Originals(store_root(), images, source) as originals:
        made = export_sorted(
            tmp_path / "out.zip",
            images,
            said,
            THRESHOLD,
            originals,
            lambda done, total: seen.append((done, total)),
        )
    found = files(tmp_path / "out.zip")
    listed = list(csv.DictReader(io.StringIO(found.pop("predictions.csv").decode())))
    assert set(found) == {"dog/x.png", "_cat/x.png", "unknown/c.png", "dog/X (2).PNG", "_cat/e.jpg"}
    for row in listed:
        assert (
            found[row["file"]] == (source / row["path"]).read_bytes() and row["bytes"] == "original"
        )
    assert [r["unknown"] for r in listed] == ["0", "0", "1", "0", "0"]
    assert (made.images, made.unknown, made.originals, made.stored) == (5, 1, 5, 0)
    assert seen == [(i, 5) for i in range(1, 6)]
    assert before == {
        p: (p.read_bytes(), p.stat().st_mtime) for p in source.rglob("*") if p.is_file()
    }


def test_by_default_the_store_knows_where_the_originals_were(source, taken):
    images, _ = taken
    with Originals(store_root(), images) as originals:
        assert [originals.read(i) for i in range(5)] == [
            (source / name).read_bytes() for name in images.names
        ]


def test_a_changed_file_is_not_taken_for_the_original(source, taken, tmp_path):
    images, said = taken
    (source / "c.png").write_bytes((source / "a/x.png").read_bytes())
    (source / "e.jpg").unlink()
    with Originals(store_root(), images) as originals:
        made = export_sorted(tmp_path / "out", images, said, THRESHOLD, originals)
    assert (made.originals, made.stored) == (3, 2)
    with Image.open(tmp_path / "out" / "unknown" / "c.jpg") as stored:
        assert stored.size == (32, 37)  # the stored image, short side 32
        own, other = (np.abs(np.asarray(stored, float) - images.pixels(i)).mean() for i in (2, 0))
    assert own < 8 < 20 < other
    with open(tmp_path / "out" / "predictions.csv", encoding="utf-8") as file:
        assert [r["bytes"] for r in csv.DictReader(file)] == [
            "original",
            "original",
            "stored",
            "original",
            "stored",
        ]


def test_an_upload_has_only_its_stored_image(source, tmp_path):
    store = Store(store_root(), 32)
    opened = [
        ("c.png", (source / "c.png").read_bytes()),
        ("e.jpg", (source / "e.jpg").read_bytes()),
    ]
    images = store.open(store.ingest_files(opened).set_id)
    with Originals(store_root(), images) as originals:
        assert originals.read(0) is None


def test_originals_within_a_zip(source, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(source))
    store = Store(store_root(), 32)
    images = store.open(store.ingest(tmp_path / "photos.zip").set_id)
    with Originals(store_root(), images, tmp_path / "photos.zip") as originals:
        assert originals.read(1) == (source / "b/x.png").read_bytes()


def test_a_cancelled_export_leaves_nothing_on_disk(taken, tmp_path):
    images, said = taken

    def stop(done, total):
        raise KeyboardInterrupt

    for out in ("out.zip", "out"):
        with Originals(store_root(), images) as originals, pytest.raises(KeyboardInterrupt):
            export_sorted(tmp_path / "place" / out, images, said, THRESHOLD, originals, stop)
    assert list((tmp_path / "place").iterdir()) == []


def test_an_existing_folder_is_refused_and_unchanged(taken, tmp_path):
    images, said = taken
    (tmp_path / "out").mkdir()
    with (
        Originals(store_root(), images) as originals,
        pytest.raises(UserError, match="exists already"),
    ):
        export_sorted(tmp_path / "out", images, said, THRESHOLD, originals)
    assert list((tmp_path / "out").iterdir()) == []


def test_folder_names_are_different_and_valid_on_every_disk():
    classes = ["cat", "Cat ", "a/b", "a:b", "..", "con", "nul.x", "unknown", "é" * 200, "\x07"]
    names = folder_names(classes)
    assert len({n.casefold() for n in names}) == len(classes) + 1
    assert names[:6] == ["cat", "Cat (2)", "a_b", "a_b (2)", "class", "_con"]
    assert names[-1] == "unknown (2)"
    assert all(n.strip(" .") == n and not set(n) & set('<>:"/\\|?*\x07') for n in names)


ODD = [
    "a/" + "long " * 60 + ".png",
    "b/" + "long " * 60 + ".png",
    "c/" + "椅" * 80 + ".png",
    "con.png",
    "aux.tar.png",
    "d/x.p:ng",
    "e/Y.png",
    "f/y.png",
]


@pytest.fixture
def odd():
    """Images whose names cannot all be written, one of them under two names. All of one class."""
    g = np.random.default_rng(0)
    contents = []
    for _ in ODD:
        buffer = io.BytesIO()
        Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
        contents.append(buffer.getvalue())
    store = Store(store_root(), 32)
    uploads = [*zip(ODD, contents, strict=True), ("g/copy of y.png", contents[-1])]
    images = store.open(store.ingest_files(uploads).set_id)
    cosines = np.tile(np.array([[0.4, 0.1]], np.float32), (len(images), 1))
    return images, Predictions.of_images(images, cosines, ["dog", "cat"], 100.0)


def test_a_zip_and_a_folder_have_the_same_files_and_every_copy_is_one(odd, tmp_path):
    images, said = odd
    with Originals(store_root(), images) as originals:
        for out in ("out.ZIP", "out"):
            made = export_sorted(tmp_path / out, images, said, THRESHOLD, originals)
            assert (made.images, made.stored, made.failed) == (9, 9, ())
    archive = files(tmp_path / "out.ZIP")
    folder = {
        p.relative_to(tmp_path / "out").as_posix(): p.read_bytes()
        for p in (tmp_path / "out").rglob("*")
        if p.is_file()
    }
    assert archive == folder and len(folder) == 10
    listed = list(csv.DictReader(io.StringIO(folder["predictions.csv"].decode())))
    assert [r["path"] for r in listed] == sorted([*ODD, "g/copy of y.png"])
    assert sorted(r["file"] for r in listed) == sorted(folder.keys() - {"predictions.csv"})
    assert {"dog/_con.jpg", "dog/_aux.tar.jpg", "dog/Y.jpg", "dog/y (2).jpg"} < folder.keys()
    long = [name for name in folder if name.startswith("dog/long")]
    assert len(long) == 2 and all(len(n.encode()) <= 124 and n.endswith(".jpg") for n in long)


def test_one_file_that_cannot_be_written_does_not_end_the_rest(odd, tmp_path, monkeypatch):
    images, said = odd
    write = type(tmp_path).write_bytes

    def refuse(path, data):
        if path.name == "Y.jpg":
            raise OSError(errno.ENAMETOOLONG, "File name too long")
        return write(path, data)

    monkeypatch.setattr(type(tmp_path), "write_bytes", refuse)
    with Originals(store_root(), images) as originals:
        made = export_sorted(tmp_path / "out", images, said, THRESHOLD, originals)
    assert [(f.name, f.reason) for f in made.failed] == [("e/Y.png", "File name too long")]
    assert made.stored == 8 and len(list((tmp_path / "out" / "dog").iterdir())) == 8
    with open(tmp_path / "out" / "predictions.csv", encoding="utf-8") as file:
        listed = {r["path"]: r for r in csv.DictReader(file)}
    assert listed["e/Y.png"]["bytes"] == "not written: File name too long"
    assert listed["e/Y.png"]["file"] == "" and listed["f/y.png"]["bytes"] == "stored"


def test_an_image_whose_pixels_are_gone_does_not_end_the_rest(odd, tmp_path, monkeypatch):
    images, said = odd
    pixels = images.pixels

    def gone(i):
        if images.names[i] == "con.png":
            raise UserError("Image con.png: its pixels are no longer in the store.")
        return pixels(i)

    monkeypatch.setattr(images, "pixels", gone)
    with Originals(store_root(), images) as originals:
        made = export_sorted(tmp_path / "out.zip", images, said, THRESHOLD, originals)
    assert [f.name for f in made.failed] == ["con.png"] and made.stored == 8


@pytest.mark.parametrize("out", ["out", "out.zip"])
def test_a_full_disk_ends_an_export_with_a_sentence_and_leaves_nothing(
    odd, tmp_path, monkeypatch, out
):
    images, said = odd
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(*_):
        raise full

    monkeypatch.setattr(type(tmp_path), "write_bytes", refuse)
    monkeypatch.setattr(zipfile.ZipFile, "writestr", refuse)
    with (
        Originals(store_root(), images) as originals,
        pytest.raises(UserError, match="No space left on device"),
    ):
        export_sorted(tmp_path / "place" / out, images, said, THRESHOLD, originals)
    assert list((tmp_path / "place").iterdir()) == []
