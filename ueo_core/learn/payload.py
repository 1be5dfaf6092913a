"""A trajectory as JSON data for the page's drawing script."""

import base64
from functools import lru_cache

import numpy as np

from ueo_core.config.methods import METHODS
from ueo_core.learn.outcomes import measure, verdict
from ueo_core.learn.simplex import Trajectory, simulate
from ueo_core.learn.triangle_settings import CLASS_NAMES, STEPS, TriangleSettings

POINT_UNITS, ARROW_UNITS = 10_000, 1_000  # a packed integer is the value times this


def pack(run: Trajectory, methods: list[int]) -> bytes:
    """Points and arrows as little-endian int16. → (m, STEPS + 1, N, 6) flattened

    Six values per point: p_A, p_B, then dp_A, dp_B of term one, and of term two. The third
    coordinate follows from the sum. As JSON text the numbers would take four times the space.
    """
    points = POINT_UNITS * run.points[methods, :, :, :2]  # (m, K + 1, N, 2)
    arrows = ARROW_UNITS * run.arrows[methods, ..., :2]  # (m, K + 1, 2, N, 2)
    values = np.concatenate([points, arrows[:, :, 0], arrows[:, :, 1]], -1)
    return np.clip(np.rint(values), -32_768, 32_767).astype("<i2").tobytes()


@lru_cache(maxsize=32)
def payload(settings: TriangleSettings, methods: tuple[str, ...]) -> dict:
    """Everything that is drawn of a run, for some of the methods. JSON data; it must not be changed."""
    run = simulate(settings)
    measures = measure(run)
    rows = [run.methods.index(name) for name in methods]
    has_ood = not np.isnan(run.auc).any()
    return {
        "methods": [
            {"key": name, "title": METHODS[name].title, "about": METHODS[name].about}
            for name in methods
        ],
        "classes": list(CLASS_NAMES),
        "n": int(run.truth.size),
        "steps": STEPS,
        "truth": run.truth.tolist(),
        "frames": base64.b64encode(pack(run, rows)).decode(),
        "weights": _plain(run.weights[rows]),
        "trade": _plain(run.trade[rows]),
        "terms": _plain(run.terms[rows]),
        "mean": _plain(run.mean[rows][..., :2]),
        "acc": _plain(run.acc[rows], 1),
        "auc": _plain(run.auc[rows], 1) if has_ood else None,
        "words": [
            [verdict(run, measures, m, k, len(rows)) for k in range(STEPS + 1)] for m in rows
        ],
        "alt": "Triangle of predictions with "
        f"{int(run.known.sum())} known and {int((~run.known).sum())} unknown images.",
    }


def _plain(values: np.ndarray, digits: int = 4) -> list:
    return np.round(values.astype(float), digits).tolist()
