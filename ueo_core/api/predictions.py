"""What `UEO.predict` returns."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ueo_core.api.arguments import speaks_of_arguments
from ueo_core.api.images import Reopen
from ueo_core.export.formats import prediction_format
from ueo_core.export.predicted_images import PredictedImages
from ueo_core.inference.predictions import Predictions


class Row(NamedTuple):
    """The prediction of one image."""

    name: str
    label: str
    confidence: float
    score: float
    is_unknown: bool


@dataclass(frozen=True, eq=False)
class ImagePredictions(Predictions):
    """Predictions of N images: arrays, a sequence of rows, and an array of labels to NumPy.

    `confidence` (N,) is the largest softmax at CLIP's logit scale; `score` (N,) the OOD score MCM
    (Ming et al., NeurIPS 2022), higher = more in-distribution.
    """

    threshold: float  # an image that scores below it is unknown
    reopen: Reopen  # the images, for an export
    title: str = ""  # of the model
    features: NDArray[np.float32] | None = None  # (N, D) unit features of the images

    @property
    def label(self) -> NDArray[np.str_]:
        """Name of the predicted class. (N,)"""
        return np.asarray(self.classes)[self.prediction]

    @property
    def proba(self) -> NDArray[np.float64]:
        """Probability of every class, in the order of `classes`. (N, C)"""
        return softmax(self.logit_scale * np.asarray(self.cosines, np.float64), axis=1)

    @property
    def is_unknown(self) -> NDArray[np.bool_]:
        """Whether an image belongs to none of the classes, by the threshold. (N,)"""
        return self.unknown(self.threshold)

    def to_csv(self, path: str | Path) -> None:
        """Write path, prediction, confidence, score, unknown; ValueError when it cannot be written."""
        self.write_csv(Path(path), self.threshold)

    @speaks_of_arguments
    def export(self, format: str, path: str | Path) -> None:
        """Write the predictions in a format of another tool, see docs/exports.md.

        format: "csv", "folders", "imagefolder", "coco", "fiftyone", "label-studio", "parquet" or "xmp".
        path: a file for csv and parquet; else a new folder, or a file that ends in .zip. Originals
        are copied where the images were given as files, else their pixels are written as JPEG.
        ValueError when it cannot be written; a warning names files that could not.
        """
        made = prediction_format(format)
        with self.reopen() as source:
            told = made.write(
                Path(path), PredictedImages(self, self.threshold, self.title, source, self.features)
            )
        if told.failed:
            first = told.failed[0]
            warnings.warn(
                f"{len(told.failed)} of {told.images} files were not written ({first.name}: "
                f"{first.reason})",
                stacklevel=3,
            )

    def to_frame(self) -> Any:
        """The same as a pandas DataFrame; needs pandas."""
        import pandas

        return pandas.DataFrame(list(self), columns=list(Row._fields))

    def __iter__(self) -> Iterator[Row]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Row:
        return Row(
            self.names[i],
            str(self.classes[self.prediction[i]]),
            float(self.confidence[i]),
            float(self.score[i]),
            bool(self.score[i] < self.threshold),
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        """The labels, so that scikit-learn's metrics take the predictions as they are."""
        return np.asarray(self.label, dtype=dtype)

    def __repr__(self) -> str:
        unknown = int(self.is_unknown.sum())
        return f"<ImagePredictions: {len(self)} images, {len(self.classes)} classes, {unknown} unknown>"
