"""Paired tests of models on the same images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import binomtest

from ueo_core.analysis.compare import ComparedRun, Model, ModelPredictions
from ueo_core.analysis.verdict import RESAMPLES, TITLES, Compared, paired
from ueo_core.evaluation.metrics import OOD

ACCURACY_TEST = "exact McNemar test, two-sided"
INTERVAL = (
    f"paired bootstrap of the images within each class, {RESAMPLES:,} resamples (fewer of more than "
    "200,000 images)"
)


@dataclass(frozen=True)
class Paired:
    """A run against a reference on the same images."""

    run: str
    n_known: int  # images of one of the classes: McNemar's n
    n_unknown: int
    gained: int  # right with the run, wrong with the reference
    lost: int
    p_value: float  # of gained against lost: ACCURACY_TEST
    p_holm: float  # the same, corrected for all runs tested at once (Holm, 1979)
    metrics: dict[str, Compared]  # acc, auc, hm; `difference` is run − reference, by INTERVAL

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `same` by the interval of HM, else of ACC or AUC."""
        lead = next((m for m in ("hm", "acc", "auc") if m in self.metrics), None)
        return self.metrics[lead].verdict if lead else "same"


def mcnemar(right_before, right_after) -> tuple[int, int, float]:
    """Exact McNemar test of two models on the same images. (N,), (N,) bool → gained, lost, p

    Under the null hypothesis a discordant image is as likely gained as lost: binomial with ½.
    """
    before, after = np.asarray(right_before, bool), np.asarray(right_after, bool)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return gained, lost, p


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for multiple tests (Holm, 1979), in the given order."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1, p[order] * (len(p) - np.arange(len(p))))
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(steps)
    return corrected.tolist()


def against(
    compared_runs: Sequence[ComparedRun],
    reference: Model,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Paired]:
    """Test every run on the reference's benchmark against the reference; needs labels.

    The reference itself and runs on other images, class names or labels are left out.
    `progress(done, total)` counts the runs; the resamples of two models are cached.
    """
    start = reference.compared_run
    same = [
        c
        for c in compared_runs
        if c.benchmark == start.benchmark and not (reference.side == "after" and c.run == start.run)
    ]
    if not start.labeled:
        return []
    counted = [_hits(start, reference.predictions, c.predictions["after"]) for c in same]
    corrected = holm([p for *_, p in counted])
    found: list[Paired] = []
    for c, (gained, lost, p), q in zip(same, counted, corrected, strict=True):
        progress(len(found), len(same))
        metrics = _bootstrapped(start, reference.predictions, c.predictions["after"], seed)
        n_known, n_unknown = int((c.truth >= 0).sum()), int((c.truth == OOD).sum())
        found.append(Paired(c.run, n_known, n_unknown, gained, lost, p, q, metrics))
    return found


@lru_cache(maxsize=128)  # a thousand samples of 10,000 images take a second
def _bootstrapped(
    start: ComparedRun, reference: ModelPredictions, other: ModelPredictions, seed: int
) -> dict[str, Compared]:
    predictions = {"before": reference.prediction, "after": other.prediction}
    scores = {"before": reference.score, "after": other.score}
    return paired(predictions, scores, start.truth, len(start.classes), seed)


def _hits(
    start: ComparedRun, reference: ModelPredictions, other: ModelPredictions
) -> tuple[int, int, float]:
    known = start.truth >= 0
    right = [a.prediction[known] == start.truth[known] for a in (reference, other)]
    return mcnemar(*right)


def summary_sentence(tests: Sequence[Paired], names: dict[str, str], reference: str) -> str:
    """Which runs are better or worse than the reference, in one sentence; empty without tests."""
    if not tests:
        return ""
    lead = next((m for m in ("hm", "acc", "auc") if m in tests[0].metrics), None)
    if lead is None:
        return "These labels allow no test: no image is labeled with one of the classes."
    parts = []
    for kind, words in (
        ("worse", "worse than {}"),
        ("better", "better than {}"),
        ("same", "not significantly different from {}"),
    ):
        mine = [t for t in tests if t.verdict == kind]
        if mine:
            runs = ", ".join(
                f"{names[t.run]} ({t.metrics[lead].difference.value:+.1f})" for t in mine
            )
            parts.append(f"{words.format(reference.replace('Zero', 'zero', 1))}: {runs}")
    return f"By {TITLES[lead]} on the same images: {'; '.join(parts)}."
