"""Data of the pictures with a slider: what every position shows is computed once, so that the
page's script only looks it up."""

import numpy as np
from numpy.typing import NDArray

from ueo_core.learn.demo import Demo, threshold_at, zero_shot_densities
from ueo_core.learn.marks import highlighted
from ueo_core.learn.one_image import image_scores
from ueo_core.learn.scenes import SCENES
from ueo_core.learn.sentence_numbers import of_scores

TOP_CLASSES = 6  # classes listed beside an image, the closest first
MIN_AUC_RANGE = 10.0  # least range of an AUC axis, percentage points; a smaller one exaggerates


def score_data(demo: Demo) -> dict:
    """The two score distributions, and the effect of every threshold. JSON data"""
    found = zero_shot_densities(demo)
    (sentence,) = (s for s in SCENES["hills"].sentences if s.check == "threshold")
    thresholds = []
    for below in range(101):
        numbers = of_scores(demo, below)
        thresholds.append(
            {
                "threshold": round(threshold_at(demo, below).threshold, 6),
                "known": numbers["known"],
                "words": sentence.text.format_map(numbers),
                "html": highlighted(sentence.text.format_map(numbers), "scores"),
            }
        )
    return {
        "x": _plain(found.x, 6),
        "density": {name: _plain(values, 3) for name, values in found.density.items()},
        "thresholds": thresholds,
        "name": "score: how well a drawing fits its best class (MCM, T = 1)",
    }


def temperature_index(demo: Demo, temperature: float) -> int:
    """Index of the temperature of the sweep that is closest to a given one."""
    return int(np.abs(np.log(demo.sweep.temperatures / max(temperature, 1.0))).argmin())


def image_data(demo: Demo, models: dict[str, NDArray]) -> dict:
    """One image at every temperature of the sweep. models: title → cosines (C,)"""
    found, c = demo.sweep, len(demo.problem.classes)
    middle = float(found.auc.min() + found.auc.max()) / 2
    unit = MIN_AUC_RANGE
    low = unit * np.floor(min(found.auc.min(), middle - unit / 2) / unit)
    high = unit * np.ceil(max(found.auc.max(), middle + unit / 2) / unit)
    return {
        "temperatures": _plain(found.temperatures, 2),
        "classes": c,
        "sides": [_model_data(demo, title, cosines) for title, cosines in models.items()],
        "curves": {
            "90th percentile": _plain(found.high),
            "median": _plain(found.median),
            "10th percentile": _plain(found.low),
        },
        "auc": _plain(found.auc, 2),
        "range": [float(max(low, 0.0)), float(min(high, 100.0))],
        "words": weights_note(demo),
    }


def weights_note(demo: Demo) -> str:
    """The effect of the temperature on the weights of all images and on the AUC."""
    found = demo.sweep
    return (
        "Of the weights of all test drawings, the 90th percentile is "
        f"{found.high[0] / found.low[0]:.2f} times the 10th at T = 1, and only "
        f"{found.high[-1] / found.low[-1]:.2f} times at T = {demo.scale:.0f} (unscaled cosines). The released "
        "script uses unscaled cosines for its weights. The more equal the weights are, the closer UEO is "
        f"to InfoMax. With the same softmax as OOD score, the AUC is {found.auc[0]:.1f} % at T = 1 and "
        f"{found.auc[-1]:.1f} % at T = {demo.scale:.0f}."
    )


def _model_data(demo: Demo, title: str, cosines: NDArray) -> dict:
    """One model: the closest classes, and at each temperature their probabilities and the rest."""
    order = np.argsort(-cosines)[:TOP_CLASSES]
    moments = []
    for temperature in demo.sweep.temperatures:
        one = image_scores(cosines, demo.scale, float(temperature))
        moments.append(
            {
                "shares": _plain(one.probabilities[order]),
                "entropy": round(one.entropy, 4),
                "weight": round(one.weight, 4),
                "inverse": round(one.inverse, 4),
            }
        )
    return {
        "title": title,
        "names": [demo.problem.classes[k] for k in order],
        "cosines": _plain(cosines[order]),
        "moments": moments,
    }


def _plain(values: NDArray, digits: int = 4) -> list[float]:
    return np.round(np.asarray(values, float), digits).tolist()
