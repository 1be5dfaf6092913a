"""The four numbers at the top of the Inspect page."""

from dataclasses import dataclass, replace

import numpy as np

from ueo_core.analysis.hand_estimates import Estimates
from ueo_core.analysis.run_result import Inspection, SetResult
from ueo_core.analysis.verdict import Interval, Verdict, signed

DEFINITIONS = {
    "ACC": "mean accuracy over the classes",
    "AUC": "known against unknown, by the chosen score",
    "HM": "harmonic mean of ACC and AUC",
}


@dataclass(frozen=True)
class Tile:
    """One number with what it was before; all texts are ready to be shown."""

    title: str
    value: str
    before: str  # empty: there is no value before
    note: str  # the difference and its interval, or what the number is
    kind: str = ""  # good, bad, or neither
    about: str = ""  # a definition


def measured(verdict: Verdict, n_classes: int) -> list[Tile]:
    """Tiles from labels: ACC, AUC and HM with their differences, and the classes that got worse.

    n_classes: classes that have a labeled image. Metrics without labels are left out.
    """
    tiles = []
    for key, c in verdict.metrics.items():
        d = c.difference
        tiles.append(
            Tile(
                key.upper(),
                f"{c.after.value:.1f} %",
                f"{c.before.value:.1f}",
                f"{signed(d.value)} ({signed(d.low)} to {signed(d.high)})",
                {"better": "good", "worse": "bad", "same": ""}[c.verdict],
                DEFINITIONS[key.upper()],
            )
        )
    if n_classes:
        worse = verdict.worse_classes
        significant = sum(c.p_value < 0.05 for c in worse)
        tiles.append(
            Tile(
                "Classes that got worse",
                f"{len(worse)} of {n_classes}",
                "",
                f"{significant} significant" if worse else "none",
                "bad" if significant else "",
                "classes with a lower accuracy than before; significant: exact sign test, p < 0.05",
            )
        )
    return tiles


def estimated(found: Estimates) -> list[Tile]:
    """Tiles from a hand-labeled sample: estimates with 95 % intervals; of the accuracy, the change."""
    rows = {
        "Accuracy": (found.right, f"over {found.n_known} known images of {found.n} labeled"),
        "ACC": (found.acc, f"mean over the {found.classes} classes that occurred"),
        "AUC": (found.auc, "known against unknown, by the chosen score"),
    }
    tiles = [
        Tile(title, _percent(s["after"]), _range(s["before"]), _interval(s["after"]), about=about)
        for title, (s, about) in rows.items()
        if s
    ]
    if (d := found.difference) is not None:
        kind = "good" if d.low > 0 else "bad" if d.high < 0 else ""
        note = f"{d.value:+.0f} ({d.low:+.0f} to {d.high:+.0f})"
        tiles[0] = replace(tiles[0], note=note, kind=kind)
    share = found.unknown
    about = "share of the images that are of none of the classes"
    return [*tiles, Tile("Unknown images", _percent(share), "", _interval(share), about=about)]


def unlabeled(opened: Inspection, part: SetResult, score: str, limits: dict) -> list[Tile]:
    """Tiles that need no labels. limits: the automatic threshold by side."""
    n = len(part)
    changed = int((part.prediction["before"] != part.prediction["after"]).sum())
    below = {s: int((v < limits[s]).sum()) for s, v in part.scores(score).items()}
    sure = {s: f"{100 * float(np.mean(v)):.0f} %" for s, v in part.confidence.items()}
    tiles = [
        Tile("Predictions changed", f"{changed:,}", "", f"of {n:,} images"),
        Tile(
            "Called unknown",
            f"{below['after']:,}",
            f"{below['before']:,}",
            f"of {n:,} images",
            about="score below the unsupervised threshold (heuristic)",
        ),
        Tile(
            "Mean confidence",
            sure["after"],
            sure["before"],
            "higher is not always better",
            about="mean of the largest softmax at the logit scale",
        ),
    ]
    # A run that chose its rate has evidence by model, and says it in the sentence of its safety check.
    guard = opened.guard if opened.step == opened.final else None
    if guard and not guard.get("model") and "1" in guard["evidence"]:
        agreed = {k: 100 * guard["evidence"][k]["consistency"] for k in ("0", "1")}
        tiles.append(
            Tile(
                "Agreement on crops",
                f"{agreed['1']:.0f} %",
                f"{agreed['0']:.0f} %",
                "chance-corrected",
                about="predictions on random crops that equal those on the image (safety check)",
            )
        )
    return tiles


def _percent(found: Interval) -> str:
    return f"{found.value:.0f} %"


def _interval(found: Interval) -> str:
    return f"95 % interval {found.low:.0f} to {found.high:.0f}"


def _range(found: Interval) -> str:
    return f"{found.value:.0f} ({found.low:.0f} to {found.high:.0f})"
