"""Labels that a person gives to a small sample, kept beside the run: for scoring only.

The sample is stratified by the score of the final model (equal shares of the images, from
the least to the most known) and drawn in an order in which every stratum takes its turn,
so that whoever stops early still holds a stratified sample. Nothing of this is read by
training: the file lies apart from the run's config, and only `hand_estimates` opens it.
"""

import json
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.run_result import Part
from ueo_core.evaluation.metrics import OOD
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.runs.folder import RunFolder, write_json
from ueo_core.utils.errors import UserError

FILE = "hand_labels.json"
STRATA = 5
LONGEST = 1000  # images that are ever asked for
UNCLEAR = -3  # a person looked and could not tell: counted by no estimate
CANDIDATES = 9  # answers that have a key of their own


@dataclass
class HandLabels:
    """The sample of one set of a run and what has been said of it so far."""

    part: str
    order: list[int]  # images in the order in which they are asked for
    stratum: list[int]  # of each of `order`
    sizes: list[int]  # images of the set in each stratum
    given: dict[int, int] = field(default_factory=dict)  # image → class index, OOD or UNCLEAR

    @property
    def next(self) -> int | None:
        """The image to ask for now; None when the sample is used up."""
        return next((i for i in self.order if i not in self.given), None)

    def give(self, image: int, label: int) -> None:
        self.given[image] = label

    def undo(self) -> None:
        """Take back what was said last."""
        if self.given:
            self.given.popitem()

    def usable(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Images, labels (class index or OOD) and strata of those that one could tell. (n,)"""
        of = dict(zip(self.order, self.stratum, strict=True))
        rows = [(i, label, of[i]) for i, label in self.given.items() if label != UNCLEAR]
        return tuple(np.array(rows, np.int64).reshape(-1, 3).T)


def draw_sample(part: Part, seed: int = 0) -> HandLabels:
    """A fresh sample: strata of equal size by the score after adaptation, in turn, at random."""
    n = len(part)
    ranks = np.argsort(np.argsort(part.scores(DEFAULT_SCORE)["after"], kind="stable"))
    stratum = ranks * min(STRATA, n) // n  # (N,)
    g = np.random.default_rng(seed)
    shuffled = g.permutation(n)
    # The k-th image of every stratum comes before the (k + 1)-th of any.
    turn = np.zeros(n, np.int64)
    for s in range(min(STRATA, n)):
        members = shuffled[stratum[shuffled] == s]
        turn[members] = np.arange(len(members))
    place = np.empty(n, np.int64)
    place[shuffled] = np.arange(n)
    order = np.lexsort((place, turn))[:LONGEST]
    return HandLabels(
        part.name,
        [int(i) for i in order],
        [int(s) for s in stratum[order]],
        np.bincount(stratum).tolist(),
    )


def candidates(part: Part, image: int) -> list[int]:
    """The classes offered for an image, in the order of the class list, at most `CANDIDATES`.

    All of them where there are few; else the best of both models in turn, so that neither
    model's answer is easier to choose than the other's.
    """
    c = part.cosines["after"].shape[1]
    if c <= CANDIDATES:
        return list(range(c))
    ranked = [np.argsort(-part.cosines[side][image], kind="stable") for side in part.cosines]
    found = list(dict.fromkeys(int(i) for pair in zip(*ranked, strict=True) for i in pair))
    return sorted(found[:CANDIDATES])


def hand_labels_stamp(folder: RunFolder) -> int:
    """Changes whenever the hand labels of a run do; 0 where there are none."""
    path = folder.path / FILE
    return path.stat().st_mtime_ns if path.is_file() else 0


def load_hand_labels(folder: RunFolder, part: Part) -> HandLabels:
    """What has been labelled by hand in this run, or a fresh sample where nothing has."""
    try:
        stored = json.loads((folder.path / FILE).read_text()).get(part.name)
    except FileNotFoundError:
        stored = None
    except (OSError, ValueError) as error:
        raise UserError(
            f"File “{folder.path / FILE}”: it cannot be read ({error}); remove it and label again."
        ) from error
    if stored is None:
        return draw_sample(part)
    names = {name: i for i, name in enumerate(folder.config["classes"])}
    special = {None: OOD, False: UNCLEAR}
    given = {
        image: special[name] if name in special else names[name] for image, name in stored["given"]
    }
    return HandLabels(part.name, stored["order"], stored["stratum"], stored["sizes"], given)


def save_hand_labels(folder: RunFolder, labels: HandLabels) -> None:
    """Keep the labels of one set; those of the other stay as they are.

    A label is the class's name, null for none of the classes, false for "cannot tell".
    """
    path, classes = folder.path / FILE, folder.config["classes"]
    stored = json.loads(path.read_text()) if path.is_file() else {}
    word = {OOD: None, UNCLEAR: False}
    stored[labels.part] = {
        "order": labels.order,
        "stratum": labels.stratum,
        "sizes": labels.sizes,
        "given": [[i, word[v] if v < 0 else classes[v]] for i, v in labels.given.items()],
    }
    write_json(path, stored)
