"""A map of the images: their features in two dimensions, before and after, with the class texts.

PCA is computed here at once; t-SNE takes longer and is in `tsne`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

NEAREST = 5  # images whose median is the position of a class text on the t-SNE map


@dataclass(frozen=True, eq=False)
class Map:
    """Positions on a plane by side ("before", "after"); only distances have a meaning."""

    points: dict[str, NDArray[np.float64]]  # (N, 2)
    anchors: dict[str, NDArray[np.float64]]  # (C, 2), the class texts
    explained: dict[str, float] | None = None  # PCA: percent of variance explained


def pca_map(features: dict[str, NDArray], cosines: dict[str, NDArray]) -> Map:
    """The first two principal components of each side's features, the second aligned with the first.

    features: (N, D) by side; cosines: (N, C) of the same images with the class texts.
    The texts are shifted so that their mean is the images' mean: this adds the same to all cosines
    of an image, so no prediction changes, and removes the modality gap between CLIP's images and
    texts.
    """
    planes = {side: _plane(features[side], cosines[side]) for side in features}
    first, *others = planes
    for side in others:
        points, anchors, share = planes[side]
        rotation = _rotation(points, planes[first][0])
        planes[side] = points @ rotation, anchors @ rotation, share
    return Map(
        points={side: points for side, (points, _, _) in planes.items()},
        anchors={side: anchors for side, (_, anchors, _) in planes.items()},
        explained={side: share for side, (_, _, share) in planes.items()},
    )


def _plane(features: NDArray, cosines: NDArray) -> tuple[NDArray, NDArray, float]:
    x = features - features.mean(0, dtype=np.float64).astype(np.float32)  # (N, D)
    gram = (x.T @ x).astype(np.float64)
    d = len(gram)
    values, vectors = eigh(gram, subset_by_index=[d - 2, d - 1])
    values, vectors = values[::-1], vectors[:, ::-1]  # the largest first
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), [0, 1]])
    points = x @ vectors  # (N, 2)
    # Only the cosines of a text t are stored, not t itself. An axis is v = xᵀ(x v)/λ, a linear
    # combination of the images, so t·v = (x t)ᵀ(x v)/λ, and x t are the centered cosines: exact.
    centered = cosines - cosines.mean(0, dtype=np.float64)  # (N, C)
    real = values > 1e-9 * max(float(np.trace(gram)), 1e-12)
    anchors = np.where(real, centered.T @ points / np.where(real, values, 1), 0.0)
    share = 100 * float(values.sum() / max(np.trace(gram), 1e-12))
    return points.astype(np.float64), anchors - anchors.mean(0), share


def _rotation(points: NDArray, onto: NDArray) -> NDArray:
    """The rotation or reflection that brings points closest to `onto` of the same images. (2, 2)"""
    u, _, v = np.linalg.svd(points.T @ onto)
    return u @ v


def near_anchors(points: NDArray, cosines: NDArray) -> NDArray[np.float64]:
    """Positions of the texts on a map of images: the median of each text's nearest images. (C, 2)"""
    nearest = np.argsort(-cosines, axis=0, kind="stable")[:NEAREST]  # (≤ NEAREST, C)
    return np.median(points[nearest], axis=0)
