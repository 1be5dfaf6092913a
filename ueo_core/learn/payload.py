"""A trajectory as the plain data that the page's drawing script is given."""

import base64
from functools import lru_cache

import numpy as np

from ueo_core.config.methods import METHODS
from ueo_core.learn.knobs import CLASS_NAMES, STEPS, Knobs
from ueo_core.learn.outcomes import read, scores, verdict
from ueo_core.learn.simplex import Trajectory, simulate

PLACE, PULL = 10_000, 1_000  # units of the packed integers per 1


def pack(run: Trajectory, methods: list[int]) -> bytes:
    """Places and pulls as little-endian int16. → (m, STEPS + 1, N, 6) flattened

    Six values a point: p_A, p_B, then dp_A, dp_B by term one, and by term two. The third
    coordinate follows from the sum, and packed integers are a quarter of the text.
    """
    places = PLACE * run.points[methods, :, :, :2]  # (m, K + 1, N, 2)
    pulls = PULL * run.pulls[methods, ..., :2]  # (m, K + 1, 2, N, 2)
    values = np.concatenate([places, pulls[:, :, 0], pulls[:, :, 1]], -1)
    return np.clip(np.rint(values), -32_768, 32_767).astype("<i2").tobytes()


@lru_cache(maxsize=32)
def payload(knobs: Knobs, methods: tuple[str, ...]) -> dict:
    """Everything about a run that is drawn, for some of the methods. Plain JSON data; not to be changed."""
    run = simulate(knobs)
    reading = read(run)
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
        "words": [[verdict(run, reading, m, k) for k in range(STEPS + 1)] for m in rows],
        "alt": "Triangle of predictions with "
        f"{int(run.known.sum())} known images and {int((~run.known).sum())} unknown ones. "
        + " ".join(f"{METHODS[run.methods[m]].title}: {scores(run, m)}." for m in rows),
    }


def _plain(values: np.ndarray, digits: int = 4) -> list:
    return np.round(values.astype(float), digits).tolist()
