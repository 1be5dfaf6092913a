"""Scores of cosines in a file: the same as at once, a block at a time, and computed once."""

import tracemalloc

import numpy as np
import pytest

from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference import score_cache
from ueo_core.inference.predictions import Predictions
from ueo_core.inference.score_cache import ScoreCache, scores_file, scores_of
from ueo_core.utils import rows
from ueo_core.utils.tensor_files import StoredRows, stored_rows, write_tensors

SCALE, CLASSES = 30.0, 50
BLOCK = 100 * CLASSES  # a hundred images


@pytest.fixture
def cosines():
    return np.random.default_rng(0).normal(0.2, 0.05, (4000, CLASSES)).astype(np.float32)


@pytest.fixture
def path(tmp_path, cosines, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", BLOCK)
    write_tensors(tmp_path / "adapted.safetensors", {"pool_cosines": cosines})
    return tmp_path / "adapted.safetensors"


def opened(path) -> StoredRows:
    return stored_rows(path, lambda name: True)["pool_cosines"]


def never(*args):
    raise AssertionError("it was computed again")


def test_all_are_the_same_to_the_last_bit_as_of_cosines_in_memory(path, cosines):
    found, whole = ScoreCache(opened(path), SCALE), ScoreCache(cosines, SCALE)
    assert np.array_equal(found.prediction, cosines.argmax(1))
    assert np.array_equal(found.confidence, SCORES["msp"].compute(cosines, SCALE))
    for name, score in SCORES.items():
        expected = score.compute(cosines, SCALE)
        assert np.array_equal(found.score(name), expected), name
        assert np.array_equal(whole.score(name), expected), name
    assert found.threshold("energy") == mixture_threshold(found.score("energy"))


def test_no_more_than_a_block_is_read_or_in_memory_at_once(path, cosines, monkeypatch):
    read, row = [], StoredRows.__getitem__

    def counted(self, wanted):
        found = row(self, wanted)
        read.append(found.size)
        return found

    monkeypatch.setattr(StoredRows, "__getitem__", counted)
    tracemalloc.start()
    found = scores_of(opened(path), SCALE)
    assert found.score("mcm").shape == (4000,) and found.threshold("mcm")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(read) == BLOCK and sum(read) == 2 * cosines.size  # to check, and to compute
    assert peak < cosines.nbytes


def test_what_was_computed_is_kept_beside_the_cosines(path, cosines, monkeypatch):
    first = ScoreCache(opened(path), SCALE)
    first.score("energy")
    assert scores_file(path, "pool_cosines").is_file()
    monkeypatch.setattr(ScoreCache, "_compute", never)
    later = ScoreCache(opened(path), SCALE)
    assert (
        np.array_equal(later.prediction, cosines.argmax(1)) and later.prediction.dtype == np.int64
    )
    for name in ("energy", "mcm", "msp"):
        assert np.array_equal(later.score(name), first.score(name))
    with pytest.raises(AssertionError, match="computed again"):
        later.score("margin")


def test_a_further_score_is_added_to_what_is_kept(path, monkeypatch):
    ScoreCache(opened(path), SCALE).score("energy")
    ScoreCache(opened(path), SCALE).score("margin")
    monkeypatch.setattr(ScoreCache, "_compute", never)
    later = ScoreCache(opened(path), SCALE)
    assert len(later.score("energy")) == len(later.score("margin")) == 4000


def test_scores_of_other_cosines_or_another_scale_are_computed_again(path, cosines):
    ScoreCache(opened(path), SCALE).score("mcm")
    other = cosines[::-1].copy()
    write_tensors(path, {"pool_cosines": other})
    found = ScoreCache(opened(path), SCALE)
    assert np.array_equal(found.prediction, other.argmax(1))
    sharper = ScoreCache(opened(path), 2 * SCALE)
    assert np.array_equal(sharper.confidence, SCORES["msp"].compute(other, 2 * SCALE))


def test_a_damaged_file_of_scores_is_computed_again(path, cosines):
    ScoreCache(opened(path), SCALE).score("mcm")
    file = scores_file(path, "pool_cosines")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert np.array_equal(
        ScoreCache(opened(path), SCALE).score("mcm"), SCORES["mcm"].compute(cosines, SCALE)
    )


def test_few_images_and_arrays_leave_no_file(tmp_path, cosines, monkeypatch):
    few = tmp_path / "few.safetensors"
    write_tensors(few, {"pool_cosines": cosines[:10]})
    assert len(ScoreCache(opened(few), SCALE).score("mcm")) == 10
    assert len(ScoreCache(cosines, SCALE).prediction) == 4000
    assert [p.name for p in tmp_path.iterdir()] == ["few.safetensors"]


def test_a_folder_that_cannot_be_written_is_no_error(path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(score_cache, "write_tensors", full)
    assert len(ScoreCache(opened(path), SCALE).score("mcm")) == 4000


def test_predictions_of_a_file_write_the_same_table(path, cosines):
    names = [f"{i}.jpg" for i in range(4000)]
    classes = [f"class {c}" for c in range(CLASSES)]
    stored = Predictions(names, opened(path), classes, SCALE)
    whole = Predictions(names, cosines, classes, SCALE)
    limit = float(np.median(whole.score))
    assert stored.csv(limit) == whole.csv(limit)
    # Inspect and Use share what they computed of one file.
    assert scores_of(opened(path), SCALE) is scores_of(stored.cosines, SCALE)
