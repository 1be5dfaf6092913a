"""Predictions for an image set: class, confidence, OOD score, and unknown below a threshold."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes

COLUMNS = ("path", "prediction", "confidence", "score", "unknown")


@dataclass(frozen=True, eq=False)  # identity: holds arrays, and caches key on it
class Predictions:
    """Predictions of one model for one image set, computed from cosines."""

    names: Sequence[str]  # of the images, relative to their source
    cosines: NDArray[np.float32]  # (N, C)
    classes: Sequence[str]
    logit_scale: float

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def prediction(self) -> NDArray[np.int64]:
        """Index of the class with the largest cosine. (N,)"""
        return self.cosines.argmax(1)

    @cached_property
    def confidence(self) -> NDArray[np.floating]:
        """Max softmax at the logit scale. (N,)"""
        return SCORES["msp"].compute(self.cosines, self.logit_scale)

    @cached_property
    def score(self) -> NDArray[np.floating]:
        """MCM, higher = more in-distribution. (N,)"""
        return SCORES[DEFAULT_SCORE].compute(self.cosines, self.logit_scale)

    def unknown(self, threshold: float) -> NDArray[np.bool_]:
        """Which images are unknown: their score is below the threshold. (N,)"""
        return self.score < threshold

    def rows(self, threshold: float) -> Iterator[tuple]:
        """One row per image, with the columns of `COLUMNS`.

        Confidence and score are formatted here, so that all outputs show the same digits.
        """
        unknown = self.unknown(threshold)
        for i, name in enumerate(self.names):
            yield (
                name,
                self.classes[self.prediction[i]],
                f"{self.confidence[i]:.6f}",
                f"{self.score[i]:.8f}",
                int(unknown[i]),
            )

    def csv(self, threshold: float) -> bytes:
        """The table of predictions, UTF-8."""
        text = io.StringIO(newline="")
        table = csv.writer(text)
        table.writerow(COLUMNS)
        table.writerows(self.rows(threshold))
        return text.getvalue().encode("utf-8")

    def write_csv(self, path: Path, threshold: float) -> int:
        """Write the table atomically. → number of unknown images; UserError when that fails."""
        data = self.csv(threshold)
        try:
            write_bytes(Path(path), data)
        except OSError as error:
            raise UserError(
                f"File “{path}”: it cannot be written ({error.strerror}); choose another path."
            ) from None
        return int(self.unknown(threshold).sum())
