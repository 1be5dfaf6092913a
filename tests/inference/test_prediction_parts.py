"""Predictions in parts: the numbers of a plain prediction, resumed to the byte, refused when mixed."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.adapters import CLASSES, THRESHOLD, write_adapter
from tests.helpers.streams import image_bytes, write_folder, write_tar
from ueo_core.data.limits import Limits
from ueo_core.data.store import Store
from ueo_core.data.stream import open_stream
from ueo_core.inference import prediction_parts
from ueo_core.inference.predict import cosines, features
from ueo_core.inference.prediction_parts import PartOptions, write_parts
from ueo_core.inference.predictions import COLUMNS, Predictions
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import exclusive
from ueo_core.utils.precision import tower_autocast

pq = pytest.importorskip("pyarrow.parquet")
SMALL = PartOptions(top=2, features="float32", images_per_part=10, processes=0)


@pytest.fixture
def model(tmp_path, tiny_files):
    config, weights = map(str, tiny_files["vit"])
    return write_adapter(tmp_path / "d.safetensors", config, weights)


@pytest.fixture
def photos(tmp_path):
    root = write_folder(tmp_path / "photos", 24)
    write_tar(root / "s.tar", [(f"{i}.png", image_bytes(50 + i)) for i in range(4)])
    return root


def write(model, photos, out, options=SMALL, threshold=THRESHOLD, tell=None):
    more = {"tell": tell} if tell else {}
    with open_stream(photos, Limits(), out) as source:
        return write_parts(model, source, out, threshold, options, **more)


def parts(out):
    return {p.name: p.read_bytes() for p in sorted(out.glob("part-*"))}


def rows(out):
    return pq.read_table(out).to_pylist()  # the folder, as other tools read it


def test_the_numbers_are_those_of_a_prediction_from_the_store(model, photos, tmp_path):
    written = write(model, photos, tmp_path / "out")
    assert (written.files, written.skipped, written.resumed) == (30, 2, 0)
    assert written.parts == [f"part-0000{k}.parquet" for k in range(3)]
    found = rows(tmp_path / "out")
    assert tuple(found[0])[: len(COLUMNS)] == COLUMNS
    by_name = {row["path"]: row for row in found}
    store = Store(tmp_path / "store", model.backbone.store_side)
    images = store.open(store.ingest(photos).set_id)
    plain = Predictions.of_images(images, cosines(model, images), CLASSES, model.logit_scale)
    seen = features(model, images).numpy()
    assert len(images) == 24
    for i, (name, label, confidence, score, unknown) in enumerate(plain.rows(THRESHOLD)):
        row = by_name[name]
        assert (row["prediction"], row["unknown"]) == (label, bool(unknown))
        assert row["confidence"] == pytest.approx(float(confidence), abs=2e-6)
        assert row["score"] == pytest.approx(float(score), abs=2e-7)
        assert row["top"][0] == label and len(row["top"]) == 2
        assert row["top_confidence"][0] == pytest.approx(row["confidence"], rel=1e-6)
        np.testing.assert_allclose(row["features"], seen[i], atol=1e-6)
    assert sum(row["unknown"] or False for row in found) == written.unknown
    broken = by_name["a/broken.jpg"]
    assert "damaged" in broken["reason"] or "broken" in broken["reason"]
    assert broken["prediction"] is broken["score"] is broken["top"] is broken["features"] is None
    assert by_name["s.tar/2.png"]["reason"] is None


@pytest.mark.parametrize("kind", ["zip", "csv", "tar"])
def test_every_kind_of_source_has_the_same_predictions(model, photos, tmp_path, kind):
    write(model, photos, tmp_path / "folder")
    by_name = {row["path"]: row for row in rows(tmp_path / "folder")}
    files = sorted(photos.rglob("*.png"))
    names = [f.relative_to(photos).as_posix() for f in files]
    source = tmp_path / f"same.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(source, "w") as archive:
            for file, name in zip(files, names, strict=True):
                archive.write(file, name)
    elif kind == "tar":
        write_tar(source, [(n, f.read_bytes()) for f, n in zip(files, names, strict=True)])
    else:
        source.write_text("path\n" + "".join(f"photos/{n}\n" for n in names), encoding="utf-8")
    assert write(model, source, tmp_path / "out").skipped == 0
    found = rows(tmp_path / "out")
    assert len(found) == 24
    for row, file in zip(found, files, strict=True):
        same = by_name[file.relative_to(photos).as_posix()]
        assert row["prediction"] == same["prediction"]
        assert row["score"] == pytest.approx(same["score"], abs=1e-6)


class _Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [3, 12, 25])
def test_an_interrupted_call_goes_on_and_ends_as_if_nothing_had_happened(
    model, photos, tmp_path, monkeypatch, after
):
    monkeypatch.setattr(prediction_parts, "encoded_at_once", lambda device: 4)
    write(model, photos, tmp_path / "whole")

    def kill(what, done, total):
        if what == "predicted" and done >= after:
            raise _Killed

    with pytest.raises(_Killed):
        write(model, photos, tmp_path / "out", tell=kill)
    before = parts(tmp_path / "out")
    assert len(before) == after // 10
    seen = []
    written = write(
        model, photos, tmp_path / "out", tell=lambda what, done, total: seen.append((done, total))
    )
    assert written.resumed == 10 * len(before) and seen[-1] == (30 - written.resumed,) * 2
    assert parts(tmp_path / "out") == parts(tmp_path / "whole")
    assert write(model, photos, tmp_path / "out").resumed == 30
    assert json.loads((tmp_path / "out" / "_manifest.json").read_bytes())["parts"][0]["files"] == 10


def test_a_part_that_was_deleted_or_cut_is_made_again(model, photos, tmp_path):
    write(model, photos, tmp_path / "out")
    whole = parts(tmp_path / "out")
    (tmp_path / "out" / "part-00001.parquet").unlink()
    (tmp_path / "out" / "part-00002.parquet").write_bytes(b"PAR1")
    (tmp_path / "out" / "part-00001.parquet.7-7.part").write_bytes(b"PA")  # of a killed process
    assert write(model, photos, tmp_path / "out").resumed == 10
    assert parts(tmp_path / "out") == whole


def test_another_model_source_or_option_is_a_sentence(model, photos, tmp_path, tiny_files):
    out = tmp_path / "out"
    write(model, photos, out)
    whole = parts(out)
    with pytest.raises(UserError, match="threshold = .*, not 0.5"):
        write(model, photos, out, threshold=0.5)
    with pytest.raises(UserError, match="top = 2, not 3"):
        write(model, photos, out, PartOptions(top=9, images_per_part=10, processes=0))
    other = write_adapter(tmp_path / "e", *map(str, tiny_files["vit"]), shift=0.2)
    with pytest.raises(UserError, match="another model"):
        write(other, photos, out)
    (photos / "more.png").write_bytes(image_bytes(99))
    with pytest.raises(UserError, match="the source has changed since"):
        write(model, photos, out)
    (out / "_manifest.json").write_bytes(b"{")
    with pytest.raises(UserError, match="without a readable _manifest.json"):
        write(model, photos, out)
    assert parts(out) == whole


@pytest.mark.parametrize("name", ["z/new.png", "z/old.png"])
def test_a_source_that_changes_meanwhile_is_a_sentence(model, tmp_path, name):
    root = write_folder(tmp_path / "photos", 120)
    (root / "z").mkdir()
    (root / "z" / "old.png").write_bytes(image_bytes(1))

    def change(what, done, total):
        if what == "predicted" and done <= 10:
            (root / name).write_bytes(image_bytes(98) + b" ")

    with pytest.raises(UserError, match="changed while it was read"):
        write(model, root, tmp_path / "out", tell=change)


def test_one_process_writes_at_a_time(model, photos, tmp_path):
    (tmp_path / "out").mkdir()
    with (
        exclusive(tmp_path / "out" / "_claim", 0),
        pytest.raises(UserError, match="another process writes"),
    ):
        write(model, photos, tmp_path / "out")


def test_a_source_without_one_usable_image_has_rows_with_reasons(model, tmp_path):
    root = tmp_path / "texts"
    root.mkdir()
    (root / "a.txt").write_text("no image", encoding="utf-8")
    written = write(model, root, tmp_path / "out")
    (row,) = rows(tmp_path / "out")
    assert written.skipped == 1 and "not an image" in row["reason"] and row["top"] is None


def test_precision_is_that_of_the_image_tower_and_of_all_parts(model, photos, tmp_path):
    short = replace(SMALL, precision="bfloat16")
    write(model, photos, tmp_path / "exact")
    write(model, photos, tmp_path / "short", short)
    with tower_autocast("bfloat16", model.device):
        encoded = features(model, stored(model, photos, tmp_path)).numpy()
    a, b = (
        {r["path"]: r["features"] for r in rows(tmp_path / x) if r["features"]}
        for x in ("exact", "short")
    )
    assert 1e-4 < max(np.abs(np.subtract(a[name], b[name])).max() for name in a) < 0.05
    names = stored(model, photos, tmp_path).names
    for name, row in zip(names, encoded, strict=True):
        np.testing.assert_allclose(b[name], row, atol=1e-5)
    with pytest.raises(UserError, match="precision = bfloat16, not float32"):
        write(model, photos, tmp_path / "short")
    # `auto` is float32 on a CPU, as was everything before there was a choice.
    manifest = tmp_path / "exact" / "_manifest.json"
    about = json.loads(manifest.read_bytes())
    assert about.pop("precision") == "float32"
    manifest.write_text(json.dumps(about), encoding="utf-8")
    assert write(model, photos, tmp_path / "exact", replace(SMALL, precision="auto")).resumed == 30


def stored(model, photos, tmp_path):
    store = Store(tmp_path / "store", model.backbone.store_side)
    return store.open(store.ingest(photos).set_id)


@pytest.mark.parametrize(
    "wrong", [{"precision": "float16"}, {"top": 0}, {"images_per_part": 0}, {"features": "float8"}]
)
def test_options_that_cannot_be_used_are_sentences(wrong):
    with pytest.raises(UserError):
        PartOptions(**wrong)


def test_features_in_half_precision(model, photos, tmp_path):
    write(model, photos, tmp_path / "a")
    write(model, photos, tmp_path / "b", PartOptions(features="float16", processes=0))
    a, b = (
        np.array([r["features"] for r in rows(tmp_path / x) if r["features"]], np.float64)
        for x in "ab"
    )
    np.testing.assert_allclose(a, b, atol=1e-3)
    kind = pq.read_table(tmp_path / "b").schema.field("features").type.value_type
    assert str(kind) == "halffloat"
