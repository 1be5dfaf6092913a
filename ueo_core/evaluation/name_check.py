"""What zero-shot cosines and features say about class names: pure functions, no labels.

A name that no image is nearest to, two names that share the same images, and groups of images that
no name fits are seen before a run; each costs the run more than any setting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ueo_core.evaluation.ood_scores import DEFAULT_SCORE, SCORES
from ueo_core.evaluation.thresholds import mixture_threshold

NEAREST = 4  # images shown of a name and of a group
# An image is contested where the second name has this probability, and a pair competes where so many
# images, and this share of all that have one of the two names, are contested between them.
CONTESTED, FEWEST_CONTESTED, SHARE_CONTESTED = 0.25, 3, 0.2
SMALLEST_GROUP, GROUPS, GROUPED = 3, 8, 1000  # images; groups; images that are grouped at most
SUGGESTIONS = 3  # words for a group


@dataclass(frozen=True)
class Pair:
    """Two names that compete for the same images."""

    first: int  # index of the class
    second: int
    images: int  # contested between the two
    share: float  # of the images that have one of the two names, 0 to 1


@dataclass(frozen=True)
class Group:
    """Similar images that no name fits."""

    images: tuple[int, ...]  # the most typical first
    nearest: int  # the class name that is nearest to them
    words: tuple[int, ...]  # words that fit better than every name, the best first


def nearest_images(cosines: NDArray, k: int = NEAREST) -> NDArray[np.int64]:
    """The k images nearest to each name. (N, C) → (C, k), nearest first"""
    return np.argsort(-cosines, axis=0, kind="stable")[:k].T


def attracted(cosines: NDArray) -> NDArray[np.int64]:
    """Number of images whose nearest name is each of the names. (N, C) → (C,)"""
    return np.bincount(cosines.argmax(1), minlength=cosines.shape[1])


def competing_pairs(cosines: NDArray, scale: float) -> list[Pair]:
    """Pairs of names between which many images are contested, the most contested first. (N, C)"""
    p = softmax(scale * np.asarray(cosines, np.float64), axis=1)
    top = np.argsort(-p, axis=1, kind="stable")[:, :2]
    contested = p[np.arange(len(p)), top[:, 1]] >= CONTESTED
    named, found = attracted(cosines), []
    pairs, counts = np.unique(np.sort(top[contested], axis=1), axis=0, return_counts=True)
    for (a, b), n in zip(pairs.tolist(), counts.tolist(), strict=True):
        share = n / int(named[a] + named[b])
        if n >= FEWEST_CONTESTED and share >= SHARE_CONTESTED:
            found.append(Pair(a, b, n, share))
    return sorted(found, key=lambda pair: (-pair.images, pair.first, pair.second))


def unfit(cosines: NDArray) -> NDArray[np.bool_]:
    """Images that no name fits: below the automatic threshold of the OOD score. (N, C) → (N,)"""
    score = SCORES[DEFAULT_SCORE].compute(cosines, 1.0)
    return score < mixture_threshold(score)


def group(features: NDArray, seed: int = 0) -> list[NDArray[np.int64]]:
    """Groups of similar images, the largest first; within each, the most typical first.

    features: (N, D), unit length. k-means; the number of groups has the best silhouette (Rousseeuw,
    1987). Groups of fewer than SMALLEST_GROUP images are left out.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    n = len(features)
    if n < SMALLEST_GROUP:
        return []
    best, label = -1.0, np.zeros(n, np.int64)
    distinct = len(np.unique(features, axis=0))
    for k in range(2, min(GROUPS, n // SMALLEST_GROUP, distinct - 1) + 1):
        found = KMeans(k, n_init=3, random_state=seed).fit_predict(features)
        value = float(silhouette_score(features, found)) if len(np.unique(found)) > 1 else -1.0
        if value > best:
            best, label = value, found
    groups = []
    for g in np.unique(label):
        of = np.flatnonzero(label == g)
        typical = features[of] @ features[of].mean(0)
        groups.append(of[np.argsort(-typical, kind="stable")])
    return sorted((g for g in groups if len(g) >= SMALLEST_GROUP), key=len, reverse=True)


def unnamed_groups(features: NDArray, names: NDArray, words: NDArray, seed: int = 0) -> list[Group]:
    """Groups of the images that no name fits, with words that fit them better than every name.

    features: (N, D) of the images; names: (C, D); words: (W, D); all of unit length. A word is scored
    by its mean cosine with the group less its mean cosine with all images, so that a word which is
    near to everything is not suggested for everything.
    """
    cosines = features @ names.T
    images = np.flatnonzero(unfit(cosines))
    images = np.sort(np.random.default_rng(seed).permutation(images)[:GROUPED])
    center, found = features.mean(0), []
    for members in group(features[images], seed):
        mean = features[images[members]].mean(0)
        fits = names @ mean
        nearest = int(fits.argmax())
        standing = words @ (mean - center)
        better = np.flatnonzero(words @ mean > fits[nearest])
        ranked = better[np.argsort(-standing[better], kind="stable")][:SUGGESTIONS]
        found.append(Group(tuple(images[members].tolist()), nearest, tuple(ranked.tolist())))
    return found


def pieces_problem(word: str, pieces: int) -> bool:
    """Whether a tokenizer may not know a word: it is cut into 3 or more pieces of few letters.

    A hint, not a proof: CLIP's own cuts “cocktail” and “quokka” so as well.
    """
    return pieces >= 3 and len(word) / pieces <= 2.5


def name_sentences(
    classes: Sequence[str],
    counts: NDArray,
    pairs: Sequence[Pair],
    strange: Mapping[str, Sequence[str]],
    groups: Sequence[Group],
    words: Sequence[str],
    images: int,
    outright: bool = True,
) -> list[str]:
    """What was found, one sentence each, what is most serious first; one if nothing was found.

    counts: (C,) of `attracted`; strange: words that the model does not know, by class name;
    outright: whether that is certain, or only a hint of the tokenizer.
    """
    verb = "does not know" if outright else "may not know"
    found = [
        f"“{name}”: this model {verb} {' and '.join(f'“{w}”' for w in unknown)}; "
        "use a more common word."
        for name, unknown in strange.items()
    ]
    found += [
        f"“{name}” is the nearest name of none of the {images:,} photos; remove it, or describe it in "
        "other words."
        for name, n in zip(classes, counts, strict=True)
        if n == 0
    ]
    found += [
        f"“{classes[p.first]}” and “{classes[p.second]}” compete for {p.images:,} photos "
        f"({100 * p.share:.0f} % of theirs); make the names more different, or merge them."
        for p in pairs
    ]
    for g in groups:
        about = f"{len(g.images):,} similar photos fit no name (nearest: “{classes[g.nearest]}”)"
        if g.words:
            better = ", ".join(f"“{words[w]}”" for w in g.words)
            found.append(f"{about}; words that fit better: {better}.")
        else:
            found.append(f"{about}, and no word of the list fits better.")
    return found or ["Nothing stands out: every name attracts photos, and no two compete."]
