"""A map of the images: their features in two dimensions, before and after, with the class texts.

PCA is computed here at once; t-SNE takes longer and is in `tsne`. Of many images, a random sample is on
the map: a browser cannot draw a million points, and t-SNE of so many takes hours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from ueo_core.analysis.run_result import Inspection, read_features
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.rows import Rows, blocks

NEAREST = 5  # images whose median is the position of a class text on the t-SNE map
MOST = 20_000  # images on a map


def images_on_map(count: int) -> NDArray[np.int64]:
    """The images that are on the map of a set of `count`: all, or `MOST` at random. Ascending."""
    if count <= MOST:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MOST, replace=False))


@dataclass(frozen=True, eq=False)
class Map:
    """Positions on a plane by side ("before", "after"); only distances have a meaning."""

    images: NDArray[np.int64]  # (M,) ascending, those that are on the map
    points: dict[str, NDArray[np.float64]]  # (M, 2)
    anchors: dict[str, NDArray[np.float64]]  # (C, 2), the class texts
    explained: dict[str, float] | None = None  # PCA: percent of variance explained

    def places(self, images: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of `points` that images on the map have."""
        return np.searchsorted(self.images, images)

    def has(self, image: int) -> bool:
        """Whether an image is on the map."""
        return bool(np.isin(image, self.images))


def pca_of_run(folder: RunFolder, opened: Inspection, part: str) -> Map:
    """`pca_map` of a set of a run before and after. UserError if its features cannot be read."""
    cosines, steps = opened.parts[part].cosines, {"before": 0, "after": opened.step}
    images = images_on_map(len(opened.parts[part]))
    features = {s: read_features(folder, part, step)[images] for s, step in steps.items()}
    return pca_map(features, cosines, images)


def pca_map(
    features: dict[str, NDArray], cosines: dict[str, Rows], images: NDArray[np.int64] | None = None
) -> Map:
    """The first two principal components of each side's features, the second aligned with the first.

    images: (M,) that are on the map, None: all; features: (M, D) of these by side; cosines: (N, C) of
    all images with the class texts.
    The texts are shifted so that their mean is the images' mean: this adds the same to all cosines
    of an image, so no prediction changes, and removes the modality gap between CLIP's images and
    texts.
    """
    if images is None:
        images = np.arange(len(next(iter(features.values()))))
    planes = {side: _plane(features[side], cosines[side], images) for side in features}
    first, *others = planes
    for side in others:
        points, anchors, share = planes[side]
        rotation = _rotation(points, planes[first][0])
        planes[side] = points @ rotation, anchors @ rotation, share
    return Map(
        images,
        points={side: points for side, (points, _, _) in planes.items()},
        anchors={side: anchors for side, (_, anchors, _) in planes.items()},
        explained={side: share for side, (_, _, share) in planes.items()},
    )


def _plane(
    features: NDArray, cosines: Rows, images: NDArray[np.int64]
) -> tuple[NDArray, NDArray, float]:
    x = features - features.mean(0, dtype=np.float64).astype(np.float32)  # (N, D)
    gram = (x.T @ x).astype(np.float64)
    d = len(gram)
    values, vectors = eigh(gram, subset_by_index=[d - 2, d - 1])
    values, vectors = values[::-1], vectors[:, ::-1]  # the largest first
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), [0, 1]])
    points = x @ vectors  # (N, 2)
    # Only the cosines of a text t are stored, not t itself. An axis is v = xᵀ(x v)/λ, a linear
    # combination of the images, so t·v = (x t)ᵀ(x v)/λ, and x t are the centered cosines: exact.
    # As the points' mean is zero, the cosines' need not be subtracted.
    products = np.zeros((cosines.shape[1], 2))
    for rows in blocks(len(images), cosines.shape[1]):
        products += cosines[images[rows]].T.astype(np.float64) @ points[rows]
    real = values > 1e-9 * max(float(np.trace(gram)), 1e-12)
    anchors = np.where(real, products / np.where(real, values, 1), 0.0)
    share = 100 * float(values.sum() / max(np.trace(gram), 1e-12))
    return points.astype(np.float64), anchors - anchors.mean(0), share


def _rotation(points: NDArray, onto: NDArray) -> NDArray:
    """The rotation or reflection that brings points closest to `onto` of the same images. (2, 2)"""
    u, _, v = np.linalg.svd(points.T @ onto)
    return u @ v


def near_anchors(points: NDArray, cosines: NDArray) -> NDArray[np.float64]:
    """Positions of the texts on a map of images: the median of each text's nearest images. (C, 2)

    points: (M, 2) and cosines: (M, C) of the images on the map.
    """
    nearest = np.argsort(-cosines, axis=0, kind="stable")[:NEAREST]  # (≤ NEAREST, C)
    return np.median(points[nearest], axis=0)
