"""Predictions for new images: stored beside the model, and equal to those of `predict`."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.helpers.adapters import write_adapter
from tests.helpers.run_folders import SCALE, cosines_of, labels_of, write_run
from ueo_core.data.store import Store
from ueo_core.inference.predict import cosines, load_model
from ueo_core.inference.predictions import Predictions
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.utils.background_jobs import Cancelled, Job
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import store_root, studio_home
from ueo_core.workspace import prediction_cache
from ueo_core.workspace.dataset import unused_sets
from ueo_core.workspace.prediction_history import (
    classified_sets,
    classify_path,
    classify_uploads,
    delete_predictions,
    predictions_of,
)
from ueo_core.workspace.upload import spool


def uploads(n: int = 3, extra: bool = True):
    g = np.random.default_rng(4)
    files = []
    for i in range(n):
        buffer = io.BytesIO()
        Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(buffer, "PNG")
        files.append((f"{i}.png", buffer))
    return files + ([("notes.txt", io.BytesIO(b"text"))] if extra else [])


@pytest.fixture
def adapter_file(tmp_path, tiny_files):
    config, weights = map(str, tiny_files["vit"])
    write_adapter(tmp_path / "own" / "delta.safetensors", config, weights)
    return adapter_of_run(tmp_path / "own" / "delta.safetensors")


def test_stored_predictions_are_those_of_the_model(adapter_file):
    job = Job("k", "t")
    id = classify_uploads(job, adapter_file, spool(uploads()))
    assert (job.done, job.total) == (3, 3)
    (what,) = classified_sets(adapter_file)
    assert (what.id, what.skipped, len(what.images())) == (id, 1, 3)
    model = load_model(adapter_file, "cpu")
    again = Predictions(
        what.images().names, cosines(model, what.images()), adapter_file.classes, SCALE
    )
    assert (
        predictions_of(adapter_file, what).csv(0.3).splitlines()[0]
        == again.csv(0.3).splitlines()[0]
    )
    np.testing.assert_allclose(predictions_of(adapter_file, what).cosines, again.cosines, atol=1e-6)
    assert list((studio_home() / "uploads").iterdir()) == []


def test_the_cosines_of_all_images_are_never_in_memory(adapter_file, monkeypatch):
    written = []
    real = prediction_cache.write_rows

    def watched(path, name, shape, found, about):
        def each():
            for part in found:
                written.append(part.shape)
                yield part

        real(path, name, shape, each(), about)

    monkeypatch.setattr(prediction_cache, "write_rows", watched)
    monkeypatch.setattr("ueo_core.data.transforms.encoded_at_once", lambda device: 2)
    classify_uploads(Job("k", "t"), adapter_file, spool(uploads(5)))
    assert written == [(n, len(adapter_file.classes)) for n in (2, 2, 1)]
    (what,) = classified_sets(adapter_file)
    expected = cosines(load_model(adapter_file, "cpu"), what.images())
    np.testing.assert_allclose(predictions_of(adapter_file, what).cosines, expected, atol=1e-6)


def test_images_are_in_use_until_their_predictions_are_deleted(adapter_file, monkeypatch):
    # Stored predictions count only in the folders of the studio.
    kept = studio_home() / "deltas" / "0123456789abcdef"
    kept.parent.mkdir(parents=True)
    adapter_file.path.parent.rename(kept)
    adapter_file = adapter_of_run(kept / adapter_file.path.name)
    classify_uploads(Job("k", "t"), adapter_file, spool(uploads()))
    store = Store(store_root())
    assert unused_sets(store) == []
    delete_predictions(adapter_file, classified_sets(adapter_file)[0])
    assert classified_sets(adapter_file) == [] and len(unused_sets(store)) == 1


def test_predictions_of_another_adapter_are_not_shown(adapter_file, tiny_files):
    classify_uploads(Job("k", "t"), adapter_file, spool(uploads()))
    config, weights = map(str, tiny_files["vit"])
    write_adapter(adapter_file.path, config, weights, shift=0.2)
    assert classified_sets(adapter_of_run(adapter_file.path)) == []


def test_the_images_of_a_run_are_listed():
    run = write_run("r")
    adapter_file = adapter_of_run(run.path)
    (pool,) = classified_sets(adapter_file)
    said = predictions_of(adapter_file, pool)
    np.testing.assert_array_equal(said.cosines, cosines_of(labels_of(80), 0.12, 1))
    assert said.names == pool.images().names and said.logit_scale == SCALE


def test_a_canceled_classification_stores_nothing(adapter_file):
    job = Job("k", "t")
    job.cancel()
    with pytest.raises(Cancelled):
        classify_uploads(job, adapter_file, spool(uploads()))
    assert classified_sets(adapter_file) == [] and list((studio_home() / "uploads").iterdir()) == []


def test_a_source_without_usable_images_is_an_error(adapter_file):
    with pytest.raises(UserError, match="no usable image"):
        classify_uploads(Job("k", "t"), adapter_file, spool([("a.txt", io.BytesIO(b"x"))]))


def test_a_path_must_be_inside_the_roots(adapter_file, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name, buffer in uploads(2, extra=False):
        (tmp_path / "in" / name).write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="outside the folders"):
        classify_path(Job("k", "t"), adapter_file, str(tmp_path / "in"))
    monkeypatch.setenv("UEO_STUDIO_ROOTS", str(tmp_path))
    classify_path(Job("k", "t"), adapter_file, str(tmp_path / "in"))
    assert len(predictions_of(adapter_file, classified_sets(adapter_file)[0])) == 2
