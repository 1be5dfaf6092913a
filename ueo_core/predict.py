"""A finished run on new images: cosines before and after, and the table of predictions."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ueo_core import backbones
from ueo_core.adapt import image_features
from ueo_core.adapted import AdaptedCLIP, read_delta
from ueo_core.errors import UserError
from ueo_core.runs.folder import RunFolder
from ueo_core.scores import DEFAULT_SCORE, SCORES
from ueo_core.views import Views


def cosines_of_run(
    folder: RunFolder, device: str, take_in: Callable, on_batch: Callable[[int, int], None]
):
    """Cosines of a source's images under the zero-shot and the adapted model of a run.

    take_in: store side in pixels → (image set, intake report). UserError when the run has
    no result. → image set, report, {"zero_shot": (N, C), "adapted": (N, C)}, logit scale
    """
    if not (folder.path / "delta.safetensors").is_file():
        raise UserError(
            f"Run “{folder.path}”: it is {folder.state['state']} and has no result yet; resume it first."
        )
    settings, config = folder.settings, folder.config
    backbone = backbones.load(settings.backbone, settings.pretrained, device)
    images, report = take_in(backbone.store_side)
    model = AdaptedCLIP(backbone, config["classes"], settings.prompt)
    delta, _ = read_delta(folder.path / "delta.safetensors")
    views, found = Views(images, backbone), {}
    for pass_, which in enumerate(("zero_shot", "adapted")):
        if which == "adapted":
            model.load_delta(delta)
        text = model.encode_text().detach().cpu()
        features = image_features(
            model, views, on_batch=lambda n, p=pass_: on_batch(p * len(images) + n, 2 * len(images))
        )
        found[which] = (features @ text.T).numpy()
    return images, report, found, model.logit_scale


def write_predictions(
    path: Path,
    names: list[str],
    cosines: np.ndarray,
    classes: list[str],
    scale: float,
    threshold: float,
) -> int:
    """Write path, prediction, confidence, score, unknown, one row an image; beside and renamed.

    cosines: (N, C); confidence: max softmax at the logit scale; score: MCM, higher = more
    in-distribution; unknown: 1 where the score is under the threshold. → how many are unknown
    """
    score = SCORES[DEFAULT_SCORE].compute(cosines, scale)
    confidence = SCORES["msp"].compute(cosines, scale)
    answer, unknown = cosines.argmax(1), score < threshold
    beside = path.with_name(path.name + ".part")
    with open(beside, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "prediction", "confidence", "score", "unknown"])
        for i, name in enumerate(names):
            table.writerow(
                [
                    name,
                    classes[answer[i]],
                    f"{confidence[i]:.6f}",
                    f"{score[i]:.8f}",
                    int(unknown[i]),
                ]
            )
    os.replace(beside, path)
    return int(unknown.sum())
