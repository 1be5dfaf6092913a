"""The photos of a dataset as a wall: what each is predicted as, from zero-shot to the end of a run."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.adapter_file import GUARDED_PREDICTIONS
from ueo_core.inference.score_cache import scores_of
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import Snapshot
from ueo_core.utils.rows import Rows
from ueo_core.utils.shapes import NUMBER, has_shape
from ueo_core.utils.tensor_files import StoredRows, stored_rows

PHOTOS = 600  # on one wall; a browser moves this many smoothly
FRAMES = 12  # of one run; more are thinned
ZERO_SHOT, ADAPTED, RECOMMENDED = "Zero-shot", "Adapted", "Recommended"
# What an evaluation tells of the photos that it predicted.
_POOL = {"images": [int], "prediction": [int], "confidence": [NUMBER], "score": [NUMBER]}


@dataclass(frozen=True, eq=False)
class Frame:
    """All photos at one point of a run. N of them."""

    title: str
    prediction: NDArray[np.int64]  # (N,) index of the class with the largest cosine
    confidence: NDArray[np.floating]  # (N,) max softmax at the logit scale
    score: NDArray[np.floating]  # (N,) MCM, higher = more in-distribution
    seen: NDArray[np.bool_]  # (N,) predicted at this point; the others keep what was before it
    unknown: NDArray[np.bool_]  # (N,)
    threshold: float  # unsupervised, of the seen photos: those with a lower score are unknown


def frame_of(title: str, cosines: Rows, logit_scale: float) -> Frame:
    """The frame of a model's cosines with the classes. cosines: (N, C)"""
    found = scores_of(cosines, logit_scale)
    score, threshold = found.score(DEFAULT_SCORE), found.threshold(DEFAULT_SCORE)
    return Frame(
        title,
        found.prediction,
        found.confidence,
        score,
        np.ones(len(score), bool),
        score < threshold,
        threshold,
    )


def chosen_photos(count: int, limit: int = PHOTOS) -> NDArray[np.int64]:
    """The photos that are shown, evenly spaced where there are more than `limit`. Ascending indices."""
    if count <= limit:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, limit).astype(np.int64))


def frames_of_run(folder: RunFolder, now: Snapshot) -> list[Frame]:
    """What the pool's photos were predicted as: zero-shot, after epochs, and the recommended model.

    After an epoch a run looks at a part of its pool; the other photos keep the prediction before it.
    Empty while the zero-shot predictions are not written yet.
    """
    start = next((e for e in folder.events() if e["kind"] == "start"), {})
    zero, scale = _cosines(folder, "zero_shot"), start.get("logit_scale")
    if zero is None or not isinstance(scale, float):
        return []
    frames = [frame_of(ZERO_SHOT, zero, scale)]
    for evaluation in _thinned([e for e in now.evaluations if _fits(e.get("pool"), zero.shape)]):
        frames.append(_later(frames[-1], f"Step {evaluation['step']:,}", evaluation["pool"]))
    if now.state == "finished":
        for title, name in ((RECOMMENDED, GUARDED_PREDICTIONS), (ADAPTED, "adapted")):
            if (final := _cosines(folder, name)) is not None:
                frames.append(frame_of(title, final, scale))
                break
    return frames


def _fits(found: Any, shape: tuple[int, ...]) -> bool:
    """Whether an event tells of some photos and classes that are there; one can be damaged on disk."""
    if not found or not has_shape(found, _POOL):
        return False
    images, classes = np.array(found["images"]), np.array(found["prediction"])
    return (
        len({len(found[name]) for name in _POOL}) == 1
        and bool(((images >= 0) & (images < shape[0])).all())
        and bool(((classes >= 0) & (classes < shape[1])).all())
    )


def _later(before: Frame, title: str, found: dict[str, list]) -> Frame:
    """The frame after an evaluation that has predicted some of the photos."""
    images = np.asarray(found["images"], np.int64)

    def replaced(old: NDArray, new: Sequence | NDArray) -> NDArray:
        changed = old.copy()
        changed[images] = new
        return changed

    score = np.asarray(found["score"])
    # Of these photos alone: the scores of different models do not share a scale.
    threshold = mixture_threshold(score)
    return Frame(
        title,
        replaced(before.prediction, found["prediction"]),
        replaced(before.confidence, found["confidence"]),
        replaced(before.score, score),
        replaced(np.zeros(len(before.seen), bool), np.ones(len(images), bool)),
        replaced(before.unknown, score < threshold),
        threshold,
    )


def _thinned(evaluations: Sequence[dict]) -> Iterable[dict]:
    places = chosen_photos(len(evaluations), FRAMES)
    return (evaluations[i] for i in places)


def _cosines(folder: RunFolder, name: str) -> StoredRows | None:
    """Those of the pool; None where they are not there, or damaged."""
    with contextlib.suppress(OSError, ValueError):
        path = folder.path / f"{name}.safetensors"
        return stored_rows(path, lambda found: found == "pool_cosines").get("pool_cosines")
    return None
