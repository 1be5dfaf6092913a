"""The category shifts of the paper: class counts of its data sets, and the order of class names.

Source: Liang et al., ICML 2024, and its released script, which lists the classes of all four
data sets. Nothing slow is imported here: the command line lists the shifts.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# The four relations of the pool's classes to the named classes, and the plain closed set.
CATEGORY_SHIFTS = {
    "closed": "exactly the named classes",
    "partial": "only some of the named classes",
    "open": "all of them, and unknown ones",
    "open-partial": "some of them, and unknown ones",
    "plain": "every folder is a class, and there are no unknown images",
}
FOUR = tuple(CATEGORY_SHIFTS)[:4]  # what `all` means, as in the paper's tables
LARGE = 20_000  # pool images from which the paper trains 5 epochs, where its default is 50


@dataclass(frozen=True)
class Protocol:
    """How many classes are known, how many of them are in a partial pool, how many unknown classes are added."""

    title: str
    classes: int
    known: int
    partial: int  # known classes in a partial pool
    shared: int  # the same in an open-partial pool, fewer for Office-31
    ood: int
    some: frozenset[str]  # a few of its class names, by which a folder is recognized


# Class indices in alphabetical order; source: UEO's released script and the paper's Sec. 4.
PAPER = (
    Protocol("Office-31", 31, 25, 20, 15, 3, frozenset({"backpack", "bikehelmet", "trashcan"})),
    Protocol("Office-Home", 65, 50, 35, 35, 10, frozenset({"alarmclock", "postitnotes", "webcam"})),
    Protocol("VisDA-C", 12, 8, 6, 6, 2, frozenset({"aeroplane", "skateboard", "truck"})),
    Protocol(
        "DomainNet", 345, 300, 250, 250, 30, frozenset({"aircraftcarrier", "themonalisa", "zigzag"})
    ),
)
PROPORTIONS = PAPER[1]  # of any other folder; Office-Home's are between those of the others


def class_key(name: str) -> str:
    """What the paper's alphabetical order compares: letters and digits alone, in lower case.

    "TV" follows "Trash_Can" and "paint_can" follows "paintbrush", as in the released lists.
    """
    return re.sub(r"[\W_]+", "", name.casefold())


def in_order(names: Iterable[str]) -> list[str]:
    """Distinct names in the paper's order."""
    return sorted(set(names), key=lambda n: (class_key(n), n))


def recognized(folders: Sequence[str]) -> Protocol | None:
    """The paper's data set whose classes these folders are, or None."""
    keys = {class_key(f) for f in folders}
    return next((p for p in PAPER if len(folders) == p.classes and p.some <= keys), None)
