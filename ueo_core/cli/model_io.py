"""What several commands share: open an adapted model, predict the images of a source."""

import argparse
import math
from dataclasses import replace

import numpy as np

from ueo_core.cli.progress import Ticker
from ueo_core.cli.sources import take_in
from ueo_core.data.intake_report import IntakeReport
from ueo_core.data.store import Store
from ueo_core.inference.adapter_file import GUARDED, AdapterFile
from ueo_core.inference.predictions import Predictions
from ueo_core.runs.create import reference
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.utils.errors import UserError


def named_adapter_file(args: argparse.Namespace) -> AdapterFile:
    """The adapted model that RUN names: a run's folder or an adapter file."""
    guarded = getattr(args, "guarded", False)  # `evaluate` scores both and has no such option
    return adapter_of_run(args.run, args.backbone, args.pretrained, guarded)


def ask(args: argparse.Namespace, adapter_file: AdapterFile, tick: Ticker, baselines: bool = False):
    """Images of a source and their cosines. → images, report, {"adapted": (N, C)}

    baselines: "zero_shot" as well, and "guarded" where the safety check of a run recommends another
    model than its last epoch.
    """
    from ueo_core.inference.predict import cosines, load_model
    from ueo_core.models.adapted_clip import read_adapter
    from ueo_core.training.ranks import Shared, current, describe
    from ueo_core.utils.memory import reuse_freed_memory

    model = load_model(adapter_file, args.device)
    store = Store(args.store, model.backbone.store_side, adapter_file.srgb)
    images, report = take_in(args.source, store, tick)
    shared = None
    if (ranks := current()) is not None:
        ranks.tell(describe(adapter_file.settings, model, {"images": reference(store, images)}))
        shared = Shared(ranks, "images")
    told = lambda n: tick(f"{n} of {len(images)} images scored")  # noqa: E731

    def scored() -> np.ndarray:
        with reuse_freed_memory(model.device):
            return cosines(model, images, told, shared=shared)

    found = {"adapted": scored()}
    if not baselines:
        return images, report, found
    model.reset()
    found = {"zero_shot": scored()} | found
    share = adapter_file.guard["share"] if adapter_file.run and adapter_file.guard else 1.0
    if share == 0:
        found["guarded"] = found["zero_shot"]
    elif share < 1 and adapter_file.run:
        recommended, _ = read_adapter(adapter_file.run / GUARDED)
        model.load_adapter(recommended)
        found["guarded"] = scored()
    return images, report, found


def ask_with_negatives(
    args: argparse.Namespace, adapter_file: AdapterFile, tick: Ticker
) -> tuple[IntakeReport, Predictions, list[str]]:
    """Predictions for the images of a source, with the negative words of `--negatives`, and these."""
    from ueo_core.inference.negatives import cosines_with, negative_words
    from ueo_core.inference.predict import load_model
    from ueo_core.utils.memory import reuse_freed_memory

    model = load_model(adapter_file, args.device)
    words = negative_words(model, args.negatives)
    model.texts.negative(words, model.backbone)  # refused before the first image is read
    store = Store(args.store, model.backbone.store_side, adapter_file.srgb)
    images, report = take_in(args.source, store, tick)
    with reuse_freed_memory(model.device):
        known, other = cosines_with(
            model, images, words, lambda n: tick(f"{n} of {len(images)} images scored")
        )
    scale = adapter_file.logit_scale
    found = Predictions.of_images(images, known, adapter_file.classes, scale)
    return report, replace(found, negatives=other), words


def threshold_of(args: argparse.Namespace, adapter_file: AdapterFile) -> float:
    """The given threshold, or the run's own, which is on MCM."""
    if args.threshold is None:
        return adapter_file.threshold
    if not math.isfinite(args.threshold):
        raise UserError(f"Threshold {args.threshold}: it is no number on the score; give 0 to 1.")
    return args.threshold
