"""The map of images: principal components as in scikit-learn, projected class texts, aligned sides."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tests.helpers.run_folders import write_run
from ueo_core.analysis import pca_map as module
from ueo_core.analysis.pca_map import images_on_map, near_anchors, pca_map, pca_of_run
from ueo_core.analysis.run_result import read_features, read_inspection
from ueo_core.utils import rows

g = np.random.default_rng(0)
TEXT = g.normal(size=(4, 12))
TEXT /= np.linalg.norm(TEXT, axis=1, keepdims=True)


def unit(n: int, stretch: float) -> np.ndarray:
    x = g.normal(size=(n, 12)) * np.r_[stretch, 2.0, np.ones(10)] + 1
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


FEATURES = {"before": unit(60, 3.0), "after": unit(60, 4.0)}
COSINES = {side: (x @ TEXT.T).astype(np.float32) for side, x in FEATURES.items()}


def test_principal_components_and_explained_variance_agree_with_scikit_learn():
    found = pca_map(FEATURES, COSINES)
    for side, x in FEATURES.items():
        pca = PCA(2).fit(x.astype(np.float64))
        expected = pca.transform(x)
        # Equal up to a rotation: all distances are equal.
        distances = [
            np.linalg.norm(p[:, None] - p[None], axis=2) for p in (found.points[side], expected)
        ]
        np.testing.assert_allclose(*distances, atol=1e-5)
        assert found.explained[side] == pytest.approx(
            100 * pca.explained_variance_ratio_.sum(), 1e-4
        )


def test_text_positions_are_their_projections_computed_from_cosines_alone():
    found = pca_map(FEATURES, COSINES)
    x = FEATURES["before"].astype(np.float64)
    axes = np.linalg.lstsq(x - x.mean(0), found.points["before"], rcond=None)[0]  # (D, 2)
    projected = TEXT @ axes
    np.testing.assert_allclose(found.anchors["before"], projected - projected.mean(0), atol=1e-4)


def test_shifting_the_texts_to_the_images_mean_changes_no_prediction():
    shift = g.normal(size=12)
    moved = FEATURES["after"] @ (TEXT + shift).T
    assert (moved.argmax(1) == COSINES["after"].argmax(1)).all()


def test_a_reflected_copy_is_aligned():
    x = FEATURES["before"]
    mirrored = x * np.r_[-1, np.ones(11)].astype(np.float32)
    text = TEXT * np.r_[-1, np.ones(11)]
    found = pca_map(
        {"before": x, "after": mirrored},
        {"before": COSINES["before"], "after": (mirrored @ text.T).astype(np.float32)},
    )
    np.testing.assert_allclose(found.points["after"], found.points["before"], atol=1e-5)
    np.testing.assert_allclose(found.anchors["after"], found.anchors["before"], atol=1e-4)


def test_equal_features_cause_no_error():
    same = np.ones((5, 12), np.float32) / np.sqrt(12)
    cosines = (same @ TEXT.T).astype(np.float32)
    found = pca_map({"before": same}, {"before": cosines})
    assert np.isfinite(found.points["before"]).all() and np.isfinite(found.anchors["before"]).all()


def test_without_axes_a_text_is_at_the_median_of_its_nearest_images():
    points = np.array([[0, 0], [1, 0], [2, 5], [9, 9], [9, 8], [7, 7.0]])
    cosines = np.array([[0.9, 0.8, 0.7, 0.6, 0.5, 0.1], [0.1, 0.5, 0.6, 0.7, 0.8, 0.9]]).T
    expected = [np.median(points[:5], axis=0), np.median(points[1:], axis=0)]
    np.testing.assert_allclose(near_anchors(points, cosines), expected)


def test_of_many_images_a_fixed_random_sample_is_on_the_map(monkeypatch):
    assert images_on_map(20_000).tolist() == list(range(20_000))
    sample = images_on_map(1_000_000)
    assert len(np.unique(sample)) == 20_000 and (np.diff(sample) > 0).all()
    assert np.array_equal(sample, images_on_map(1_000_000))
    # At random: every tenth of the set has about a tenth of the sample.
    assert np.abs(np.bincount(sample // 100_000) / 2_000 - 1).max() < 0.1


def test_the_map_of_a_sample_is_that_of_its_images_alone(monkeypatch):
    folder = write_run("r")
    monkeypatch.setattr(module, "MOST", 30)
    opened = read_inspection(folder)
    found = pca_of_run(folder, opened, "pool")
    assert len(found.images) == len(found.points["after"]) == 30
    monkeypatch.setattr(rows, "BLOCK", 12)  # four images of three classes
    steps, cosines = {"before": 0, "after": 4}, opened.parts["pool"].cosines
    features = {s: read_features(folder, "pool", n)[:][found.images] for s, n in steps.items()}
    alone = pca_map(features, {side: c[found.images] for side, c in cosines.items()})
    for side in steps:
        np.testing.assert_array_equal(found.points[side], alone.points[side])
        np.testing.assert_allclose(found.anchors[side], alone.anchors[side], atol=1e-9)
    assert found.places(found.images[[3, 7]]).tolist() == [3, 7]
    assert found.has(found.images[3]) and not found.has(min(set(range(80)) - {*found.images}))
