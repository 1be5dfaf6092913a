"""A pool of any size as a sample that training can hold, drawn without labels."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ueo_core.data.decode_processes import read_files
from ueo_core.data.intake_report import IntakeReport, SkippedFile
from ueo_core.data.safe_names import UniqueNames
from ueo_core.data.source_entries import Source
from ueo_core.data.store import Store
from ueo_core.data.stream import Stream
from ueo_core.data.transforms import encoded_at_once
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.inference.predict import features
from ueo_core.inference.prediction_parts import DecodedBatch
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.utils.errors import UserError
from ueo_core.utils.memory import reuse_freed_memory

# An epoch of so many is 312 steps of 64 images, several times what the learning rates are made for, and their
# pixels take about 8 GB of the store. More images make the estimates of a loss hardly more exact.
MOST_IMAGES = 20_000


@dataclass(frozen=True)
class Sample:
    """That a pool is a sample, of how many images, and how it was drawn."""

    files: int  # of the source
    usable: int  # images among them, from which the sample was drawn
    drawn: int
    seed: int

    @property
    def reason(self) -> str:
        """The sentence for people."""
        return (
            f"Adapting to {self.drawn:,} of {self.usable:,} images: the pool has more than the {self.drawn:,} "
            "that --most-images allows, so it was sampled, spread evenly over zero-shot predictions and "
            "their scores; `predict` takes the others."
        )

    def to_json(self) -> dict[str, Any]:
        """For the config of a run."""
        return asdict(self) | {"reason": self.reason}


def spread_sample(
    prediction: NDArray[np.integer], score: NDArray[np.floating], n: int, seed: int
) -> NDArray[np.int64]:
    """n of N images, spread evenly over predicted classes and scores within them. → sorted indices (n,)

    Systematic sampling from a list that is sorted by class and score: each class and each range of
    scores has its share of the sample, to one image, and every image the same chance.
    """
    order = np.lexsort((score, prediction))
    at = (np.arange(n) + np.random.default_rng(seed).random()) * (len(order) / n)
    return np.sort(order[at.astype(np.int64)])


def draw_pool(
    model: AdaptedCLIP,
    source: Stream,
    store: Store,
    most: int,
    seed: int,
    tell: Callable[[str, int, int | None], None],
) -> tuple[IntakeReport, Sample | None]:
    """Take a source into the store, or a sample of `most` images where it has more usable ones.

    model: zero-shot, for the sample; tell(what, done, total): progress. Only names, sizes and pixels of
    files are read, no label. UserError for a source without files.
    """
    total, _ = source.survey(lambda n: tell("listed", n, None))
    if total <= most and source.is_plain:
        return store.ingest(source.path, progress=lambda p: tell("read", p.done, p.total)), None
    sample, chosen = None, np.arange(total)
    if total > most:
        index, prediction, score = _zero_shot(model, source, store, total, tell)
        if len(index) > most:
            chosen = index[spread_sample(prediction, score, most, seed)]
            sample = Sample(total, len(index), most, seed)
    wanted, names = set(chosen.tolist()), UniqueNames()
    taken = Source(source.path.name, source.path)
    with contextlib.closing(source.files()) as files:
        for i, found in enumerate(islice(files, int(chosen[-1]) + 1)):
            if i not in wanted:
                continue
            if isinstance(found, SkippedFile):
                taken.skipped.append(found)
            else:
                taken.entries.append(replace(found, name=names.unique(found.name)))
        return store.ingest_source(
            taken, source.limits, lambda p: tell("read", p.done, p.total)
        ), sample


@torch.no_grad()
def _zero_shot(
    model: AdaptedCLIP,
    source: Stream,
    store: Store,
    total: int,
    tell: Callable[[str, int, int | None], None],
) -> tuple[NDArray[np.int64], NDArray[np.integer], NDArray[np.floating]]:
    """Number in the source, predicted class and score of every usable image. → (N,), (N,), (N,)"""
    index: list[int] = []
    predictions, scores = [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    text, done = model.encode_text(), 0
    with (
        reuse_freed_memory(model.device),
        contextlib.closing(source.files()) as files,
        contextlib.closing(
            read_files(files, store.short_side, source.limits, srgb=store.srgb)
        ) as read,
    ):
        while batch := list(islice(read, encoded_at_once(model.device))):
            good = [i for i, file in enumerate(batch) if file.pixels is not None]
            if good:
                seen = features(model, DecodedBatch([batch[i] for i in good]))
                cosines = model.cosines(seen, text).numpy()
                predictions.append(cosines.argmax(1).astype(np.int32))
                scores.append(SCORES[DEFAULT_SCORE].compute(cosines).astype(np.float32))
                index += [done + i for i in good]
            done += len(batch)
            tell("looked at, to sample the pool", done, total)
    if done != total:
        raise UserError(f"Source “{source.path.name}”: it changed while it was read; start again.")
    return np.asarray(index, np.int64), np.concatenate(predictions), np.concatenate(scores)
