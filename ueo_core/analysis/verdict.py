"""Better, worse, or no difference: the same images before and after, by paired bootstrap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ueo_core.analysis.per_class import ClassChange, class_changes
from ueo_core.analysis.run_result import Part
from ueo_core.evaluation.metrics import OOD, UNLABELED, accuracy, auc, harmonic_mean

RESAMPLES = 1000
_CELLS = 2_000_000  # resamples × images held at once
TITLES = {"acc": "ACC", "auc": "AUC", "hm": "HM"}


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % bootstrap percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Compared:
    """One metric in percent; `difference` is after − before on the same images, in points."""

    before: Interval
    after: Interval
    difference: Interval

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the difference's interval leaves zero out, else `same`."""
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "same"


@dataclass(frozen=True)
class Verdict:
    """What adaptation did to one set, in words and numbers; what got worse is said first."""

    kind: str  # better, worse, mixed, same, unlabelled
    headline: str
    sentences: tuple[str, ...]
    metrics: dict[str, Compared]  # acc, auc, hm where the labels allow them
    worse_classes: tuple[ClassChange, ...]


def resampled(truth, seed: int = 0, resamples: int = RESAMPLES):
    """Bootstrap weights, how often each image is drawn, in blocks of rows. Yields (r, N) float32.

    Drawn with replacement within every class and within the unknown, so that each sample
    holds as many of each as there are; unlabelled images are never drawn.
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


def weighted_accuracy(weights: NDArray, hit, truth) -> NDArray[np.float64]:
    """Mean per-class recall of every resample, percent. weights (R, N) → (R,)"""
    truth = np.asarray(truth)
    present, inverse, n = np.unique(truth[truth >= 0], return_inverse=True, return_counts=True)
    share = np.zeros(len(truth))
    share[truth >= 0] = np.asarray(hit)[truth >= 0] / n[inverse] / len(present)
    return 100 * (weights @ share)


def weighted_auc(weights: NDArray, score, truth) -> NDArray[np.float64]:
    """AUROC of every resample, ID positive, ties counted half, percent. weights (R, N) → (R,)"""
    score, truth = np.asarray(score, np.float64), np.asarray(truth)
    known, unknown = np.flatnonzero(truth >= 0), np.flatnonzero(truth == OOD)
    unknown = unknown[np.argsort(score[unknown], kind="stable")]
    # A known image counts half at the number of unknown images below it, half at that of those
    # not above it. Few weights stand anywhere, so the sum by place is a sparse product.
    places = np.r_[
        np.searchsorted(score[unknown], score[known], "left"),
        np.searchsorted(score[unknown], score[known], "right"),
    ]
    at = np.tile(np.arange(len(known)), 2)
    half = csr_matrix(
        (np.full(len(at), 0.5, np.float32), (places, at)), (len(unknown) + 1, len(known))
    )
    won = (half @ weights[:, known].T).T  # (R, unknown + 1)
    below = np.zeros_like(won, np.float64)
    np.cumsum(weights[:, unknown], axis=1, out=below[:, 1:])
    return 100 * (won * below).sum(1) / (weights[:, known].sum(1) * below[:, -1])


def compare(
    part: Part, score: str, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Compared]:
    """ACC, AUC and HM before and after with intervals; only those that the labels allow."""
    n = part.cosines["after"].shape[1]
    return paired(part.prediction, part.scores(score), part.truth, n, seed, resamples)


def paired(
    predictions: dict[str, NDArray],
    scores: dict[str, NDArray],
    truth,
    n_classes: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Compared]:
    """ACC, AUC and HM of two models on the same images; only those that the labels allow.

    answers, scores: (N,) each, of "before" and "after": every resample draws the same images
    for both, so that the difference is not blurred by which images were drawn.
    """
    point: dict[str, dict[str, float | None]] = {}
    for side in predictions:
        acc, roc = accuracy(predictions[side], truth, n_classes), auc(scores[side], truth)
        point[side] = {"acc": acc, "auc": roc, "hm": harmonic_mean(acc, roc)}
    names = [m for m in TITLES if point["after"][m] is not None]
    if not names:
        return {}
    draws: dict[str, dict[str, list]] = {s: {m: [] for m in names} for s in predictions}
    for weights in resampled(truth, seed, resamples):
        for side, drawn in draws.items():
            if "acc" in drawn:
                hit = predictions[side] == truth
                drawn["acc"].append(weighted_accuracy(weights, hit, truth))
            if "auc" in drawn:
                drawn["auc"].append(weighted_auc(weights, scores[side], truth))
            if "hm" in drawn:
                a, b = drawn["acc"][-1], drawn["auc"][-1]
                drawn["hm"].append(2 * a * b / np.maximum(a + b, 1e-12))
    found = {}
    for m in names:
        before, after = (np.concatenate(draws[s][m]) for s in ("before", "after"))
        b, a = point["before"][m], point["after"][m]
        found[m] = Compared(
            _interval(b, before), _interval(a, after), _interval(a - b, after - before)
        )
    return found


def judge(part: Part, score: str, classes, seed: int = 0) -> Verdict:
    """The verdict on one set of a run."""
    flipped = int((part.prediction["before"] != part.prediction["after"]).sum())
    moved = f"{flipped:,} of {len(part):,} images have another answer than before."
    crowding = _crowding(part)
    if not part.labelled:
        return Verdict(
            "unlabelled",
            "Nobody knows yet whether it helped: these images have no labels.",
            (
                *crowding,
                moved,
                "What follows is what can be seen without labels. Look at the flipped answers "
                "before trusting them.",
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
            f"{c.name} {c.before:.0f} → {c.after:.0f} %{' (clear)' if c.p_value < 0.05 else ''}"
            for c in worse[:6]
        )
        more = f"; and {len(worse) - 6} more" if len(worse) > 6 else ""
        sentences.append(
            f"Worse in {len(worse)} of {len(changes)} classes: {named}{more}. "
            "“Clear” means beyond chance (exact sign test, p < 0.05)."
            if any(c.p_value < 0.05 for c in worse)
            else f"Worse in {len(worse)} of {len(changes)} classes: {named}{more}; "
            "none of them by more than chance can explain."
        )
    elif changes:
        sentences.append(f"None of the {len(changes)} classes got worse.")
    by_harm = sorted(metrics, key=lambda m: ("worse", "same", "better").index(verdicts[m]))
    sentences += [_sentence(m, metrics[m]) for m in by_harm]
    if "auc" not in metrics:
        sentences.append(
            "No labelled image lies outside the classes, so there is no AUC."
            if part.n_id
            else "No labelled image is of one of the classes, so there is neither ACC nor AUC."
        )
    sentences += crowding + [moved]
    kind, headline = _headline(metrics, verdicts)
    return Verdict(kind, headline, tuple(sentences), metrics, worse)


def _crowding(part: Part) -> list[str]:
    """A sentence when the answers crowd into half as many classes as before, or fewer."""
    used = {}
    for side, prediction in part.prediction.items():
        share = np.unique(prediction, return_counts=True)[1] / len(prediction)
        used[side] = float(np.exp(-(share * np.log(share)).sum()))
    if used["after"] > used["before"] / 2:
        return []
    return [
        f"The answers crowd into about {used['after']:.0f} class{'es' * (round(used['after']) != 1)}; "
        f"before, they were spread over about {used['before']:.0f}: a sign of collapse."
    ]


def _headline(metrics: dict[str, Compared], verdicts: dict[str, str]) -> tuple[str, str]:
    if not metrics:
        return "unlabelled", "The labels do not allow a verdict."
    parts = {m: v for m, v in verdicts.items() if m != "hm"}
    worse = [TITLES[m] for m, v in parts.items() if v == "worse"]
    better = [TITLES[m] for m, v in parts.items() if v == "better"]
    lead = "hm" if "hm" in metrics else next(iter(metrics))
    d = metrics[lead].difference
    figures = f"{TITLES[lead]} {d.value:+.1f} points, 95 % interval {d.low:+.1f} to {d.high:+.1f}"
    if worse and better:
        return (
            "mixed",
            f"Mixed: {' and '.join(worse)} got worse, {' and '.join(better)} better ({figures}).",
        )
    if worse or verdicts[lead] == "worse":
        return "worse", f"Worse: the adaptation did harm here ({figures})."
    if better or verdicts[lead] == "better":
        return "better", f"Better ({figures})."
    return "same", f"No difference within the interval ({figures})."


def _sentence(metric: str, c: Compared) -> str:
    words = {"better": "rose", "worse": "FELL", "same": "did not clearly change:"}[c.verdict]
    return (
        f"{TITLES[metric]} {words} {c.before.value:.1f} → {c.after.value:.1f} "
        f"({c.difference.value:+.1f}, 95 % interval {c.difference.low:+.1f} to {c.difference.high:+.1f})."
    )


def _interval(value: float, drawn: NDArray) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(value), float(low), float(high))
