"""A finished run, opened for inspection: cosines before and after, and labels where they exist."""

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ueo_core.errors import UserError
from ueo_core.metrics import OOD, UNLABELED, truth_from_labels
from ueo_core.runs.folder import RunFolder
from ueo_core.scores import SCORES

SIDES = {"before": "zero_shot", "after": "adapted"}


@dataclass(frozen=True, eq=False)  # identity: holds arrays, and caches key on it
class Part:
    """One image set of a run under the zero-shot ("before") and the adapted model ("after")."""

    name: str  # pool or holdout
    reference: dict  # the image set, see runs.reference
    truth: NDArray[np.int64]  # (N,) class index, OOD or UNLABELED
    cosines: dict[str, NDArray[np.float32]]  # by side, (N, C)
    logit_scale: float

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def answer(self) -> dict[str, NDArray[np.int64]]:
        """Index of the class with the largest cosine, by side. (N,)"""
        return {side: c.argmax(1) for side, c in self.cosines.items()}

    @cached_property
    def confidence(self) -> dict[str, NDArray[np.float64]]:
        """Max softmax at the logit scale, by side. (N,)"""
        return {s: SCORES["msp"].compute(c, self.logit_scale) for s, c in self.cosines.items()}

    def scores(self, score: str) -> dict[str, NDArray[np.float64]]:
        """A score of `SCORES` by side, higher = more in-distribution. (N,)"""
        compute = SCORES[score].compute
        return {side: compute(c, self.logit_scale) for side, c in self.cosines.items()}

    @property
    def labelled(self) -> bool:
        return bool((self.truth != UNLABELED).any())

    @property
    def n_id(self) -> int:
        return int((self.truth >= 0).sum())

    @property
    def n_ood(self) -> int:
        return int((self.truth == OOD).sum())


@dataclass(frozen=True, eq=False)  # identity: holds arrays, and caches key on it
class Inspection:
    """Everything the Inspect page computes from."""

    run: str
    title: str
    method: str
    classes: tuple[str, ...]
    logit_scale: float
    step: int
    steps: int
    parts: dict[str, Part]  # the labelled test set first, where there is one

    @property
    def default(self) -> str:
        """The set to show first: the test set when it has labels, else the pool."""
        holdout = self.parts.get("holdout")
        return "holdout" if holdout is not None and holdout.labelled else "pool"


def read_inspection(folder: RunFolder) -> Inspection:
    """Open a run's result; UserError when it has none yet or it cannot be read."""
    state, config = folder.state, folder.config
    if state["state"] != "finished" or not (folder.path / "result.json").is_file():
        raise UserError(
            f"Run “{config['title']}”: it is {state['state']} and has no result yet; "
            "watch it on the Live page, let it finish, or stop it and keep what it has."
        )
    try:
        with safe_open(folder.path / "delta.safetensors", "numpy") as file:
            metadata = {k: json.loads(v) for k, v in file.metadata().items()}
        tensors = {side: _cosines(folder, name) for side, name in SIDES.items()}
    except (OSError, SafetensorError, ValueError, AttributeError) as error:
        raise UserError(
            f"Run “{config['title']}”: its result cannot be read ({error}); start the run again."
        ) from error
    labels, scale = folder.labels(), metadata["logit_scale"]
    parts = {}
    for name in ("holdout", "pool"):
        if config[name] is None:
            continue
        cosines = {side: found[f"{name}_cosines"] for side, found in tensors.items()}
        given = labels.get(name) or [None] * len(cosines["after"])
        truth = truth_from_labels(given, config["classes"])
        parts[name] = Part(name, config[name], truth, cosines, scale)
    return Inspection(
        run=folder.id,
        title=config["title"],
        method=config["settings"]["method"],
        classes=tuple(config["classes"]),
        logit_scale=scale,
        step=metadata["step"],
        steps=state["steps"] or metadata["step"],
        parts=parts,
    )


def _cosines(folder: RunFolder, name: str) -> dict[str, NDArray[np.float32]]:
    # Read as NumPy: a page that only looks never loads torch.
    with safe_open(folder.path / f"{name}.safetensors", "numpy") as file:
        keys = [k for k in file.keys() if k.endswith("_cosines")]  # noqa: SIM118 (no dict)
        return {k: file.get_tensor(k) for k in keys}
