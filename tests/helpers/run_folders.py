"""Run folders written by hand, so that every number in them is known. No training."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.inference.adapter_file import FORMAT
from ueo_core.models.adapted_clip import save_adapter
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.files import write_json
from ueo_core.utils.paths import runs_root, store_root

CLASSES = ["cat", "dog", "sun"]
SCALE = 20.0
THRESHOLD = 0.345  # on MCM; between the least and the greatest of three classes' scores


def image_set(n: int, name: str, prefix: str = "") -> dict:
    """A reference to n distinct small images in the store of the test's home.

    prefix: of every file name.
    """
    g = np.random.default_rng(len(name) * 1000 + n)
    files = []
    for i in range(n):
        buffer = io.BytesIO()
        Image.fromarray(g.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(buffer, "PNG")
        files.append((f"{prefix}{i:03d}.png", buffer.getvalue()))
    store = Store(store_root(), 64)
    return reference(store, store.open(store.ingest_files(files, name=name).set_id))


def labels_of(n: int) -> list[str]:
    """Labels in turn: the classes, then something that is none of them."""
    return [(*CLASSES, "car")[i % 4] for i in range(n)]


def cosines_of(labels: list[str], skill: float, seed: int) -> np.ndarray:
    """Cosines whose right class stands out by `skill`; unknown images have no right class. (N, C)"""
    g = np.random.default_rng(seed)
    values = g.normal(0.2, 0.05, (len(labels), len(CLASSES)))
    for i, name in enumerate(labels):
        if name in CLASSES:
            values[i, CLASSES.index(name)] += skill
    return values.astype(np.float32)


def features_of(cosines: np.ndarray) -> np.ndarray:
    """Unit features whose cosines with the axes of the first C dimensions are these. (N, C + 8)"""
    g = np.random.default_rng(7)
    rest = g.normal(size=(len(cosines), 8))
    left = np.sqrt(np.maximum(1 - (cosines**2).sum(1), 0))
    rest *= (left / np.linalg.norm(rest, axis=1))[:, None]
    return np.hstack([cosines, rest]).astype(np.float32)


def evaluation(step: int, cosines: np.ndarray, labels: list[str] | None, prediction: str) -> dict:
    """An evaluation as the worker writes it, of the first 20 images of the pool."""
    p = torch.from_numpy(cosines[:20]).softmax(1)
    event = {
        "kind": "evaluation",
        "step": step,
        "set": "pool",
        "mcm": [float(v) for v in p.max(1).values],
        "ood": [name not in CLASSES for name in labels[:20]] if labels else [],
        "agreement": 100.0 - step,
        "entropy": 0.5,
        "spread": 90.0,
        "change": {"context": 0.01 * step, "bn1": 0.001 * step},
        "canaries": [{"image": 1, "answer": prediction, "confidence": 0.5}],
    }
    return event | ({"acc": 50.0 + step, "auc": 60.0, "hm": 54.0} if labels else {})


def write_run(
    name: str,
    *,
    n: int = 80,
    labeled: bool = True,
    skill: tuple[float, float] = (0.03, 0.12),
    state: str = "finished",
    title: str = "a run",
    reason: str = "",
    classes: list[str] = CLASSES,
    prefix: str = "",
) -> RunFolder:
    """A run in a state; a finished one with its result. skill: of the model before and after.

    classes: other names for `CLASSES`, also in the labels, and further ones; prefix: of the images' file names.
    """
    labels, named = labels_of(n), dict(zip(CLASSES, classes, strict=False))
    folder = create_run(
        runs_root() / name,
        Settings.for_backbone("drawings-resnet"),
        list(classes),
        image_set(n, name, prefix),
        [named.get(x, x) for x in labels] if labeled else None,
        title=title,
    )
    before, after = (cosines_of(labels, s, i) for i, s in enumerate(skill))
    more = np.full((n, len(classes) - len(CLASSES)), -1, np.float32)  # never predicted
    before, after = (np.hstack([c, more]) for c in (before, after))
    shown = labels if labeled else None
    ood = [x not in CLASSES for x in labels] if labeled else []
    weights = np.linspace(0.4, 0.9, n).tolist()
    folder.append(
        {
            "kind": "start",
            "steps": 4,
            "seconds": 1.0,
            "weights": weights,
            "ood": ood,
            "device": "cpu",
        }
    )
    folder.append(evaluation(0, before, shown, "cat"))
    for step in (1, 2, 3, 4):
        folder.append(
            {
                "kind": "step",
                "step": step,
                "epoch": 1,
                "loss": -step / 10,
                "entropy": 0.5,
                "marginal": 0.5 + step / 10,
                "lr": 0.1,
                "elapsed": float(step),
                "seen": step * n // 2,
                "batch": {"least": [0], "most": [n - 1]},
                "peak_memory_mb": 100.0,
            }
        )
    folder.append(evaluation(4, after, shown, "dog"))
    if state == "finished":
        for file, cosines in (("zero_shot", before), ("adapted", after)):
            features = torch.from_numpy(features_of(cosines))
            folder.save_tensors(
                file, {"pool_cosines": torch.from_numpy(cosines), "pool_features": features}
            )
        save_adapter(
            Path(folder.path / "delta.safetensors"),
            {"context": torch.zeros(2)},
            {
                "format": FORMAT,
                "backbone": "drawings-resnet",
                "pretrained": "assets",
                "classes": list(classes),
                "prompt": "a photo of a",
                "title": title,
                "settings": folder.settings.to_json(),
                "logit_scale": SCALE,
                "architecture": None,
                "step": 4,
                "score": "mcm",
                "threshold": THRESHOLD,
            },
        )
        write_json(folder.path / "result.json", {"step": 4, "score": "mcm", "threshold": THRESHOLD})
    folder.set_state(state, step=4, steps=4, reason=reason)
    return folder
