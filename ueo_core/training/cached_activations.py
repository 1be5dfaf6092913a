"""Quick mode's replacement for `Views`: activations of every image, computed once."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from ueo_core.data.transforms import Indices, Views, encoded_at_once
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.utils.errors import UserError
from ueo_core.utils.memory import SHARE, memory_of
from ueo_core.utils.precision import tower_autocast


class CachedActivations:
    """Activations at the image tower's last frozen point, in place of images.

    There is no augmentation: `training` returns the same rows at every step. `on_batch(done)` is
    called while the tower computes the activations, at the first use.
    """

    ahead = False  # nothing has to be prepared

    def __init__(
        self,
        views: Views,
        model: AdaptedCLIP,
        precision: str,
        on_batch: Callable[[int], object] | None = None,
    ):
        if model.tail is None:
            raise ValueError("cached activations need a model in quick mode")
        self.views, self.tail, self.precision = views, model.tail, precision
        self.device = model.device
        self.on_batch = on_batch
        self._rows: Tensor | None = None
        self._crops: dict[tuple[int, ...], Tensor] = {}

    def __len__(self) -> int:
        return len(self.views)

    @property
    def rows(self) -> Tensor:
        """Activations of all images, on the model's device. (N, …) float32"""
        if self._rows is None:
            self._rows = self._compute()
        return self._rows

    def _head(self, images: Tensor) -> Tensor:
        with tower_autocast(self.precision, self.device):
            return self.tail.head(images).float()

    def _compute(self) -> Tensor:
        rows, done = torch.empty(0), 0
        for images in self.views.batches():
            part = self._head(images)
            if not done:
                rows = self._allocate(part)
            rows[done : done + len(part)] = part
            done += len(part)
            if self.on_batch:
                self.on_batch(done)
        return rows

    def _allocate(self, part: Tensor) -> Tensor:
        """An empty tensor for all images like `part`; UserError when memory is too small."""
        need = len(self) * part[0].numel() * part.element_size()
        total = memory_of(self.device)
        if total is not None and need > SHARE * total:
            raise UserError(
                f"Quick mode: the activations of {len(self):,} images need {need / 1e9:,.1f} GB, and this "
                f"machine has {total / 1e9:,.1f} GB of memory; use fewer images, or the full mode."
            )
        return torch.empty(len(self), *part.shape[1:], device=part.device)

    def evaluation(self, indices: Iterable[int]) -> Tensor:
        """Activations of some images. → (n, …)"""
        return self.rows[torch.as_tensor(list(indices), device=self.rows.device)]

    def batches(
        self, batch_size: int | None = None, indices: Indices | None = None
    ) -> Iterator[Tensor]:
        """Activations of all images, or of `indices`, in order, in batches."""
        rows = self.rows if indices is None else self.evaluation(indices)
        yield from rows.split(batch_size or encoded_at_once(rows.device))

    def training(self, indices: Iterable[int], g: np.random.Generator) -> Tensor:
        """The same as `evaluation`: nothing is drawn from g. → (n, …)"""
        return self.evaluation(indices)

    def crops(self, indices: Indices, key: tuple[int, ...]) -> Tensor:
        """Activations of random crops, for the safety check: computed once per key. → (n, …)"""
        if key not in self._crops:
            self._crops[key] = self._head(self.views.crops(indices, key))
        return self._crops[key]
