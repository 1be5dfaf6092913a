"""What cosines say about class names, on small examples computed by hand."""

import numpy as np

from ueo_core.evaluation.name_check import (
    Group,
    Pair,
    attracted,
    competing_pairs,
    group,
    name_sentences,
    nearest_images,
    pieces_problem,
    unfit,
    unnamed_groups,
)

COSINES = np.array([[0.3, 0.1, 0.0], [0.2, 0.4, 0.0], [0.5, 0.1, 0.1], [0.1, 0.2, 0.1]])


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def test_nearest_images_and_counts_of_every_name():
    assert nearest_images(COSINES, 2).tolist() == [[2, 0], [1, 3], [2, 3]]
    assert attracted(COSINES).tolist() == [2, 2, 0]


def test_a_pair_competes_where_many_images_are_contested_between_them():
    sure, torn = [1.0, 0.0, 0.0], [0.0, 0.50, 0.51]
    pairs = competing_pairs(np.array([sure] * 10 + [torn] * 4), 20.0)
    assert pairs == [Pair(1, 2, 4, 1.0)]
    # Two are too few; of ten sure ones and two contested, too small a share.
    assert competing_pairs(np.array([sure] * 10 + [torn] * 2), 20.0) == []
    little = [[0.0, 1.0, 0.0]] * 10 + [[0.0, 0.0, 1.0]] * 10 + [torn] * 3
    assert competing_pairs(np.array(little), 20.0) == []


def test_images_below_the_automatic_threshold_fit_no_name():
    g = np.random.default_rng(0)
    fits = np.hstack([g.normal(0.6, 0.01, (30, 1)), np.zeros((30, 3))])
    rest = np.hstack([g.normal(0.1, 0.01, (20, 1)), np.zeros((20, 3))])
    assert unfit(np.vstack([fits, rest])).tolist() == [False] * 30 + [True] * 20


def blobs(sizes, seed=0) -> np.ndarray:
    """Unit features around the axes: sizes[i] of them near axis i. (N, 8)"""
    g = np.random.default_rng(seed)
    at = np.repeat(range(len(sizes)), sizes)
    return unit(np.eye(8)[at] + g.normal(0, 0.05, (len(at), 8)))


def test_groups_are_the_blobs_and_small_ones_are_left_out():
    groups = group(blobs([12, 8, 5]))
    assert [sorted(g.tolist()) for g in groups] == [
        list(range(12)),
        list(range(12, 20)),
        list(range(20, 25)),
    ]
    assert group(blobs([2])) == []
    assert len(group(np.repeat(blobs([1]), 9, axis=0))) == 1  # all images alike


def test_a_group_without_a_name_gets_the_words_that_fit_it():
    features = blobs([20, 20, 12, 9])
    names, words = np.eye(8)[:2], np.eye(8)[[7, 3, 2]]
    found = unnamed_groups(features, names, words)
    assert [set(g.images) for g in found] == [set(range(40, 52)), set(range(52, 61))]
    assert [g.words[0] for g in found] == [2, 1]
    # Without a word that fits better than the names, none is suggested.
    assert all(g.words == () for g in unnamed_groups(features, names, np.empty((0, 8))))


def test_a_word_in_many_small_pieces_is_hardly_known():
    assert pieces_problem("xqzvjk", 3) and not pieces_problem("dachshund", 2)
    assert not pieces_problem("tyrannosaurus", 4) and not pieces_problem("ox", 1)


def test_each_finding_is_a_sentence_with_its_numbers():
    sentences = name_sentences(
        ["sun", "star", "blorp"],
        np.array([7, 5, 0]),
        [Pair(0, 1, 6, 0.5)],
        {"blorp": ["blorp"]},
        [Group((4, 5, 6), 0, (1, 0)), Group((1, 2, 3, 7), 1, ())],
        ["moon", "lamp"],
        12,
    )
    assert sentences == [
        "“blorp”: this model does not know “blorp”; use a more common word.",
        "“blorp” is the nearest name of none of the 12 photos; remove it, or describe it in other words.",
        "“sun” and “star” compete for 6 photos (50 % of theirs); make the names more different, or "
        "merge them.",
        "3 similar photos fit no name (nearest: “sun”); words that fit better: “lamp”, “moon”.",
        "4 similar photos fit no name (nearest: “star”), and no word of the list fits better.",
    ]
    hint = name_sentences(["quokka"], np.array([3]), [], {"quokka": ["quokka"]}, [], [], 3, False)
    assert hint == ["“quokka”: this model may not know “quokka”; use a more common word."]
    nothing = name_sentences(["a", "b"], np.array([1, 1]), [], {}, [], [], 2)
    assert nothing == ["Nothing stands out: every name attracts photos, and no two compete."]
