"""Places for labeled marks on a map, so that none covers another."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

PANEL = (350.0, 560.0)  # width and height of a panel on a small screen, pixels
MARK, TEXT = 15.0, 16.0  # side of a mark with its margin, height of its label above it, pixels
LETTER, LONGEST = 6.6, 110.0  # width of a letter; of a label at most, pixels
ROUNDS = 400


def spread_marks(
    anchors: NDArray, points: NDArray, labels: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """The anchors, moved as little as it takes that no two marks (with labels) overlap. (C, 2)

    anchors: (C, 2) and points: (N, 2) in the map's units; both span the panel. labels: the text
    above each mark, None: marks only. Boxes that overlap push each other away along the axis on
    which they overlap less, until none do.
    """
    everything = np.concatenate([points, anchors])
    low = everything.min(0)
    scale = np.array(PANEL) / np.maximum(np.ptp(everything, axis=0), 1e-12)
    place = (anchors - low) * scale  # (C, 2) pixels
    # Equal positions need a direction in which to part.
    place = place + np.random.default_rng(0).uniform(-0.01, 0.01, place.shape)
    width = np.full(len(place), MARK)
    if labels is not None:
        width = np.clip([LETTER * len(text) for text in labels], MARK, LONGEST)
    height = MARK if labels is None else MARK + TEXT
    for _ in range(ROUNDS):
        if not _push(place, width, height):
            break
    return place / scale + low


def _push(place: NDArray, width: NDArray, height: float) -> bool:
    """Move overlapping boxes apart, in place. → whether there were any"""
    tree = cKDTree(place / (width.max(), height))
    pairs = tree.query_pairs(1.0, p=np.inf, output_type="ndarray")
    if not len(pairs):
        return False
    i, j = pairs.T
    away = place[i] - place[j]  # (P, 2)
    needed = np.stack([(width[i] + width[j]) / 2, np.full(len(i), height)], 1) - np.abs(away)
    hit = (needed > 1e-6).all(1)
    if not hit.any():
        return False
    i, j, away, needed = i[hit], j[hit], away[hit], needed[hit]
    axis = needed.argmin(1)
    row = np.arange(len(i))
    # A little more than half, so that the last bits do not take rounds of their own.
    step = np.zeros_like(away)
    step[row, axis] = np.where(away[row, axis] < 0, -1, 1) * (0.5 * needed[row, axis] + 0.05)
    np.add.at(place, i, step)
    np.subtract.at(place, j, step)
    return True
