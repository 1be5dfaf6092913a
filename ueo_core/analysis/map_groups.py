"""Groups of images by prediction, true class or change, for the colors of the map."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.run_result import SetResult
from ueo_core.evaluation.metrics import OOD, UNLABELED

COLORINGS = {
    "answer": "Prediction",
    "truth": "True class",
    "score": "Score",
    "change": "Change",
}
COLORED = 8  # classes with a color of their own; more cannot be distinguished


@dataclass(frozen=True, eq=False)
class Group:
    """Images of one color. kind: `class`, or one of the other kinds, which have a fixed look."""

    name: str
    kind: str  # class, rest, unknown, unlabeled, same, changed, right, wrong, became-right, became-wrong
    members: NDArray[np.int64]  # indices of images, ascending


def colorings(part: SetResult) -> dict[str, str]:
    """The colorings for this set; `truth` needs labels."""
    return {k: v for k, v in COLORINGS.items() if k != "truth" or part.labeled}


def frequent_classes(part: SetResult) -> list[int]:
    """The most frequent predictions after adaptation, at most `COLORED`, most frequent first."""
    counts = np.bincount(part.prediction["after"], minlength=part.cosines["after"].shape[1])
    return [int(i) for i in np.argsort(-counts, kind="stable")[:COLORED] if counts[i]]


def map_groups(
    part: SetResult, coloring: str, classes, shown: list[int], images: NDArray[np.int64]
) -> dict[str, list[Group]]:
    """The images on the map by side, each in exactly one group; empty groups are left out.

    coloring: `answer`, `truth` or `change` (`score` is a scale and has no groups);
    shown: the classes with a color of their own; the others are one group.
    """
    if coloring == "change":
        same = {side: _changes(part, images) for side in part.cosines}
    elif coloring == "truth":
        same = {side: _of_classes(part.truth[images], classes, shown) for side in part.cosines}
    else:
        same = {s: _of_classes(p[images], classes, shown) for s, p in part.prediction.items()}
    return {
        side: [replace(g, members=images[g.members]) for g in groups if len(g.members)]
        for side, groups in same.items()
    }


def _of_classes(index: NDArray, classes, shown: list[int]) -> list[Group]:
    groups = [
        Group(
            f"other classes ({len(classes) - len(shown)})",
            "rest",
            np.flatnonzero((index >= 0) & ~np.isin(index, shown)),
        ),
        Group("unlabeled", "unlabeled", np.flatnonzero(index == UNLABELED)),
    ]
    groups += [Group(classes[i], "class", np.flatnonzero(index == i)) for i in shown]
    return [
        *groups,
        Group("none of the classes (unknown)", "unknown", np.flatnonzero(index == OOD)),
    ]


def _changes(part: SetResult, images: NDArray[np.int64]) -> list[Group]:
    before, after = (part.prediction[side][images] for side in ("before", "after"))
    truth = part.truth[images]
    known, changed = truth >= 0, before != after
    was, now = known & (before == truth), known & (after == truth)
    found = [
        ("same prediction", "same", ~known & ~changed),
        ("changed prediction", "changed", ~known & changed),
        ("right before and after", "right", was & now),
        ("wrong before and after", "wrong", known & ~was & ~now),
        ("became right", "became-right", ~was & now),
        ("became wrong", "became-wrong", was & ~now),
    ]
    return [Group(name, kind, np.flatnonzero(mask)) for name, kind, mask in found]
