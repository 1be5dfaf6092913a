"""Some images of a set with the interface that training uses: their number and their pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ueo_core.data.image_set import ImageSet


class Subset:
    """The images at `indices` of a set, in that order; without names and labels."""

    def __init__(self, images: ImageSet, indices: Sequence[int] | NDArray[np.integer]) -> None:
        self._images, self._indices = images, indices

    def __len__(self) -> int:
        return len(self._indices)

    def pixels(self, i: int) -> np.ndarray:
        """Pixels of image i of this subset, as `ImageSet.pixels`."""
        return self._images.pixels(int(self._indices[i]))

    def size(self, i: int) -> tuple[int, int]:
        """(width, height) of the original of image i of this subset, as `ImageSet.size`."""
        return self._images.size(int(self._indices[i]))
