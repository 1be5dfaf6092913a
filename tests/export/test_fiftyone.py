"""FiftyOne's dataset, by hand and read by its own importer, which needs no database for that."""

import base64
import io
import json
import zlib

import numpy as np
import pytest

from tests.export.conftest import CLASSES, COSINES, FEATURES, LABELS
from ueo_core.export.formats import PREDICTIONS


@pytest.fixture
def written(batch, tmp_path):
    PREDICTIONS["fiftyone"].write(tmp_path / "out", batch)
    return tmp_path / "out"


def test_samples_have_prediction_logits_score_and_tag(written, batch):
    samples = json.loads((written / "samples.json").read_text(encoding="utf-8"))["samples"]
    about = json.loads((written / "metadata.json").read_text(encoding="utf-8"))
    assert about["info"]["classes"] == CLASSES and "version" not in about
    for file, sample in zip(batch, samples, strict=True):
        said = sample["prediction"]
        assert (sample["path"], said["label"]) == (file.path, LABELS[file.path])
        assert (said["confidence"], sample["ood_score"]) == (file.confidence, file.score)
        assert sample["tags"] == (["unknown"] if file.unknown else [])
        assert (written / sample["filepath"]).is_file()
        assert np.allclose(vector(said["logits"]), 100 * COSINES[file.image])
        assert np.array_equal(vector(sample["embedding"]), FEATURES[file.image])


def vector(kept: dict) -> np.ndarray:
    packed = base64.b64decode(kept["$binary"]["base64"])
    return np.load(io.BytesIO(zlib.decompress(packed)), allow_pickle=False)


def test_fiftyone_imports_it(written, batch, monkeypatch):
    monkeypatch.setenv("FIFTYONE_DO_NOT_TRACK", "1")
    monkeypatch.setenv("FIFTYONE_DATABASE_VALIDATION", "0")
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://localhost:1")
    importers = pytest.importorskip(
        "fiftyone.utils.data.importers", reason="the package fiftyone is not installed"
    )
    importer = importers.FiftyOneDatasetImporter(str(written))
    assert importer._is_legacy_format_data()  # plain samples, see export/fiftyone.py
    importer = importer._to_legacy_importer()
    importer.setup()
    assert importer.get_dataset_info()["unknown"] == "unknown (2)"
    found = {sample.path: sample for sample in importer}
    assert len(found) == len(importer) == 6
    for file in batch:
        sample = found[file.path]
        assert (sample.prediction.label, sample.prediction.confidence) == (
            LABELS[file.path],
            file.confidence,
        )
        assert np.allclose(sample.prediction.logits, 100 * COSINES[file.image])
        assert np.array_equal(sample.embedding, FEATURES[file.image])
        assert sample.ood_score == file.score and sample.filepath.startswith(str(written))
