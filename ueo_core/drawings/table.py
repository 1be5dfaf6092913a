"""The README's table: every method on the built-in problem, both teaching models, several seeds."""

import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ueo_core import backbones
from ueo_core.adapt import adapt, image_features
from ueo_core.adapted import AdaptedCLIP
from ueo_core.drawings.sample import Problem, problem
from ueo_core.images import ImageSet, Store, folder_labels
from ueo_core.methods import METHODS
from ueo_core.metrics import evaluate, truth_from_labels
from ueo_core.objectives import confidence_weights
from ueo_core.settings import Settings
from ueo_core.views import Views

ZERO_SHOT = "zero-shot"
METRICS = ("acc", "auc", "hm")


def ingest_problem(chosen: Problem, store: Store) -> dict[str, ImageSet]:
    """Draw a built-in problem into a store. → {"pool": image set, "test": image set}"""
    parts: dict[str, list[tuple[str, bytes]]] = {"pool": [], "test": []}
    for part, name, png in chosen.files():
        parts[part].append((name, png))
    return {
        part: store.open(store.ingest_files(files, name=f"{chosen.domain} {part}").set_id)
        for part, files in parts.items()
    }


def rows(
    shift: str,
    seeds: Iterable[int],
    domain: str,
    epochs: int | None = None,
    lr: float | None = None,
    names: Iterable[str] = tuple(backbones.DRAWINGS),
    methods: Iterable[str] = tuple(METHODS),
) -> Iterator[dict]:
    """Adapt and score on the test set; the last epoch counts. Metrics in percent, AUC of MCM.

    Yields {"backbone", "seed", "method", "acc", "auc", "hm", "seconds"}, zero-shot first.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            backbone = backbones.load(name)
            store = Store(Path(folder), backbone.store_side)
            for seed in seeds:
                chosen = problem(shift, seed, domain)
                sets = ingest_problem(chosen, store)
                yield from _one(backbone, chosen, sets, seed, epochs, lr, methods)


def _one(backbone, chosen: Problem, sets: dict, seed: int, epochs, lr, methods) -> Iterator[dict]:
    """All methods on one problem with one model."""
    classes = list(chosen.classes)
    model = AdaptedCLIP(backbone, classes)
    truth = truth_from_labels(folder_labels(sets["test"]), classes)
    test = Views(sets["test"], backbone)

    def scored(method: str, seconds: float) -> dict:
        text = model.encode_text().detach().cpu()
        cosines = (image_features(model, test) @ text.T).numpy()
        found = evaluate(cosines, truth, classes, model.logit_scale)
        return {
            "backbone": backbone.name,
            "seed": seed,
            "method": method,
            **{m: round(found[m], 2) for m in METRICS},
            "seconds": round(seconds, 1),
        }

    yield scored(ZERO_SHOT, 0.0)
    for method in methods:
        model.reset()
        settings = Settings.for_backbone(
            backbone.name, method=method, seed=seed, epochs=epochs, lr=lr
        )
        began = time.monotonic()
        pool = Views(sets["pool"], backbone, settings.crop_scale, settings.flip)
        cosines = image_features(model, pool) @ model.encode_text().detach().cpu().T
        weights = confidence_weights(cosines, model.logit_scale, settings.weight_temperature)
        for _ in adapt(model, pool, weights, settings):
            pass
        yield scored(method, time.monotonic() - began)
    model.reset()


def markdown(found: list[dict]) -> list[str]:
    """The rows as a Markdown table of mean ± standard deviation over the seeds."""
    lines = [
        "| model | method | ACC | AUC | HM(ACC, AUC) | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for backbone, method in dict.fromkeys((r["backbone"], r["method"]) for r in found):
        mine = [r for r in found if (r["backbone"], r["method"]) == (backbone, method)]
        cells = []
        for key in (*METRICS, "seconds"):
            values = np.array([r[key] for r in mine])
            spread = values.std(ddof=1) if len(values) > 1 else 0.0
            cells.append(
                f"{values.mean():.1f} ± {spread:.1f}" if key in METRICS else f"{values.mean():.0f}"
            )
        lines.append(f"| {backbone} | {method} | {' | '.join(cells)} |")
    return lines
