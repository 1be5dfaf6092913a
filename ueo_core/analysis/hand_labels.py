"""Labels given by hand to a small sample, stored in the run's folder and used for scoring only.

The sample is stratified by the score of the final model: strata of equal size, from the lowest to
the highest scores. Images are asked for in an order that alternates between the strata, so that a
sample is stratified wherever labeling stops. Training reads none of this: the file is separate
from the run's config, and only `hand_estimates` and `trust_check` read it.

The answers of a trust check are in the same file. They tell the class of an image, too, or only that
it is OTHER; each of the two samples takes what the other one knows, when the turn of an image comes.
"""

import json
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.run_result import SetResult
from ueo_core.evaluation.metrics import OOD
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.runs.folder import IMAGE_SETS, RunFolder
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import saving, write_json
from ueo_core.utils.shapes import Maybe, check_shape

FILE = "hand_labels.json"
TRUST = "trust"  # key in the file of the answers of trust checks
STRATA = 5
LONGEST = 1000  # largest sample, images
UNCLEAR = -3  # marked “Cannot tell”: not used by any estimate
OTHER = -4  # answer of a trust check: of another class than any model decided
_SPECIAL = {None: OOD, False: UNCLEAR, True: OTHER}  # as they are stored
_GIVEN = [list]  # pairs of an image and its label
_SAMPLE = {"order": [int], "stratum": [int], "sizes": [int], "given": _GIVEN}
_ANSWERS = {"step": int, "given": _GIVEN}
CANDIDATES = 9  # classes with a keyboard key each


@dataclass
class HandLabels:
    """The sample of one set of a run and the labels given so far."""

    part: str
    order: list[int]  # images in the order in which they are asked for
    stratum: list[int]  # of each of `order`
    sizes: list[int]  # images of the set in each stratum
    given: dict[int, int] = field(default_factory=dict)  # image → class index, OOD or UNCLEAR

    @property
    def next(self) -> int | None:
        """The next image to label; None when all are labeled."""
        return next((i for i in self.order if i not in self.given), None)

    def give(self, image: int, label: int) -> None:
        self.given[image] = label

    def undo(self) -> None:
        """Remove the last label."""
        if self.given:
            self.given.popitem()

    def fill(self, known: dict[int, int]) -> bool:
        """Take labels that are known already, as far as no other image is asked for before.

        → whether there were any
        """
        before = len(self.given)
        while (image := self.next) is not None and image in known:
            self.give(image, known[image])
        return len(self.given) > before

    def usable(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Images, labels (class index or OOD) and strata, without those marked UNCLEAR. (n,) each"""
        of = dict(zip(self.order, self.stratum, strict=True))
        rows = [(i, label, of[i]) for i, label in self.given.items() if label != UNCLEAR]
        images, truth, stratum = np.array(rows, np.int64).reshape(-1, 3).T
        return images, truth, stratum


def draw_sample(part: SetResult, seed: int = 0) -> HandLabels:
    """A new sample: strata of equal size by the score after adaptation, in turn, at random."""
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


def candidates(part: SetResult, image: int) -> list[int]:
    """The classes offered for an image, in the order of the class list, at most `CANDIDATES`.

    All of them if there are few; else the top predictions of both models in turn, so that neither
    model's prediction is easier to choose than the other's.
    """
    c = part.cosines["after"].shape[1]
    if c <= CANDIDATES:
        return list(range(c))
    ranked = [np.argsort(-part.cosines[side][image], kind="stable") for side in part.cosines]
    found = list(dict.fromkeys(int(i) for pair in zip(*ranked, strict=True) for i in pair))
    return sorted(found[:CANDIDATES])


def hand_labels_stamp(folder: RunFolder) -> int:
    """A number that changes whenever the hand labels of a run change; 0 if there are none."""
    path = folder.path / FILE
    return path.stat().st_mtime_ns if path.is_file() else 0


def _read(folder: RunFolder) -> dict:
    """The file, empty if there is none. UserError if unreadable."""
    try:
        data = json.loads((folder.path / FILE).read_bytes())
        check_shape(data, dict.fromkeys(IMAGE_SETS, Maybe(_SAMPLE)) | {TRUST: Maybe({})})
        for part, answers in (data.get(TRUST) or {}).items():
            check_shape(answers, _ANSWERS, part)
        return data
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: RunFolder, error: Exception) -> UserError:
    return UserError(
        f"Run “{folder.id}”: its file {FILE} cannot be read ({error}); remove it and label the images "
        "again."
    )


def _decoded(folder: RunFolder, given: list, images: int) -> dict[int, int]:
    names = {name: i for i, name in enumerate(folder.config["classes"])}
    try:
        found = {i: _SPECIAL[v] if v in _SPECIAL else names[v] for i, v in given}
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(folder, ValueError("its labels are none of the classes")) from error
    if not all(isinstance(i, int) and 0 <= i < images for i in found):
        raise _unreadable(folder, ValueError("it names images that are not there"))
    return found


def _encoded(folder: RunFolder, given: dict[int, int]) -> list:
    """A label is a class name, null for none of the classes, false for UNCLEAR, true for OTHER."""
    words, classes = {v: k for k, v in _SPECIAL.items()}, folder.config["classes"]
    return [[i, words[v] if v < 0 else classes[v]] for i, v in given.items()]


def load_hand_labels(folder: RunFolder, part: SetResult) -> HandLabels:
    """The hand labels of one set of a run, or a new sample if there are none. UserError if unreadable."""
    stored = _read(folder).get(part.name)
    if stored is None:
        return draw_sample(part)
    given = _decoded(folder, stored["given"], len(part))
    if not all(0 <= i < len(part) for i in stored["order"]) or given.keys() - stored["order"]:
        raise _unreadable(folder, ValueError("it names images that are not there"))
    if len(stored["order"]) != len(stored["stratum"]):
        raise _unreadable(folder, ValueError("its sample has two lengths"))
    return HandLabels(part.name, stored["order"], stored["stratum"], stored["sizes"], given)


def save_hand_labels(folder: RunFolder, labels: HandLabels) -> None:
    """Store the labels of one set; those of the other set are kept."""
    stored = _read(folder)
    stored[labels.part] = {
        "order": labels.order,
        "stratum": labels.stratum,
        "sizes": labels.sizes,
        "given": _encoded(folder, labels.given),
    }
    with saving(f"Labels of run “{folder.id}”"):
        write_json(folder.path / FILE, stored, indent=1)


def load_answers(folder: RunFolder, part: SetResult, step: int) -> dict[int, int]:
    """The answers of a trust check: image → class index, OOD, UNCLEAR or OTHER, in their order.

    step: of the model that is checked. OTHER speaks of the decisions of one model, so it is left
    out where the answer was given about another step.
    """
    stored = (_read(folder).get(TRUST) or {}).get(part.name, {"step": step, "given": []})
    given = _decoded(folder, stored["given"], len(part))
    return {i: v for i, v in given.items() if v != OTHER or stored["step"] == step}


def save_answers(folder: RunFolder, part: SetResult, step: int, answers: dict[int, int]) -> None:
    """Store the answers of a trust check of one set; everything else in the file is kept."""
    stored = _read(folder)
    stored.setdefault(TRUST, {})[part.name] = {"step": step, "given": _encoded(folder, answers)}
    with saving(f"Labels of run “{folder.id}”"):
        write_json(folder.path / FILE, stored, indent=1)
