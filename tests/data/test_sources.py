"""Folders, archives and uploads: ordinary, damaged and malicious ones."""

import io
import os
import stat
import struct
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from ueo_core.data.limits import Limits
from ueo_core.data.sources import within_roots
from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError


def png(seed=0, size=(30, 20)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def zipped(members, **options):
    """A zip of (name or ZipInfo, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def ingest(store, tmp_path):
    """A function that ingests the bytes of a zip file. → report, {name: reason}"""

    def run(data, **limits):
        path = tmp_path / "in.zip"
        path.write_bytes(data)
        report = store.ingest(path, limits=Limits(**limits))
        return report, {s.name: s.reason for s in report.skipped}

    return run


def names_of(store, report):
    return store.open(report.set_id).names


# Folders


def test_a_folder_with_all_kinds_of_files(store, tmp_path):
    folder = tmp_path / "in"
    files = {
        "a.png": png(1),
        "b.txt": png(2),  # content decides
        "c.jpg": b"no image at all",
        "d.png": b"",
        "e.png": png(3)[:100],
        ".hidden.png": png(4),
        ".git/objects/x.png": png(5),
        "__MACOSX/._a.png": b"\0\5\x16\7",
        "Thumbs.db": b"\xd0\xcf",
        "more/notes.txt": b"hello",
        "more/inner.zip": zipped([("x.png", png(6))]),
        "more/ok.png": png(7),
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    report = store.ingest(folder)
    assert names_of(store, report) == ["a.png", "b.txt", "more/ok.png"]
    reasons = {s.name: s.reason for s in report.skipped}
    expected = {
        "c.jpg": "not an image",
        "d.png": "empty",
        "e.png": "truncated",
        ".hidden.png": "hidden",
        ".git/objects/x.png": "hidden",
        "__MACOSX/._a.png": "system",
        "Thumbs.db": "system",
        "more/notes.txt": "not an image",
        "more/inner.zip": "archive inside",
    }
    assert reasons.keys() == expected.keys()
    assert all(expected[name] in reasons[name] for name in expected)
    assert report.usable + len(report.skipped) + report.duplicates == len(files)


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_links_outside_the_source_are_not_followed(store, tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/s.png").write_bytes(png(9))
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.png").write_bytes(png(1))
    (folder / "inside.png").symlink_to(folder / "a.png")
    (folder / "outside.png").symlink_to(tmp_path / "secret/s.png")
    (folder / "folder").symlink_to(tmp_path / "secret")
    (folder / "loop").symlink_to(folder)
    (folder / "broken.png").symlink_to("nowhere")
    (folder / "self.png").symlink_to("self.png")
    os.mkfifo(folder / "pipe.png")
    report = store.ingest(folder)
    assert names_of(store, report) == ["a.png"]
    assert report.duplicate_names == [("inside.png", "a.png")]
    reasons = {s.name: s.reason for s in report.skipped}
    assert reasons.keys() == {"outside.png", "folder", "loop", "broken.png", "self.png", "pipe.png"}
    assert "outside the source" in reasons["outside.png"]
    assert "outside the source" in reasons["folder"]
    assert "link to a folder" in reasons["loop"]
    assert "broken link" in reasons["broken.png"]
    assert "regular" in reasons["pipe.png"]
    linked = tmp_path / "link to in"
    linked.symlink_to(folder)  # the source itself may be a link
    assert store.ingest(linked).set_id == report.set_id


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system of bytes")
def test_names_that_are_not_valid_text(store, tmp_path):
    folder = os.fsencode(tmp_path) + b"/in"
    os.mkdir(folder)
    for seed, name in enumerate(
        [b"\xff.png", b"\xfe.png", b"a\nb.png", b"<b>&x.png", b"..\\e.png"]
    ):
        with open(folder + b"/" + name, "wb") as file:
            file.write(png(seed))
    report = store.ingest(tmp_path / "in")
    assert names_of(store, report) == ["<b>&x.png", "a\ufffdb.png", "\ufffd (2).png", "\ufffd.png"]
    assert [s.reason for s in report.skipped] == ["'..' in the name"]


def test_invalid_sources(store, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.png").write_bytes(png())
    (tmp_path / "fake.zip").write_bytes(b"PK\x03\x04 and nothing more")
    (tmp_path / "empty.zip").write_bytes(zipped([]))
    for name, message in {
        "missing": "there is no such folder or zip",
        "empty": "contains no files",
        "one.png": "is neither a folder nor a zip",
        "fake.zip": "is neither a folder nor a zip",
        "empty.zip": "contains no files",
        "a\0b": "no such folder",
    }.items():
        with pytest.raises(UserError, match=message):
            store.ingest(tmp_path / name)
    assert store.sets() == []


def test_a_source_without_usable_images_gives_a_report(store, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("hello", encoding="utf-8")
    report = store.ingest(tmp_path / "in")
    assert (report.set_id, report.usable, len(report.skipped)) == (None, 0, 1)


# Archives


def test_a_zip_gives_the_same_set_as_its_folder(store, ingest, tmp_path):
    members = [(f"{c}/{i}.png", png(10 * i + len(c))) for c in ("dog", "zebra") for i in range(3)]
    for name, data in members:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    folder = store.ingest(tmp_path / "in")
    archive, _ = ingest(zipped([("dog/", b""), *members], compression=zipfile.ZIP_DEFLATED))
    assert archive.set_id == folder.set_id and archive.decoded == 0
    assert archive.folders == {"dog": 3, "zebra": 3}


def test_malicious_names(store, ingest, tmp_path):
    before = set(tmp_path.parent.rglob("*"))
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    device = zipfile.ZipInfo("device.png")
    device.external_attr = (stat.S_IFCHR | 0o777) << 16
    bad = {
        "../escape.png": "'..'",
        "a/../../escape.png": "'..'",
        "..\\escape.png": "'..'",
        "a/.. /escape.png": "'..'",
        "/etc/passwd.png": "absolute",
        "\\\\server\\share.png": "absolute",
        "C:\\windows.png": "drive",
        "c:relative.png": "drive",
        "x" * 2000 + ".png": "max_name_chars",
        "./": None,
    }
    members = [(name, png(i)) for i, name in enumerate(bad) if bad[name]]
    good = [("dir\\file.png", png(50)), ("./dot//b.png", png(51)), ("<img src=x>.png", png(52))]
    report, reasons = ingest(zipped([*members, (link, b"/etc/passwd"), (device, b""), *good]))
    assert names_of(store, report) == ["<img src=x>.png", "dir/file.png", "dot/b.png"]
    for name, part in bad.items():
        if part:
            shown = name if len(name) < 200 else name[:199] + "…"
            assert part in reasons[shown]
    assert "link" in reasons["link.png"] and "regular" in reasons["device.png"]
    written = set(tmp_path.parent.rglob("*")) - before
    allowed = (tmp_path / "store", tmp_path / "in.zip")
    assert all(any(p == a or a in p.parents for a in allowed) for p in written)


def test_the_same_name_twice(store, ingest):
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped([("a.png", png(1)), ("a.png", png(2)), ("a (2).png", png(3))])
    report, _ = ingest(data)
    assert names_of(store, report) == ["a (2) (2).png", "a (2).png", "a.png"]


def test_unreadable_files_in_a_zip(store, ingest):
    data = bytearray(
        zipped([("ok.png", png(1)), ("crc.png", png(2)), ("key.png", png(3)), ("odd.png", png(4))])
    )
    for name, offset, value in ((b"key.png", 8, 1), (b"odd.png", 10, 97)):
        at = data.rindex(b"PK\x01\x02", 0, data.rindex(name))
        struct.pack_into("<H", data, at + offset, value)
    at = data.index(png(2))
    data[at + 60] ^= 0xFF
    report, reasons = ingest(bytes(data))
    assert names_of(store, report) == ["ok.png"]
    assert "damaged" in reasons["crc.png"]
    assert "password" in reasons["key.png"]
    assert "method" in reasons["odd.png"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unsafe_compression_methods_are_rejected(ingest, method):
    _, reasons = ingest(zipped([("a.png", png())], compression=method))
    assert "unusual compression method" in reasons["a.png"]


def test_an_archive_inside_an_archive_is_skipped(ingest):
    report, reasons = ingest(zipped([("in.zip", zipped([("a.png", png())])), ("b.png", png(1))]))
    assert report.usable == 1 and "archive inside" in reasons["in.zip"]


def test_a_zip_bomb_is_stopped_by_its_uncompressed_size(store, ingest):
    bomb = b"BM" + b"\0" * (8 << 20)
    data = zipped([("bomb.bmp", bomb), ("ok.png", png())], compression=zipfile.ZIP_DEFLATED)
    report, reasons = ingest(data)
    assert "max_zip_ratio = 200" in reasons["bomb.bmp"]
    assert names_of(store, report) == ["ok.png"]
    _, reasons = ingest(data, max_file_bytes=1 << 20)
    assert "max_file_bytes" in reasons["bomb.bmp"]


def test_a_zip_bomb_with_a_false_size(ingest):
    bomb = b"BM" + b"\0" * (8 << 20)
    data = bytearray(zipped([("bomb.bmp", bomb)], compression=zipfile.ZIP_DEFLATED))
    at = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 500)  # says 500 bytes
    report, reasons = ingest(bytes(data))
    assert report.usable == 0 and "bomb.bmp" in reasons


def test_a_huge_zip_directory_is_rejected(ingest):
    data = zipped([(f"{i:05}.png", b"") for i in range(3000)])
    with pytest.raises(UserError, match="max_zip_directory_bytes"):
        ingest(data, max_zip_directory_bytes=100_000)


def test_limits_of_the_whole_source(store, ingest):
    data = zipped([(f"{i}.png", png(i)) for i in range(10)])
    report, reasons = ingest(data, max_files=4)
    assert report.usable == 4 and "max_files = 4" in reasons["(6 more files)"]
    store.delete(report.set_id)
    store.prune()
    report, reasons = ingest(data, max_total_bytes=5 * len(png()))
    assert report.usable + len(report.skipped) == 10 and 4 <= report.usable <= 5
    assert all("max_total_bytes" in reason for reason in reasons.values())


def test_the_limit_of_total_bytes_counts_every_byte_once(tmp_path):
    ppm = b"P6 2 2 255\n" + bytes(12)  # shorter than the part that the format is recognized from
    files = [("0.ppm", ppm), *((f"{i}.png", png(i)) for i in range(1, 5))]
    total = sum(len(data) for _, data in files)
    for excess, skipped in ((0, []), (1, ["4.png"])):
        store = Store(tmp_path / f"store {excess}")
        limits = Limits(max_total_bytes=total - excess)
        report = store.ingest_files(files, limits=limits, workers=1)
        assert [s.name for s in report.skipped] == skipped
        assert report.usable == len(files) - len(skipped)


def test_a_full_disk_skips_every_file_with_the_reason(ingest):
    report, reasons = ingest(zipped([("a.png", png()), ("b.png", png(1))]), min_free_bytes=10**18)
    assert report.usable == 0
    assert all("min_free_bytes" in reason for reason in reasons.values())


# Uploads and paths


def test_uploads_follow_the_same_rules(store, tmp_path):
    (tmp_path / "c.png").write_bytes(png(3))
    report = store.ingest_files(
        [
            ("photos/dog/a.png", png(1)),
            ("photos\\cat\\b.png", io.BytesIO(png(2))),
            ("c.png", tmp_path / "c.png"),
            ("c.png", png(4)),
            ("../../x.png", png(5)),
            ("photos/.DS_Store", b"\0"),
            ("notes.txt", b"hello"),
            ("more.zip", zipped([("dog/d.png", png(6)), ("/abs.png", png(7))])),
            ("broken.zip", b"PK\x03\x04 nothing"),
            ("half.zip", b"\0" * 99),
            ("a picture.zip", png(8)),  # content decides
        ],
        name="Upload of today",
    )
    assert names_of(store, report) == [
        "a picture.zip",
        "c (2).png",
        "c.png",
        "more/dog/d.png",
        "photos/cat/b.png",
        "photos/dog/a.png",
    ]
    assert report.name == "Upload of today"
    assert {s.name for s in report.skipped} == {
        "../../x.png",
        "photos/.DS_Store",
        "notes.txt",
        "more//abs.png",
        "broken.zip",
        "half.zip",
    }
    assert (
        "has the name of a zip file but is not one"
        in {s.name: s.reason for s in report.skipped}["half.zip"]
    )


def test_a_single_uploaded_zip_is_the_source_and_stays_open(store):
    file = io.BytesIO(zipped([("dog/d.png", png(6))]))
    report = store.ingest_files([("more.zip", file)])
    assert names_of(store, report) == ["dog/d.png"]
    assert not file.closed
    image = io.BytesIO(png(6))
    image.seek(40)  # as after a read by the caller
    assert store.ingest_files([("d.png", image)]).decoded == 0
    assert not image.closed
    with pytest.raises(UserError, match="no files were given"):
        store.ingest_files([])


def test_paths_outside_the_roots_are_rejected(tmp_path):
    (tmp_path / "in/sub").mkdir(parents=True)
    assert within_roots(str(tmp_path / "in/sub"), [tmp_path / "in"]) == tmp_path / "in/sub"
    for path in (tmp_path, tmp_path / "in/../x", "/", tmp_path / "inside"):
        with pytest.raises(UserError, match="outside the folders"):
            within_roots(path, [tmp_path / "in"])
    with pytest.raises(UserError, match="none"):
        within_roots(tmp_path, [])
    if sys.platform != "win32":
        (tmp_path / "in/way out").symlink_to(tmp_path)
        with pytest.raises(UserError, match="outside the folders"):
            within_roots(tmp_path / "in/way out/secret", [tmp_path / "in"])


# Warnings


def test_warnings_about_tiny_and_single_color_images(store):
    flat = io.BytesIO()
    Image.new("RGB", (50, 50), "red").save(flat, "PNG")
    report = store.ingest_files([("flat.png", flat), ("tiny.png", png(1, (20, 40)))])
    assert report.usable == 2
    assert {(w.name, w.reason) for w in report.warnings} == {
        ("flat.png", "almost a single flat color"),
        ("tiny.png", "tiny: 20 x 40 pixels"),
    }
