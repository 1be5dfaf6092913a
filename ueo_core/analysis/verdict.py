"""The verdict on a run: the same images before and after, compared by a paired bootstrap."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ueo_core.analysis.per_class import ClassChange, class_changes
from ueo_core.analysis.run_result import SetResult
from ueo_core.evaluation.intervals import Interval
from ueo_core.evaluation.metrics import OOD, UNLABELED, accuracy, auc, harmonic_mean

RESAMPLES = 1000
# Images drawn in all, some 20 seconds: a set of more than 200,000 has fewer resamples, and intervals that
# are a tenth of a point wide, of which the number of resamples then changes a tenth.
_DRAWN = 200_000_000
_CELLS = 2_000_000  # resamples × images held at once
TITLES = {"acc": "ACC", "auc": "AUC", "hm": "HM"}


@dataclass(frozen=True)
class Compared:
    """One metric in percent; `difference` is after − before on the same images, in points."""

    before: Interval
    after: Interval
    difference: Interval

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval of the difference excludes zero, else `same`."""
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "same"


@dataclass(frozen=True)
class Verdict:
    """The effect of adaptation on one set, in sentences and numbers; degradation comes first."""

    kind: str  # better, worse, mixed, same, unlabelled
    summary: str  # one sentence without numbers
    sentences: tuple[str, ...]
    metrics: dict[str, Compared]  # acc, auc, hm where the labels allow them
    worse_classes: tuple[ClassChange, ...]
    figures: str = ""  # the numbers that the summary is based on
    about_metrics: tuple[str, ...] = ()  # those of `sentences` that only give figures of metrics

    @property
    def headline(self) -> str:
        """The summary with its figures in parentheses."""
        return f"{self.summary[:-1]} ({self.figures})." if self.figures else self.summary

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences that a page needs which shows the metrics as numbers of their own."""
        return tuple(s for s in self.sentences if s not in self.about_metrics)


def resamples_of(images: int) -> int:
    """How many resamples a set of so many images has: `RESAMPLES`, fewer where it is large."""
    return min(RESAMPLES, max(100, _DRAWN // max(1, images)))


def resampled(truth, seed: int = 0, resamples: int = RESAMPLES):
    """Bootstrap weights: how often each image is drawn. Yields blocks of rows, (r, N) float32.

    Images are drawn with replacement within each class and within the unknown images, so that
    each sample has the same class counts as the set; unlabeled images are never drawn.
    """
    truth = np.asarray(truth)
    g = np.random.default_rng(seed)
    strata = [np.flatnonzero(truth == v) for v in np.unique(truth) if v != UNLABELED]
    block = max(1, min(resamples, _CELLS // max(1, len(truth))))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        weights = np.zeros((rows, len(truth)), np.float32)
        for members in strata:
            n = len(members)
            drawn = g.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
            weights[:, members] = counts
        yield weights


Measure = Callable[[NDArray], NDArray[np.float64]]  # weights of images (R, N) → (R,)


def accuracy_by_weights(hit, truth) -> Measure:
    """Mean per-class recall of each resample, percent, for blocks of resamples. hit, truth: (N,)"""
    truth = np.asarray(truth)
    present, inverse, n = np.unique(truth[truth >= 0], return_inverse=True, return_counts=True)
    share = np.zeros(len(truth))
    share[truth >= 0] = np.asarray(hit)[truth >= 0] / n[inverse] / len(present)
    return lambda weights: 100 * (weights @ share)


def weighted_auc(weights: NDArray, score, truth) -> NDArray[np.float64]:
    """AUROC of each resample, ID positive, ties counted half, percent. weights (R, N) → (R,)"""
    return auc_by_weights(score, truth)(weights)


def auc_by_weights(score, truth) -> Measure:
    """`weighted_auc` for several blocks of resamples of the same images, which are sorted once."""
    score, truth = np.asarray(score, np.float64), np.asarray(truth)
    known, unknown = np.flatnonzero(truth >= 0), np.flatnonzero(truth == OOD)
    unknown = unknown[np.argsort(score[unknown], kind="stable")]
    # A known image counts half at the number of unknown images with a lower score, and half at
    # the number with a score that is not higher. The matrix that sums by place is sparse.
    places = np.r_[
        np.searchsorted(score[unknown], score[known], "left"),
        np.searchsorted(score[unknown], score[known], "right"),
    ]
    at = np.tile(np.arange(len(known)), 2)
    half = csr_matrix(
        (np.full(len(at), 0.5, np.float32), (places, at)), (len(unknown) + 1, len(known))
    )

    def of(weights: NDArray) -> NDArray[np.float64]:
        won = (half @ weights[:, known].T).T  # (R, unknown + 1)
        below = np.zeros_like(won, np.float64)
        np.cumsum(weights[:, unknown], axis=1, out=below[:, 1:])
        return 100 * (won * below).sum(1) / (weights[:, known].sum(1) * below[:, -1])

    return of


def compare(
    part: SetResult, score: str, seed: int = 0, resamples: int | None = None
) -> dict[str, Compared]:
    """ACC, AUC and HM before and after with intervals; only those for which there are labels."""
    n = part.cosines["after"].shape[1]
    return paired(part.prediction, part.scores(score), part.truth, n, seed, resamples)


def paired(
    predictions: dict[str, NDArray],
    scores: dict[str, NDArray],
    truth,
    n_classes: int,
    seed: int = 0,
    resamples: int | None = None,
) -> dict[str, Compared]:
    """ACC, AUC and HM of two models on the same images; only those for which there are labels.

    predictions, scores: (N,) each, of "before" and "after". Every resample draws the same images
    for both, so that the choice of images adds no variance to the difference. resamples: None, as many
    as `resamples_of` says.
    """
    resamples = resamples_of(len(truth)) if resamples is None else resamples
    point: dict[str, dict[str, float | None]] = {}
    for side in predictions:
        acc, roc = accuracy(predictions[side], truth, n_classes), auc(scores[side], truth)
        point[side] = {"acc": acc, "auc": roc, "hm": harmonic_mean(acc, roc)}
    sides = {m: (point["before"][m], point["after"][m]) for m in TITLES}
    values = {m: (b, a) for m, (b, a) in sides.items() if b is not None and a is not None}
    if not values:
        return {}
    draws: dict[str, dict[str, list]] = {s: {m: [] for m in values} for s in predictions}
    measures: dict[str, dict[str, Measure]] = {side: {} for side in predictions}
    for side, made in measures.items():
        if "acc" in values:
            made["acc"] = accuracy_by_weights(predictions[side] == truth, truth)
        if "auc" in values:
            made["auc"] = auc_by_weights(scores[side], truth)
    for weights in resampled(truth, seed, resamples):
        for side, drawn in draws.items():
            for m, measure in measures[side].items():
                drawn[m].append(measure(weights))
            if "hm" in drawn:
                a, b = drawn["acc"][-1], drawn["auc"][-1]
                drawn["hm"].append(2 * a * b / np.maximum(a + b, 1e-12))
    found = {}
    for m, (b, a) in values.items():
        before, after = (np.concatenate(draws[s][m]) for s in ("before", "after"))
        found[m] = Compared(
            _interval(b, before), _interval(a, after), _interval(a - b, after - before)
        )
    return found


def judge(part: SetResult, score: str, classes, seed: int = 0) -> Verdict:
    """The verdict on one set of a run."""
    n_changed = int((part.prediction["before"] != part.prediction["after"]).sum())
    changed = f"{n_changed:,} of {len(part):,} predictions changed."
    collapse = _collapse(part)
    if not part.labeled:
        return Verdict(
            "unlabelled",
            "No labels, so improvement cannot be measured.",
            (
                *collapse,
                changed,
                "Only what can be measured without labels is shown. Check the changed predictions "
                "before you rely on them.",
            ),
            {},
            (),
        )
    metrics = compare(part, score, seed)
    changes = class_changes(
        part.prediction["before"], part.prediction["after"], part.truth, classes
    )
    worse = tuple(c for c in changes if c.change < 0)
    verdicts = {m: c.verdict for m, c in metrics.items()}
    sentences = []
    if worse:
        named = "; ".join(
            f"{c.name} {c.before:.0f} → {c.after:.0f} %{' (significant)' if c.p_value < 0.05 else ''}"
            for c in worse[:6]
        )
        more = f"; and {len(worse) - 6} more" if len(worse) > 6 else ""
        sentences.append(
            f"Worse in {len(worse)} of {len(changes)} classes: {named}{more}. "
            "“Significant”: exact sign test, p < 0.05."
            if any(c.p_value < 0.05 for c in worse)
            else f"Worse in {len(worse)} of {len(changes)} classes: {named}{more}; "
            "none statistically significant."
        )
    elif changes:
        sentences.append(f"None of the {len(changes)} classes got worse.")
    by_harm = sorted(metrics, key=lambda m: ("worse", "same", "better").index(verdicts[m]))
    about_metrics = [_sentence(m, metrics[m]) for m in by_harm]
    sentences += about_metrics
    if "auc" not in metrics:
        sentences.append(
            "No image is labeled as unknown, so there is no AUC."
            if part.n_id
            else "No image is labeled with one of the classes, so there is neither ACC nor AUC."
        )
    sentences += [*collapse, changed]
    kind, summary, figures = _headline(metrics, verdicts)
    return Verdict(kind, summary, tuple(sentences), metrics, worse, figures, tuple(about_metrics))


def _collapse(part: SetResult) -> list[str]:
    """A sentence if the predictions cover at most half as many classes as before, else none.

    The number of classes is exp(H) of the shares of the predictions.
    """
    used = {}
    for side, prediction in part.prediction.items():
        share = np.unique(prediction, return_counts=True)[1] / len(prediction)
        used[side] = float(np.exp(-(share * np.log(share)).sum()))
    if used["after"] > used["before"] / 2:
        return []
    if round(used["after"]) == 1:
        return [
            f"Predictions have collapsed onto one class (about {used['before']:.0f} classes before)."
        ]
    return [
        f"Predictions cover about {used['after']:.0f} classes instead of {used['before']:.0f}: "
        "a sign of collapse."
    ]


def _headline(metrics: dict[str, Compared], verdicts: dict[str, str]) -> tuple[str, str, str]:
    """→ kind, summary, figures"""
    if not metrics:
        return "unlabelled", "These labels allow no verdict.", ""
    parts = {m: v for m, v in verdicts.items() if m != "hm"}
    worse = [TITLES[m] for m, v in parts.items() if v == "worse"]
    better = [TITLES[m] for m, v in parts.items() if v == "better"]
    lead = "hm" if "hm" in metrics else next(iter(metrics))
    d = metrics[lead].difference
    figures = f"{TITLES[lead]} {signed(d.value)} points, 95 % interval {signed(d.low)} to {signed(d.high)}"
    if worse and better:
        return (
            "mixed",
            f"Mixed: {' and '.join(worse)} got worse, {' and '.join(better)} got better.",
            figures,
        )
    if worse or verdicts[lead] == "worse":
        return "worse", "Worse: adaptation degraded the model on these images.", figures
    if better or verdicts[lead] == "better":
        return "better", "Better: adaptation improved the model on these images.", figures
    return "same", "No statistically significant difference.", figures


def _sentence(metric: str, c: Compared) -> str:
    words = {
        "better": "increased:",
        "worse": "decreased:",
        "same": "did not change significantly:",
    }[c.verdict]
    d = c.difference
    return (
        f"{TITLES[metric]} {words} {c.before.value:.1f} → {c.after.value:.1f} "
        f"({signed(d.value)}, 95 % interval {signed(d.low)} to {signed(d.high)})."
    )


def signed(value: float) -> str:
    """A difference in points with its sign, "+0.0" where it is rounded to nothing."""
    return f"{round(value, 1) + 0.0:+.1f}"


def _interval(value: float, drawn: NDArray) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))
