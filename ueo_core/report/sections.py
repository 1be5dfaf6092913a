"""The sections of the report as plain data, from the functions that the Inspect page draws."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ueo_core.analysis.histograms import histogram
from ueo_core.analysis.image_selections import gallery_views
from ueo_core.analysis.live_metrics import decimated
from ueo_core.analysis.per_class import class_changes, confusion_rows
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.threshold_effect import effect_rows, roc_points, threshold_effect
from ueo_core.analysis.verdict import Verdict, signed
from ueo_core.data.image_set import ImageSet
from ueo_core.data.store import Store
from ueo_core.evaluation.metrics import OOD, confusion
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.inference.adapter_file import AdapterFile
from ueo_core.report import svg
from ueo_core.runs.snapshot import Snapshot
from ueo_core.utils.errors import UserError

SIDES = {"before": "Before (zero-shot)", "after": "After (adapted)"}
PICTURES = 12  # of a gallery, two rows of six; 5 kB each
SHOWN = 40  # classes in the chart; the table holds all
MATRIX = 30  # classes up to which the confusion matrix can be read on a page
METRICS = {
    "acc": "ACC, mean accuracy of the classes",
    "auc": "AUC, known against unknown",
    "hm": "HM, harmonic mean of the two",
    "fpr95": "FPR95, unknown accepted where 95 % of the known are (lower is better)",
    "aupr": "AUPR, precision and recall of the known",
    "ece": "ECE, calibration error of the predictions (lower is better)",
}
KINDS = {"better": "good", "worse": "bad", "same": ""}  # CSS classes by verdict
TERMS = {"loss": "loss", "entropy": "entropy of each image", "marginal": "entropy of the mean"}


def thresholds(opened: Inspection, adapter_file: AdapterFile) -> dict[str, float]:
    """The run's own threshold, and the zero-shot model's by the same rule."""
    pool = opened.parts["pool"].by_side
    return {"before": pool["before"].threshold(DEFAULT_SCORE), "after": adapter_file.threshold}


def metrics(opened: Inspection, part: SetResult, verdict: Verdict) -> list[dict]:
    """The headline metrics, with the interval of the difference where there is one."""
    found = part.metrics(DEFAULT_SCORE, opened.classes)
    rows = []
    for key, title in METRICS.items():
        before, after = found["before"][key], found["after"][key]
        if after is None:
            continue
        row = {"key": key, "title": title, "before": before, "after": after}
        row["change"] = signed(after - before)
        interval, kind = "", ""
        if compared := verdict.metrics.get(key):
            interval = f"{signed(compared.difference.low)} to {signed(compared.difference.high)}"
            kind = KINDS[compared.verdict]
        rows.append(row | {"interval": interval, "kind": kind})
    return rows


def separation(
    opened: Inspection, part: SetResult, limits: dict[str, float], verdict: Verdict
) -> dict:
    """Histograms of both sides with their thresholds, the effect of these, and the ROC."""
    scores = part.scores(DEFAULT_SCORE)
    histograms = []
    for side, title in SIDES.items():
        groups = {"images": scores[side]}
        if part.labeled:
            groups = {
                "known": scores[side][part.truth >= 0],
                "unknown": scores[side][part.truth == OOD],
            }
        bars = histogram(groups)
        about = f"{title}: histogram of the score with the threshold"
        name = SCORES[DEFAULT_SCORE].title
        chart = svg.histogram(bars.edges, bars.counts, name, limits[side], about)
        histograms.append({"title": title, "chart": chart})
    effects = {
        s: threshold_effect(scores[s], t, part.prediction[s], part.truth) for s, t in limits.items()
    }
    curves = {}
    for side, values in scores.items():
        if (points := roc_points(values, part.truth)) is not None:
            curves[side] = points
    roc, auc = None, {}
    if len(curves) == len(SIDES):
        at = {s: (e.fpr or 0.0, e.tpr or 0.0) for s, e in effects.items()}
        roc = svg.roc(curves, at, "ROC before and after")
        compared = verdict.metrics["auc"]
        auc = {"before": compared.before, "after": compared.after}
    return {
        "histograms": histograms,
        "labeled": part.labeled,
        "effects": effect_rows(effects, len(part)),
        "roc": roc,
        "auc": auc,
    }


def class_by_class(opened: Inspection, part: SetResult) -> dict | None:
    """Accuracy of every class, and the confusion matrix; None without labels."""
    if not part.n_id:
        return None
    rows = class_changes(
        part.prediction["before"], part.prediction["after"], part.truth, opened.classes
    )
    return {
        "rows": rows,
        "chart": svg.classes(rows[:SHOWN], "Accuracy of every class before and after"),
        "confusion": _confusion(opened, part) if len(opened.classes) <= MATRIX else None,
    }


def _confusion(opened: Inspection, part: SetResult) -> list[dict]:
    counts = confusion(part.prediction["after"], part.truth, len(opened.classes))
    rows = []
    for truth, name in confusion_rows(opened.classes, part.truth):
        row = counts[truth]
        cells = [
            {"n": int(n), "right": i == truth, "percent": f"{70 * n / max(1, row.sum()):.0f}"}
            for i, n in enumerate(row)
        ]
        rows.append({"name": name, "cells": cells})
    return rows


def training(now: Snapshot) -> Markup | None:
    """The loss and its terms over the steps; None where no step was taken."""
    if not now.series:
        return None
    curves = {k: [(p["step"], p[k]) for p in decimated(now.series)] for k in TERMS}
    return svg.lines(curves, "step", "nats", "The loss and its two terms over the steps")


def galleries(opened: Inspection, part: SetResult, limits: dict[str, float]) -> list[dict]:
    """The first images of four selections: two of the pool, and the errors where there are labels."""
    pool = opened.parts["pool"]
    wanted = [(pool, "unknown", " in the pool"), (pool, "changed", " in the pool")]
    wanted += [(part, key, "") for key in ("became-wrong", "unknown-accepted")]
    found = []
    for where, key, words in wanted:
        view = gallery_views(where).get(key)
        if view is None:
            continue
        images = view.pick(where, where.scores(DEFAULT_SCORE), limits).tolist()
        if not images:
            continue
        shown = f"The first {PICTURES} of {len(images):,}. " if len(images) > PICTURES else ""
        found.append(
            {
                "title": view.title + words,
                "about": shown + view.about,
                "cards": _cards(opened, where, images[:PICTURES], limits["after"]),
            }
        )
    return found


def _cards(
    opened: Inspection, part: SetResult, images: Sequence[int], limit: float
) -> list[dict[str, Any]]:
    """limit: the threshold below which an image counts as unknown."""
    scores = part.scores(DEFAULT_SCORE)["after"]
    try:
        kept = Store(Path(part.reference["store"])).open(part.reference["set"])
    except UserError:
        kept = None
    cards = []
    for i in images:
        truth, after = int(part.truth[i]), int(part.prediction["after"][i])
        words = ""
        if truth == OOD:
            words = "none (unknown)"
        elif truth >= 0 and truth != after:
            words = opened.classes[truth]
        name, jpeg = _picture(kept, i)
        cards.append(
            {
                "name": name,
                "jpeg": jpeg,
                "before": opened.classes[int(part.prediction["before"][i])],
                "after": opened.classes[after],
                "unknown": bool(scores[i] < limit),
                "before_percent": f"{100 * part.confidence['before'][i]:.0f}",
                "after_percent": f"{100 * part.confidence['after'][i]:.0f}",
                "truth": words,
            }
        )
    return cards


def _picture(kept: ImageSet | None, i: int) -> tuple[str, str]:
    """Name and thumbnail (base64 JPEG); empty where the image was deleted from the store."""
    if kept is None or i >= len(kept):
        return "", ""
    try:
        return kept.names[i], base64.b64encode(kept.thumbnail(i)).decode("ascii")
    except UserError:
        return kept.names[i], ""
