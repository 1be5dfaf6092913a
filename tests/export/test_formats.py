"""Every format: whole or nothing, one file for each copy, photos untouched; the docs have the table."""

import errno
import re
import zipfile
from pathlib import Path

import pytest

from tests.export.conftest import FILES, LABELS
from ueo_core.cli.parser import build
from ueo_core.export.formats import (
    MODELS,
    PREDICTIONS,
    as_markdown,
    model_format,
    prediction_format,
)
from ueo_core.utils.errors import UserError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "exports.md"
TREES = [name for name, f in PREDICTIONS.items() if f.tree]


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_the_docs_have_the_table():
    text = DOCS.read_text(encoding="utf-8")
    assert as_markdown() in text, (
        "python -c 'from ueo_core.export.formats import as_markdown as m; print(m())'"
    )


def test_a_row_is_complete_and_its_sentence_is_one():
    for name, made in {**PREDICTIONS, **MODELS}.items():
        assert all((made.title, made.files, made.reader, made.name)), name
        assert made.about.endswith(".") and not re.search(r"\.\s[A-Z]", made.about), name
    assert not set(PREDICTIONS) & set(MODELS)
    assert all(bool(f.content) != bool(f.tree) for f in PREDICTIONS.values())


def test_the_command_takes_every_format():
    for name in (*PREDICTIONS, *MODELS, "delta", "snippet"):
        given = build().parse_args(["export", "RUN", "--what", name, "--to", "x"])
        assert given.what == name


def test_a_name_that_is_no_format_is_refused_with_the_names():
    with pytest.raises(UserError, match="choose one of csv, folders, imagefolder"):
        prediction_format("yolo")
    with pytest.raises(UserError, match="choose one of adapter, script, onnx"):
        model_format("csv")


@pytest.mark.parametrize("name", TREES)
def test_a_folder_and_a_zip_hold_the_same_and_photos_stay_as_they_are(
    batch, photos, tmp_path, name
):
    before = tree(photos)
    seen = []
    made = PREDICTIONS[name]
    folder = made.write(tmp_path / "out", batch, lambda *done: seen.append(done))
    archive = made.write(tmp_path / "out.ZIP", batch)
    with zipfile.ZipFile(tmp_path / "out.ZIP") as opened:
        assert opened.testzip() is None
        assert {n: opened.read(n) for n in opened.namelist()} == tree(tmp_path / "out")
    assert tree(photos) == before
    assert seen == [(i, 6) for i in range(1, 7)]
    assert (folder.images, folder.unknown, folder.failed) == (6, 2, ())
    assert folder.originals == archive.originals == (0 if name == "xmp" else 5)
    assert folder.stored == (0 if name == "xmp" else 1)  # gone.png


@pytest.mark.parametrize("name", [n for n in TREES if n != "xmp"])
def test_every_copy_is_a_file_of_its_own_byte_for_byte(batch, photos, tmp_path, name):
    PREDICTIONS[name].write(tmp_path / "out", batch)
    copies = sorted(
        data for n, data in tree(tmp_path / "out").items() if n.endswith((".png", ".jpg"))
    )
    originals = [(photos / n).read_bytes() for n in FILES if n != "gone.png"]
    assert len(copies) == 6 and not [data for data in originals if data not in copies]


@pytest.mark.parametrize("name", TREES)
def test_what_is_cancelled_leaves_nothing(batch, tmp_path, name):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    for out in ("out", "out.zip"):
        with pytest.raises(KeyboardInterrupt):
            PREDICTIONS[name].write(tmp_path / "place" / out, batch, stop)
    assert list((tmp_path / "place").iterdir()) == []


@pytest.mark.parametrize("name", list(PREDICTIONS))
def test_a_full_disk_is_one_sentence_and_leaves_nothing(batch, tmp_path, monkeypatch, name):
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(*_):
        raise full

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    monkeypatch.setattr(zipfile.ZipFile, "writestr", refuse)
    monkeypatch.setattr("os.fsync", refuse)
    for out in ("out", "out.zip"):
        with pytest.raises(UserError, match="No space left on device"):
            PREDICTIONS[name].write(tmp_path / "place" / out, batch)
    assert list((tmp_path / "place").iterdir()) == []


@pytest.mark.parametrize("name", [n for n in TREES if n != "xmp"])
def test_a_folder_that_is_there_stays_as_it_is(batch, tmp_path, name):
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="exists already"):
        PREDICTIONS[name].write(tmp_path / "out", batch)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_label_of_what_is_unknown_is_no_class(batch):
    assert {file.path: file.label for file in batch} == LABELS
    assert batch.unknown_label == "unknown (2)" and batch.labels[-1] == "unknown (2)"
