"""Predictions and scores from cosines that may stay in their file: computed in blocks, and kept.

Those of many images are kept in <file of the cosines>-<their name>.scores, a safetensors file:
  prediction     (N,) int32
  <score>        (N,) float64, each of `SCORES` that was asked for
  metadata       the digest of the cosines that they belong to, and the logit scale
"""

import logging
import threading
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.utils.rows import Rows, blocks, in_one_block
from ueo_core.utils.tensor_files import StoredRows, read_tensors, write_tensors

log = logging.getLogger(__name__)
PREDICTION = "prediction"
FIRST = (PREDICTION, DEFAULT_SCORE, "msp")  # what every page asks for, in one pass
_OF, _SCALE = "cosines", "logit_scale"  # in the metadata


def scores_of(cosines: Rows, logit_scale: float) -> "ScoreCache":
    """The predictions and scores of cosines (N, C); of stored ones the same for all who ask."""
    if isinstance(cosines, StoredRows):
        return _shared(cosines, logit_scale)
    return ScoreCache(cosines, logit_scale)


@lru_cache(maxsize=32)  # of a million images, one takes some 25 MB with two scores
def _shared(cosines: StoredRows, logit_scale: float) -> "ScoreCache":
    return ScoreCache(cosines, logit_scale)


class ScoreCache:
    """What cosines (N, C) say of N images; each array is computed when it is first asked for.

    Cosines of less than a block are not kept on the disk: computing is as fast as reading. Threads may
    use one at the same time.
    """

    def __init__(self, cosines: Rows, logit_scale: float):
        self.cosines, self.logit_scale = cosines, logit_scale
        self._found: dict[str, NDArray] = {}
        self._thresholds: dict[str, float] = {}
        self._computing = threading.Lock()

    @property
    def prediction(self) -> NDArray[np.int64]:
        """Index of the class with the largest cosine. (N,)"""
        return self._of(PREDICTION)

    @property
    def confidence(self) -> NDArray[np.floating]:
        """Max softmax at the logit scale. (N,)"""
        return self._of("msp")

    def score(self, name: str) -> NDArray[np.floating]:
        """A score of `SCORES`, higher = more in-distribution. (N,)"""
        return self._of(name)

    def threshold(self, name: str) -> float:
        """The unsupervised threshold on a score; fitting it takes seconds for a million images."""
        if name not in self._thresholds:
            self._thresholds[name] = mixture_threshold(self.score(name))
        return self._thresholds[name]

    def _of(self, name: str) -> NDArray:
        if name not in self._found:
            with self._computing:
                if name not in self._found:
                    self._fill(name)
        return self._found[name]

    def _fill(self, name: str) -> None:
        kept = self._read() if self._file and not self._found else {}
        self._found |= kept
        if name in kept:
            return
        wanted = {name} if self._file is None else {name, *FIRST} - self._found.keys()
        self._found |= self._compute(wanted)
        self._write()

    def _compute(self, wanted: set[str]) -> dict[str, NDArray]:
        """The arrays of those names; the cosines are read once, a block at a time."""
        found: dict[str, list[NDArray]] = {name: [] for name in wanted}
        n, classes = self.cosines.shape
        for rows in blocks(n, classes):
            block = self.cosines[rows]
            for name, values in found.items():
                if name == PREDICTION:
                    values.append(block.argmax(1))
                else:
                    values.append(SCORES[name].compute(block, self.logit_scale))
        return {name: np.concatenate(values) for name, values in found.items()}

    @cached_property
    def _file(self) -> Path | None:
        """Where the arrays are kept; None for few, and for cosines that are in no file."""
        if not isinstance(self.cosines, StoredRows) or in_one_block(*self.cosines.shape):
            return None
        return scores_file(self.cosines.path, self.cosines.name)

    @property
    def _belongs_to(self) -> dict[str, str]:
        assert isinstance(self.cosines, StoredRows)
        return {_OF: self.cosines.digest, _SCALE: repr(float(self.logit_scale))}

    def _read(self) -> dict[str, NDArray]:
        """The kept arrays; none where there are none, or of other cosines."""
        assert self._file is not None
        try:
            arrays, about = read_tensors(self._file)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:  # computed again
            log.warning("%s cannot be read: %s", self._file, error)
            return {}
        if about != self._belongs_to or any(
            a.shape != (len(self.cosines),) for a in arrays.values()
        ):
            return {}
        return {k: a.astype(np.int64) if k == PREDICTION else a for k, a in arrays.items()}

    def _write(self) -> None:
        if self._file is None:
            return
        arrays = {k: a.astype(np.int32) if k == PREDICTION else a for k, a in self._found.items()}
        try:
            write_tensors(self._file, arrays, self._belongs_to)
        except OSError as error:  # for example a folder that is not ours
            log.info("%s is not kept: %s", self._file, error)


def scores_file(path: Path, name: str) -> Path:
    """Where `ScoreCache` keeps what it computed of an array of a file of cosines."""
    return path.with_name(f"{path.stem}-{name}.scores")
