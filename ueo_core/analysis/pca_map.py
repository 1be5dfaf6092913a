"""A map of the images: two dimensions of their features, before beside after, with the class texts.

PCA is here, and at once; t-SNE takes a while and is in `tsne`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

NEAREST = 5  # images whose middle is where t-SNE's map shows a class text


@dataclass(frozen=True, eq=False)
class Map:
    """Places on a plane by side ("before", "after"); only distances mean anything, no axis does."""

    points: dict[str, NDArray[np.float64]]  # (N, 2)
    anchors: dict[str, NDArray[np.float64]]  # (C, 2), the class texts
    explained: dict[str, float] | None = None  # PCA: percent of the variance that the plane holds


def pca_map(features: dict[str, NDArray], cosines: dict[str, NDArray]) -> Map:
    """The plane of largest variance of each side's own features, the second turned onto the first.

    features: (N, D) by side; cosines: (N, C) of the same images with the class texts.
    The texts' mean is put on the images' mean: that adds the same to all cosines of an
    image, so no answer changes, and hides the gap between CLIP's images and texts.
    """
    planes = {side: _plane(features[side], cosines[side]) for side in features}
    first, *others = planes
    for side in others:
        turn = _turn(planes[side][0], planes[first][0])
        points, anchors, share = planes[side]
        planes[side] = points @ turn, anchors @ turn, share
    return Map(*({side: p[i] for side, p in planes.items()} for i in range(3)))


def _plane(features: NDArray, cosines: NDArray) -> tuple[NDArray, NDArray, float]:
    x = features - features.mean(0, dtype=np.float64).astype(np.float32)  # (N, D)
    gram = (x.T @ x).astype(np.float64)
    d = len(gram)
    values, vectors = eigh(gram, subset_by_index=[d - 2, d - 1])
    values, vectors = values[::-1], vectors[:, ::-1]  # the largest first
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), [0, 1]])
    points = x @ vectors  # (N, 2)
    # A text t is not at hand, but its cosines are. An axis is v = xᵀ(x v)/λ, a mixture of the
    # images, so t·v = (x t)ᵀ(x v)/λ, and x t are the cosines without their mean: exact.
    centred = cosines - cosines.mean(0, dtype=np.float64)  # (N, C)
    real = values > 1e-9 * max(float(np.trace(gram)), 1e-12)
    anchors = np.where(real, centred.T @ points / np.where(real, values, 1), 0.0)
    share = 100 * float(values.sum() / max(np.trace(gram), 1e-12))
    return points.astype(np.float64), anchors - anchors.mean(0), share


def _turn(points: NDArray, onto: NDArray) -> NDArray:
    """The rotation or mirroring that brings points closest to the same images' `onto`. (2, 2)"""
    u, _, v = np.linalg.svd(points.T @ onto)
    return u @ v


def near_anchors(points: NDArray, cosines: NDArray) -> NDArray[np.float64]:
    """Where a map of images alone shows the texts: the median of each one's nearest images. (C, 2)"""
    nearest = np.argsort(-cosines, axis=0, kind="stable")[:NEAREST]  # (≤ NEAREST, C)
    return np.median(points[nearest], axis=0)
