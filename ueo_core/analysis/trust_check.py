"""The trust check of a run: which images to ask, which answers to offer, and what they say.

The models are zero-shot, the recommended blend if there is one, and the adapted model, each with the
threshold that the studio's predictions use. An answer tells an image's class as far as any of their
decisions is concerned, so it counts for all of them. Answers are kept with the labels given by hand
and serve scoring alone.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ueo_core.analysis.blend import recommended_name
from ueo_core.analysis.hand_labels import (
    OTHER,
    UNCLEAR,
    load_answers,
    load_hand_labels,
    save_answers,
)
from ueo_core.analysis.run_result import Inspection, SetResult, read_blend
from ueo_core.evaluation.metrics import OOD
from ueo_core.evaluation.ood_scores import DEFAULT_SCORE
from ueo_core.evaluation.trust_check import (
    DISAGREE,
    DOZEN,
    TrustEstimate,
    agreement,
    decide,
    draw,
    estimate,
    recommendation,
    strata,
)
from ueo_core.inference.score_cache import scores_of
from ueo_core.runs.folder import RunFolder

NONE = "none of the classes"


@dataclass(frozen=True)
class Key:
    """One answer to an image: what is on its button, and what it tells of the image."""

    label: str
    truth: int  # class index, OOD or OTHER


@dataclass(frozen=True, eq=False)
class TrustCheck:
    """The sample of one set of a run, and the answers given so far."""

    folder: RunFolder
    part: SetResult
    step: int
    classes: tuple[str, ...]
    models: tuple[str, ...]  # zero-shot first
    preferred: int  # the model that the safety check recommends, else the adapted one
    decisions: NDArray[np.int64]  # (M, N) class index or OOD
    stratum: NDArray[np.int64]  # (N,)
    order: tuple[int, ...]  # images in the order in which they are asked
    answers: dict[int, int] = field(default_factory=dict)  # given here, in their order
    known: dict[int, int] = field(default_factory=dict)  # labels given by hand elsewhere

    @property
    def asked(self) -> list[int]:
        """The images answered so far, as far as no image before them is open."""
        told = self.answers.keys() | self.known.keys()
        end = next((k for k, i in enumerate(self.order) if i not in told), len(self.order))
        return list(self.order[:end])

    @property
    def next(self) -> int | None:
        """The next image to ask about; None when all are answered."""
        n = len(self.asked)
        return self.order[n] if n < len(self.order) else None

    def truth(self, image: int) -> int:
        """What is known of an answered image."""
        return self.answers[image] if image in self.answers else self.known[image]

    @property
    def usable(self) -> list[int]:
        """The answered images, without those marked UNCLEAR."""
        return [i for i in self.asked if self.truth(i) != UNCLEAR]

    @property
    def disagreements(self) -> int:
        """Number of images on which the models disagree."""
        return int((self.stratum == DISAGREE).sum())

    def give(self, image: int, truth: int) -> None:
        """Store an answer; a second one to the same image changes nothing."""
        if self.next == image:
            self.answers[image] = truth
            save_answers(self.folder, self.part, self.step, self.answers)

    def undo(self) -> None:
        """Remove the last answer."""
        if self.answers:
            self.answers.popitem()
            save_answers(self.folder, self.part, self.step, self.answers)

    def keys(self, image: int) -> list[Key]:
        """The answers that are offered for an image: at most four.

        Where all models decide the same: right, wrong, unknown. Else their decisions in the order of
        the class list, so that no model is favored; and then what makes all of them wrong.
        """
        decided = sorted({int(d) for d in self.decisions[:, image]} - {OOD})
        if not decided:
            return [Key(f"Right: {NONE}", OOD), Key("Wrong: one of the classes", OTHER)]
        unknown = Key(f"Unknown: {NONE}", OOD)
        if len({int(d) for d in self.decisions[:, image]}) == 1:
            name = self.classes[decided[0]]
            return [Key(f"Right: {name}", decided[0]), Key("Wrong: another class", OTHER), unknown]
        named = [Key(self.classes[c], c) for c in decided]
        if len(named) > 2:  # where no model says unknown, unknown and another class are alike
            return [*named, Key("None of these", OTHER)]
        return [*named, Key("Another class", OTHER), unknown]

    def estimate(self) -> TrustEstimate | None:
        """The accuracy of each model; None below a dozen answers of a set that has more images."""
        images = self.usable
        if len(images) < min(DOZEN, len(self.order)):
            return None
        truth = np.array([self.truth(i) for i in images], np.int64)
        sizes = np.bincount(self.stratum, minlength=3).tolist()
        return estimate(
            self.decisions[:, images], truth, self.stratum[images], sizes, self.preferred
        )

    def sentence(self) -> str:
        """What to do, in one sentence; without an estimate, what is there to choose from."""
        found = self.estimate()
        if found:
            return recommendation(found, self.models)
        if alike := agreement(self.decisions):
            return alike
        return (
            f"The models disagree on {self.disagreements:,} of {len(self.order):,} images; "
            f"{min(DOZEN, len(self.order))} answers tell which one to use."
        )


@lru_cache(maxsize=8)
def _design(path: Path, opened: Inspection, name: str) -> dict:
    """What does not change with the answers; fitting the thresholds takes a while."""
    pool, part = opened.parts["pool"].by_side, opened.parts[name].by_side
    models = {"zero-shot": (pool["before"], part["before"])}
    share = 1.0 if opened.guard is None else opened.guard["share"]
    if opened.guard and 0 < share < 1:
        blend = {
            k: scores_of(c, opened.logit_scale)
            for k, c in read_blend(RunFolder(path), opened).items()
        }
        models[recommended_name(opened.guard)] = (blend["pool"], blend[name])
    models["the adapted model"] = (pool["after"], part["after"])
    decisions = []
    for own, shown in models.values():
        threshold, score = own.threshold(DEFAULT_SCORE), shown.score(DEFAULT_SCORE)
        decisions.append(decide(shown.prediction, score, threshold))
    stacked = np.stack(decisions)
    stratum = strata(stacked, score, threshold)  # of the adapted model, the last one
    return {
        "models": tuple(models),
        "preferred": 0 if share == 0 else len(models) - 1 if share == 1 else 1,
        "decisions": stacked,
        "stratum": stratum,
        "order": tuple(draw(stratum)),
    }


def trust_check(folder: RunFolder, opened: Inspection, part: SetResult) -> TrustCheck:
    """The trust check of the final model of a run on one set. UserError if a file is unreadable."""
    return TrustCheck(
        folder=folder,
        part=part,
        step=opened.final,
        classes=opened.classes,
        answers=load_answers(folder, part, opened.final),
        known=load_hand_labels(folder, part).given,
        **_design(folder.path, opened, part.name),
    )
