"""What a model says of an image set: answer, confidence, score, and unknown below a threshold."""

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
from ueo_core.utils.files import write_whole

COLUMNS = ("path", "prediction", "confidence", "score", "unknown")


@dataclass(frozen=True, eq=False)  # identity: holds arrays, and caches key on it
class Predictions:
    """One image set under one model; everything follows from its cosines."""

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
    def confidence(self) -> NDArray[np.float64]:
        """Max softmax at the logit scale. (N,)"""
        return SCORES["msp"].compute(self.cosines, self.logit_scale)

    @cached_property
    def score(self) -> NDArray[np.float64]:
        """MCM, higher = more in-distribution. (N,)"""
        return SCORES[DEFAULT_SCORE].compute(self.cosines, self.logit_scale)

    def unknown(self, threshold: float) -> NDArray[np.bool_]:
        """Which images are none of the classes at this threshold: those that score below it. (N,)"""
        return self.score < threshold

    def rows(self, threshold: float) -> Iterator[tuple]:
        """path, prediction, confidence, score, unknown: one row an image, as `COLUMNS` names them.

        The numbers are texts, so that the file, the page and the archive show the same digits.
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
        """Write the table, beside and renamed. → how many are unknown; UserError when it cannot be."""
        data = self.csv(threshold)
        try:
            write_whole(Path(path), lambda file: file.write(data) and None)
        except OSError as error:
            raise UserError(
                f"File “{path}”: it cannot be written ({error.strerror}); choose another."
            ) from None
        return int(self.unknown(threshold).sum())
