"""How the map of images is coloured: by answer, truth, or change, as groups of images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.run_result import Part
from ueo_core.evaluation.metrics import OOD, UNLABELED

COLOURINGS = {
    "answer": "Answer",
    "truth": "Truth",
    "score": "Score",
    "change": "What changed",
}
COLOURED = 8  # classes with a colour of their own: more cannot be told apart


@dataclass(frozen=True, eq=False)
class Group:
    """Images of one colour. kind: `class`, or one of the special kinds that have a fixed look."""

    name: str
    kind: str  # class, rest, unknown, unlabelled, same, flipped, right, wrong, mended, broken
    members: NDArray[np.int64]  # indices of images


def colourings(part: Part) -> dict[str, str]:
    """The ways to colour this set: truth needs labels."""
    return {k: v for k, v in COLOURINGS.items() if k != "truth" or part.labelled}


def frequent_classes(part: Part) -> list[int]:
    """The classes that are answered most often after adaptation, at most `COLOURED`, the first first."""
    counts = np.bincount(part.prediction["after"], minlength=part.cosines["after"].shape[1])
    return [int(i) for i in np.argsort(-counts, kind="stable")[:COLOURED] if counts[i]]


def map_groups(part: Part, colouring: str, classes, shown: list[int]) -> dict[str, list[Group]]:
    """Every image once, by side, in groups of one look; empty groups are left out.

    colouring: `answer`, `truth` or `change` (`score` is a scale and has no groups);
    shown: the classes that get a colour of their own, the others are one group.
    """
    if colouring == "change":
        same = {side: _changes(part) for side in part.cosines}
    elif colouring == "truth":
        same = {side: _of_classes(part.truth, classes, shown) for side in part.cosines}
    else:
        same = {s: _of_classes(part.prediction[s], classes, shown) for s in part.cosines}
    return {side: [g for g in groups if len(g.members)] for side, groups in same.items()}


def _of_classes(index: NDArray, classes, shown: list[int]) -> list[Group]:
    groups = [
        Group(
            f"other classes ({len(classes) - len(shown)})",
            "rest",
            np.flatnonzero((index >= 0) & ~np.isin(index, shown)),
        ),
        Group("without a label", "unlabelled", np.flatnonzero(index == UNLABELED)),
    ]
    groups += [Group(classes[i], "class", np.flatnonzero(index == i)) for i in shown]
    return [*groups, Group("none of the classes", "unknown", np.flatnonzero(index == OOD))]


def _changes(part: Part) -> list[Group]:
    before, after, truth = part.prediction["before"], part.prediction["after"], part.truth
    known, flipped = truth >= 0, before != after
    was, now = known & (before == truth), known & (after == truth)
    found = [
        ("same answer", "same", ~known & ~flipped),
        ("another answer", "flipped", ~known & flipped),
        ("right before and after", "right", was & now),
        ("wrong before and after", "wrong", known & ~was & ~now),
        ("became right", "mended", ~was & now),
        ("became wrong", "broken", was & ~now),
    ]
    return [Group(name, kind, np.flatnonzero(mask)) for name, kind, mask in found]
