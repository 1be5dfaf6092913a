"""Zero-shot features are computed once for an image set and a set of weights."""

import pytest
import torch

from tests.helpers.small_runs import forget, make, store, story  # noqa: F401
from ueo_core.data.feature_cache import zero_shot_features
from ueo_core.data.store import Store
from ueo_core.runs import scoring
from ueo_core.runs.worker import execute


def never() -> torch.Tensor:
    raise AssertionError("computed although stored")


@pytest.fixture
def pool(store):  # noqa: F811
    forget(store)
    return store[1]["pool"]


def test_features_are_stored_for_the_same_images_and_weights(tiny, pool):
    given = torch.randn(len(pool), 16)
    features, seconds = zero_shot_features(pool, tiny, lambda: given)
    again, before = zero_shot_features(pool, tiny, never)
    assert torch.equal(again, given) and torch.equal(features, given)
    assert before == pytest.approx(seconds, abs=1e-3)


def test_other_weights_and_damaged_files_are_computed_again(tiny, pool):
    first, second = torch.zeros(len(pool), 16), torch.ones(len(pool), 16)
    zero_shot_features(pool, tiny, lambda: first)
    other = type(tiny)(**{**vars(tiny), "fingerprint": "0" * 64})
    assert torch.equal(zero_shot_features(pool, other, lambda: second)[0], second)
    for file in pool.features.iterdir():
        file.write_bytes(file.read_bytes()[:40])
    assert torch.equal(zero_shot_features(pool, tiny, lambda: second)[0], second)


def test_a_failure_to_store_features_is_ignored(tiny, pool, monkeypatch):
    def full(path, arrays, about):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ueo_core.data.feature_cache.write_tensors", full)
    given = torch.zeros(len(pool), 16)
    assert zero_shot_features(pool, tiny, lambda: given)[0] is given


def test_a_second_run_on_the_same_images_does_not_compute_them_again(make, pool, monkeypatch):  # noqa: F811
    first, second = make("first"), make("second", lr=2e-2)
    execute(first)
    passed = []
    real = scoring.image_features
    monkeypatch.setattr(
        scoring, "image_features", lambda *given: passed.append(len(given[1])) or real(*given)
    )
    assert execute(second)["state"] == "finished"
    # The probe of the first of two epochs, then all images; none before the first step.
    assert passed == [9, 12, 9]
    a, b = (f.tensors("zero_shot") for f in (first, second))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert story(first)[0]["kind"] == "start"


def test_deleting_a_set_deletes_its_features(tiny, store, tmp_path):  # noqa: F811

    images, sets = store
    mine = Store(tmp_path / "own", images.short_side)
    source = images.root.parent / "pool"
    pool = mine.open(mine.ingest(source).set_id)
    zero_shot_features(pool, tiny, lambda: torch.zeros(len(pool), 16))
    assert list(pool.features.iterdir())
    mine.delete(pool.id)
    assert not pool.features.exists()
