"""A large pool is sampled: evenly, the same by seed, without labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.streams import image_bytes, write_tar
from ueo_core.data.limits import Limits
from ueo_core.data.store import Store
from ueo_core.data.stream import open_stream
from ueo_core.inference.pool_sample import draw_pool, spread_sample
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP

CLASSES = ["dog", "cat", "house"]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 400), st.data())
def test_classes_and_scores_keep_their_shares_to_one_image(total, data):
    n = data.draw(st.integers(1, total))
    g = np.random.default_rng(total)
    prediction, score = g.integers(0, 4, total), g.random(total)
    at = spread_sample(prediction, score, n, seed=3)
    assert len(np.unique(at)) == n and (np.diff(at) > 0).all() and at[-1] < total
    np.testing.assert_array_equal(at, spread_sample(prediction, score, n, seed=3))
    for c in range(4):
        expected = n * (prediction == c).sum() / total
        assert abs((prediction[at] == c).sum() - expected) < 1.0 + 1e-9
        low = (prediction == c) & (score < 0.5)
        assert abs((low[at]).sum() - n * low.sum() / total) < 1.0 + 1e-9


def test_every_image_has_the_same_chance():
    g = np.random.default_rng(0)
    prediction, score = g.integers(0, 3, 40), g.random(40)
    hits = np.zeros(40)
    for seed in range(2000):
        hits[spread_sample(prediction, score, 10, seed)] += 1
    assert abs(hits / 2000 - 0.25).max() < 0.05


@pytest.fixture(scope="module")
def model(tiny_files):
    config, weights = map(str, tiny_files["vit"])
    return AdaptedCLIP(backbones.load(config, weights, "cpu"), CLASSES)


def drawn(model, path, store, most, seed=0):
    opened = Store(store, model.backbone.store_side)
    with open_stream(path, Limits(max_files=5), store) as stream:
        report, sample = draw_pool(model, stream, opened, most, seed, lambda *told: None)
    return opened.open(report.set_id), sample


@pytest.fixture
def shards(tmp_path):
    """A folder of two tars and some files, whose subfolders could be labels."""
    root = tmp_path / "photos"
    for k in range(2):
        write_tar(
            root / f"{k}.tar", [(f"x/{k}{i:02d}.png", image_bytes(20 * k + i)) for i in range(20)]
        )
    (root / "cat").mkdir()
    for i in range(8):
        (root / "cat" / f"{i}.png").write_bytes(image_bytes(90 + i))
    (root / "cat" / "bad.png").write_bytes(b"bad")
    return root


def contents(images):
    return {images.content_hash(i) for i in range(len(images))}


def test_only_the_sample_enters_the_store(model, shards, tmp_path):
    images, sample = drawn(model, shards, tmp_path / "store", 12)
    assert (sample.files, sample.usable, sample.drawn) == (49, 48, 12) and len(images) == 12
    assert "12 of 48 images" in sample.reason
    assert sum(1 for _ in Store(tmp_path / "store").sets()) == 1
    again, _ = drawn(model, shards, tmp_path / "other", 12)
    assert contents(again) == contents(images) and again.names == images.names
    other, _ = drawn(model, shards, tmp_path / "other", 12, seed=2)
    assert contents(other) != contents(images)


def test_no_label_has_a_part_in_it(model, shards, tmp_path):
    images, _ = drawn(model, shards, tmp_path / "store", 12)
    (shards / "cat").rename(shards / "dog")  # another label, at the same place in the order
    other, _ = drawn(model, shards, tmp_path / "other", 12)
    assert contents(other) == contents(images) and any("cat/" in n for n in images.names)
    assert not any("cat/" in n for n in other.names)


def test_a_tar_or_a_list_that_is_no_larger_is_taken_whole(model, shards, tmp_path):
    images, sample = drawn(model, shards / "0.tar", tmp_path / "store", 20)
    assert sample is None and images.names == [f"x/0{i:02d}.png" for i in range(20)]
    (tmp_path / "list.csv").write_text("path\nphotos/cat/1.png\nnone.png\n", encoding="utf-8")
    images, sample = drawn(model, tmp_path / "list.csv", tmp_path / "store", 20)
    assert sample is None and images.names == ["photos/cat/1.png"]


def test_a_zip_is_sampled(model, shards, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(30):
            archive.writestr(f"{i}.png", image_bytes(i))
    images, sample = drawn(model, tmp_path / "a.zip", tmp_path / "store", 7)
    assert sample.usable == 30 and len(images) == 7
