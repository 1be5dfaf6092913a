"""Zero-shot predictions before a run: those of the run, and other names need no images."""

import numpy as np
import pytest

from ueo_core.config.settings import Settings
from ueo_core.runs.create import create_run
from ueo_core.runs.worker import execute
from ueo_core.utils.background_jobs import Cancelled, Job
from ueo_core.utils.errors import UserError
from ueo_core.workspace.dataset import sample_dataset
from ueo_core.workspace.zero_shot import forget_model, predict_zero_shot

SETTINGS = Settings(backbone="drawings-resnet", epochs=1, lr=1e-6, guard=False, device="cpu")


@pytest.fixture
def dataset(monkeypatch, own_home):
    monkeypatch.setattr("ueo_core.drawings.sample.PER_POOL_CLASS", 2)
    monkeypatch.setattr("ueo_core.drawings.sample.PER_TEST_CLASS", 1)
    yield sample_dataset()
    forget_model()


def test_the_predictions_are_those_that_a_run_begins_with(dataset, tmp_path):
    job = Job("k", "t")
    found = predict_zero_shot(job, dataset, SETTINGS)
    assert found.classes == dataset.classes and job.done == dataset.pool["n"]
    folder = create_run(tmp_path / "run", SETTINGS, list(dataset.classes), dataset.pool)
    execute(folder)
    own = folder.tensors("zero_shot")["pool_cosines"].numpy()
    np.testing.assert_allclose(found.cosines, own, atol=1e-6)
    assert found.logit_scale == next(e["logit_scale"] for e in folder.events())


def test_other_names_encode_no_image(dataset, monkeypatch):
    predict_zero_shot(Job("k", "t"), dataset, SETTINGS)

    def never(*args, **more):
        raise AssertionError("an image was encoded")

    monkeypatch.setattr("ueo_core.training.loop.image_features", never)
    other = predict_zero_shot(Job("k", "t"), dataset.changed(classes=("key", "fish")), SETTINGS)
    assert other.cosines.shape == (dataset.pool["n"], 2)


def test_it_can_be_cancelled_and_refuses_in_a_sentence(dataset):
    job = Job("k", "t")
    job.cancel()
    with pytest.raises(Cancelled):
        predict_zero_shot(job, dataset, SETTINGS)
    with pytest.raises(UserError, match="no-such-model"):
        predict_zero_shot(Job("k", "t"), dataset, SETTINGS.changed(backbone="no-such-model"))
