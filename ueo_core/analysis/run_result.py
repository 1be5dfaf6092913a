"""A finished run, opened for inspection: cosines before and after, and labels if there are any.

"Before" is always the zero-shot model; "after" is the final model or an earlier checkpoint.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ueo_core.evaluation.metrics import OOD, UNLABELED, summarize, truth_from_labels
from ueo_core.evaluation.ood_scores import NEG_LABEL, neg_label
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.adapter_file import GUARDED_PREDICTIONS
from ueo_core.inference.score_cache import ScoreCache, scores_of
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.errors import UserError
from ueo_core.utils.rows import Rows
from ueo_core.utils.tensor_files import StoredRows, stored_rows

SCORED = "scored"  # subfolder of a run: checkpoints scored on request
PARTS = ("holdout", "pool")  # the labeled test set first


@dataclass(frozen=True, eq=False)  # identity: holds arrays, and caches key on it
class SetResult:
    """The result on one image set: zero-shot ("before") and the chosen model ("after")."""

    name: str  # pool or holdout
    reference: dict  # the image set, see runs.reference
    truth: NDArray[np.int64]  # (N,) class index, OOD or UNLABELED
    cosines: dict[str, Rows]  # by side, (N, C); those of a run stay in their files
    logit_scale: float
    negatives: dict[str, NDArray[np.float32]] | None = None  # by side, (N, K), for NegLabel

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def by_side(self) -> dict[str, ScoreCache]:
        """Predictions, scores and thresholds, by side."""
        return {side: scores_of(c, self.logit_scale) for side, c in self.cosines.items()}

    @property
    def prediction(self) -> dict[str, NDArray[np.int64]]:
        """Index of the class with the largest cosine, by side. (N,)"""
        return {side: found.prediction for side, found in self.by_side.items()}

    @property
    def confidence(self) -> dict[str, NDArray[np.floating]]:
        """Max softmax at the logit scale, by side. (N,)"""
        return {side: found.confidence for side, found in self.by_side.items()}

    def scores(self, score: str) -> dict[str, NDArray[np.floating]]:
        """A score of `SCORES`, or NegLabel, by side, higher = more in-distribution. (N,)"""
        if score == NEG_LABEL:
            return self._neg_label
        return {side: found.score(score) for side, found in self.by_side.items()}

    @cached_property
    def _neg_label(self) -> dict[str, NDArray[np.floating]]:
        assert self.negatives is not None, "a set without negative words has no NegLabel"
        return {
            side: neg_label(cosines, self.negatives[side], self.logit_scale)
            for side, cosines in self.cosines.items()
        }

    def thresholds(self, score: str) -> dict[str, float]:
        """The unsupervised threshold on a score of this set, by side."""
        if score == NEG_LABEL:
            return {side: mixture_threshold(v) for side, v in self._neg_label.items()}
        return {side: found.threshold(score) for side, found in self.by_side.items()}

    def metrics(self, score: str, classes: Sequence[str]) -> dict[str, dict]:
        """`evaluation.metrics.summarize`, by side."""
        return {
            side: summarize(
                self.prediction[side], self.confidence[side], values, self.truth, classes
            )
            for side, values in self.scores(score).items()
        }

    @property
    def labeled(self) -> bool:
        return bool((self.truth != UNLABELED).any())

    @property
    def n_id(self) -> int:
        return int((self.truth >= 0).sum())

    @property
    def n_ood(self) -> int:
        return int((self.truth == OOD).sum())


@dataclass(frozen=True, eq=False)  # identity: holds arrays, and caches key on it
class Inspection:
    """The data of the Inspect page."""

    run: str
    title: str
    method: str
    classes: tuple[str, ...]
    logit_scale: float
    step: int  # of the model that is "after"
    steps: int  # that the settings asked for
    final: int  # the last step of the run
    parts: dict[str, SetResult]  # the labeled test set first, if there is one
    guard: dict | None = None  # the safety check's `guard_rule.Choice`; None if it was off

    @property
    def default(self) -> str:
        """The set to show first: the test set if it has labels, else the pool."""
        holdout = self.parts.get("holdout")
        return "holdout" if holdout is not None and holdout.labeled else "pool"


def file_of_step(folder: RunFolder, step: int, final: int) -> Path:
    """The file of the features and cosines of the model after `step` steps; it may not exist yet."""
    if step in (0, final):
        return folder.path / f"{'adapted' if step == final else 'zero_shot'}.safetensors"
    return folder.path / SCORED / f"{step:06d}.safetensors"


def final_step(folder: RunFolder) -> int:
    """The last step of a finished run; UserError if it has no result yet."""
    state = folder.state
    title = folder.config["title"]
    if state["state"] != "finished":
        way_out = (
            "see the error on the Live page, and resume the run there or use “Stop and keep”."
            if state["state"] == "failed"
            else "let it finish, or use “Stop and keep” on the Live page."
        )
        raise UserError(f"Run “{title}”: it has no result yet (state: {state['state']}); {way_out}")
    step = folder.final_step()
    if step is None:
        raise UserError(
            f"Run “{title}”: its result is damaged or missing; train it longer by one epoch, which "
            "writes the result again, or start the run again."
        )
    return step


def read_inspection(folder: RunFolder, step: int | None = None) -> Inspection:
    """Open a run's result after `step` steps; None: the final one.

    UserError if the run has no result yet, the step has not been scored, or a file cannot be read.
    """
    final, config = final_step(folder), folder.config
    step = final if step is None else step
    after = file_of_step(folder, step, final)
    if after.parent.name == SCORED and not after.is_file():
        raise UserError(
            f"Run “{config['title']}”: the model after step {step} has not been scored; score that "
            "checkpoint first, or show the final model."
        )
    try:
        with safe_open(folder.path / "delta.safetensors", "numpy") as file:
            metadata = {k: json.loads(v) for k, v in file.metadata().items()}
        zero_shot = file_of_step(folder, 0, final)
        tensors = {"before": _cosines(zero_shot), "after": _cosines(after)}
        scale = float(metadata["logit_scale"])
        found: dict[str, dict[str, Rows]] = {
            name: {side: t[f"{name}_cosines"] for side, t in tensors.items()}
            for name in PARTS
            if config[name] is not None
        }
        for name, cosines in found.items():
            wanted = (config[name]["n"], len(config["classes"]))
            if any(c.shape != wanted for c in cosines.values()):
                raise ValueError(f"the cosines of the {name} have another shape")
    except (OSError, SafetensorError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise UserError(
            f"Run “{config['title']}”: its result cannot be read ({error}); train it longer by one "
            "epoch, which writes the result again, or start the run again."
        ) from error
    labels = folder.labels()
    parts = {}
    for name, cosines in found.items():
        given = labels.get(name) or [None] * len(cosines["after"])
        if len(given) != len(cosines["after"]):
            raise UserError(
                f"Run “{config['title']}”: its file labels.json has {len(given)} labels for "
                f"{len(cosines['after'])} images; restore it from a backup, or start the run again."
            )
        truth = truth_from_labels(given, config["classes"])
        parts[name] = SetResult(name, config[name], truth, cosines, scale)
    return Inspection(
        run=folder.id,
        title=config["title"],
        method=config["settings"]["method"],
        classes=tuple(config["classes"]),
        logit_scale=scale,
        step=step,
        steps=folder.state["steps"] or final,
        final=final,
        parts=parts,
        guard=metadata.get("guard"),
    )


def read_features(folder: RunFolder, part: str, step: int) -> StoredRows:
    """Unit image features of a set under the model after `step` steps, in their file. (N, D)"""
    path = file_of_step(folder, step, final_step(folder))
    name = f"{part}_features"
    try:
        return stored_rows(path, lambda found: found == name)[name]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"Run “{folder.config['title']}”: its image features cannot be read ({error}); "
            "start the run again."
        ) from error


def read_blend(folder: RunFolder, opened: Inspection) -> dict[str, StoredRows]:
    """Cosines of each set under the blend that the safety check recommends. (N, C) each

    UserError if its file cannot be read.
    """
    try:
        found = _cosines(folder.path / f"{GUARDED_PREDICTIONS}.safetensors")
        return {name: found[f"{name}_cosines"] for name in opened.parts}
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"Run “{opened.title}”: the predictions of its recommended blend cannot be read ({error}); "
            "train it longer by one epoch, which writes them again."
        ) from error


def _cosines(path: Path) -> dict[str, StoredRows]:
    return stored_rows(path, lambda name: name.endswith("_cosines"))
