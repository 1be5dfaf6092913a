"""Predictions for an image set: class, confidence, OOD score, and unknown below a threshold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ueo_core.data.image_set import ImageSet
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, NEG_LABEL, neg_label
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.score_cache import ScoreCache, scores_of
from ueo_core.utils.csv_text import BYTE_ORDER_MARK, csv_text
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_bytes
from ueo_core.utils.rows import Rows

COLUMNS = ("path", "prediction", "confidence", "score", "unknown")


@dataclass(frozen=True, eq=False)  # identity: holds arrays, and caches key on it
class Predictions:
    """Predictions of one model for one image set, computed from cosines.

    Files with the same bytes are one image, which is predicted once; tables and exports have each of
    the files.
    """

    names: Sequence[str]  # of the images, relative to their source
    cosines: Rows  # (N, C); of stored predictions they stay in their file
    classes: Sequence[str]
    logit_scale: float
    # Of each image, the further files with the same bytes; empty: none has any.
    copies: Sequence[Sequence[str]] = field(default=(), kw_only=True)
    # (N, K) cosines with negative words, which make NegLabel of the score; None: it is MCM.
    negatives: NDArray[np.float32] | None = field(default=None, kw_only=True)

    @classmethod
    def of_images(
        cls,
        images: ImageSet,
        cosines: Rows,
        classes: Sequence[str],
        logit_scale: float,
    ) -> "Predictions":
        """Predictions for an image set with all its files. cosines: (N, C)"""
        return cls(images.names, cosines, classes, logit_scale, copies=images.copies)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def files(self) -> list[tuple[str, int]]:
        """The name of every file with the index of its image; by name where files have copies."""
        own = list(zip(self.names, range(len(self.names)), strict=True))
        more = [(name, i) for i, names in enumerate(self.copies) for name in names]
        return sorted(own + more) if more else own

    @cached_property
    def _from_cosines(self) -> ScoreCache:
        return scores_of(self.cosines, self.logit_scale)

    @property
    def prediction(self) -> NDArray[np.int64]:
        """Index of the class with the largest cosine. (N,)"""
        return self._from_cosines.prediction

    @property
    def confidence(self) -> NDArray[np.floating]:
        """Max softmax at the logit scale. (N,)"""
        return self._from_cosines.confidence

    @cached_property
    def score(self) -> NDArray[np.floating]:
        """MCM, or with negative words NegLabel; higher = more in-distribution. (N,)"""
        if self.negatives is not None:
            return neg_label(self.cosines, self.negatives, self.logit_scale)
        return self._from_cosines.score(DEFAULT_SCORE)

    @property
    def score_name(self) -> str:
        """The name of `score`, for `ood_scores.score_named`."""
        return DEFAULT_SCORE if self.negatives is None else NEG_LABEL

    def unsupervised_threshold(self, on_mcm: float) -> float:
        """The threshold without labels: the run's, which is on MCM, or that of a mixture of these scores."""
        return on_mcm if self.negatives is None else self._between_groups

    @cached_property
    def _between_groups(self) -> float:
        return mixture_threshold(self.score)

    def unknown(self, threshold: float) -> NDArray[np.bool_]:
        """Which images are unknown: their score is below the threshold. (N,)"""
        return self.score < threshold

    def rows(self, threshold: float) -> Iterator[tuple]:
        """One row per file, in the order of `files`, with the columns of `COLUMNS`.

        Confidence and score are formatted here, so that all outputs show the same digits.
        """
        unknown = self.unknown(threshold)
        for name, i in self.files:
            yield (
                name,
                self.classes[self.prediction[i]],
                f"{self.confidence[i]:.6f}",
                f"{self.score[i]:.8f}",
                int(unknown[i]),
            )

    def csv(self, threshold: float, for_excel: bool = False) -> bytes:
        """The table of predictions, UTF-8. for_excel: with a byte-order mark, which Excel needs."""
        mark = BYTE_ORDER_MARK if for_excel else ""
        return (mark + csv_text(COLUMNS, self.rows(threshold))).encode("utf-8")

    def unknown_files(self, threshold: float) -> int:
        """How many rows of the table are unknown."""
        unknown = self.unknown(threshold)
        return sum(bool(unknown[i]) for _, i in self.files)

    def write_csv(self, path: Path, threshold: float, for_excel: bool = False) -> int:
        """Write the table atomically. → number of unknown files; UserError when that fails."""
        data = self.csv(threshold, for_excel)
        try:
            write_bytes(Path(path), data)
        except OSError as error:
            raise UserError(
                f"File “{path}”: it cannot be written ({error.strerror}); choose another path."
            ) from None
        return self.unknown_files(threshold)
