"""The trust check of a run: which answers are offered, where they are kept, what they count for."""

import dataclasses

import numpy as np
import torch

from tests.helpers.run_folders import CLASSES, cosines_of, labels_of, write_run
from ueo_core.analysis.hand_labels import (
    OTHER,
    UNCLEAR,
    load_answers,
    load_hand_labels,
    save_hand_labels,
)
from ueo_core.analysis.run_result import read_inspection
from ueo_core.analysis.trust_check import TrustCheck, trust_check
from ueo_core.evaluation.metrics import OOD, truth_from_labels
from ueo_core.evaluation.ood_scores import SCORES
from ueo_core.evaluation.thresholds import mixture_threshold

TRUTH = truth_from_labels(labels_of(80), CLASSES)


def opened(folder) -> TrustCheck:
    found = read_inspection(folder)
    return trust_check(folder, found, found.parts["pool"])


def answer(check: TrustCheck, n: int) -> None:
    """Answer n images truly, with the keys that are offered."""
    for _ in range(n):
        keys = check.keys(check.next)
        truths = [k.truth for k in keys]
        true = int(TRUTH[check.next])
        check.give(check.next, true if true in truths else OTHER if OTHER in truths else OOD)


def test_decisions_are_those_of_the_studios_predictions(own_home):
    check = opened(write_run("r", labeled=False))
    assert check.models == ("zero-shot", "the adapted model") and check.preferred == 1
    for decided, skill, seed in zip(check.decisions, (0.03, 0.12), (0, 1), strict=True):
        cosines = cosines_of(labels_of(80), skill, seed)
        score = SCORES["mcm"].compute(cosines, 1.0)
        unknown = score < mixture_threshold(score)
        assert (decided == np.where(unknown, OOD, cosines.argmax(1))).all()


def test_the_recommended_blend_is_the_third_model(own_home):
    folder = write_run("r", labeled=False)
    blend = cosines_of(labels_of(80), 0.2, 3)
    folder.save_tensors("guarded_answers", {"pool_cosines": torch.from_numpy(blend)})
    found = dataclasses.replace(read_inspection(folder), guard={"share": 0.5})
    check = trust_check(folder, found, found.parts["pool"])
    assert check.models == ("zero-shot", "the 50 % blend", "the adapted model")
    assert check.preferred == 1
    known = check.decisions[1] != OOD
    assert (check.decisions[1][known] == blend.argmax(1)[known]).all()


def test_the_answers_offered_tell_of_every_model_whether_it_is_right(own_home):
    check = opened(write_run("r", labeled=False))
    decisions = np.array([[0, OOD, 0, OOD, 0, 1], [0, OOD, 1, 2, 1, 1], [0, OOD, 1, 2, 2, OOD]])
    check = dataclasses.replace(check, decisions=decisions)
    offered = [[(k.label, k.truth) for k in check.keys(i)] for i in range(6)]
    unknown, another = ("Unknown: none of the classes", OOD), ("Another class", OTHER)
    assert offered == [
        [("Right: cat", 0), ("Wrong: another class", OTHER), unknown],
        [("Right: none of the classes", OOD), ("Wrong: one of the classes", OTHER)],
        [("cat", 0), ("dog", 1), another, unknown],
        [("sun", 2), another, unknown],
        [("cat", 0), ("dog", 1), ("sun", 2), ("None of these", OTHER)],
        [("dog", 1), another, unknown],
    ]


def test_a_dozen_answers_give_the_sentence_and_all_of_them_the_truth(own_home):
    folder = write_run("r", labeled=False)
    check = opened(folder)
    assert check.sentence() == (
        f"The models disagree on {check.disagreements} of 80 images; 12 answers tell which one to use."
    )
    answer(check, 11)
    assert check.estimate() is None
    answer(check, 1)
    narrow = check.estimate()
    assert check.sentence().startswith(("Use the adapted model", "Keep zero-shot"))
    answer(check, 68)
    assert check.next is None
    found = opened(folder).estimate()
    right = 100 * (check.decisions == TRUTH).mean(1)
    for m, accuracy in enumerate(found.accuracy):
        assert np.isclose([accuracy.low, accuracy.value, accuracy.high], right[m]).all()
        assert narrow.accuracy[m].high - narrow.accuracy[m].low > 40
    assert found.best == int(right.argmax())


def test_an_answer_counts_once_and_can_be_undone_and_one_that_cannot_be_told_is_replaced(own_home):
    folder = write_run("r", labeled=False)
    check = opened(folder)
    first = check.next
    check.give(first, UNCLEAR)
    check.give(first, 0)  # a second press of a key
    assert check.truth(first) == UNCLEAR and check.usable == []
    answer(check, 12)
    assert len(check.usable) == 12 and check.estimate().n == 12
    check.undo()
    assert len(opened(folder).usable) == 11 and opened(folder).next == check.next


def test_hand_labels_and_answers_know_of_each_other(own_home):
    folder = write_run("r", labeled=False)
    check, part = opened(folder), read_inspection(folder).parts["pool"]
    labels = load_hand_labels(folder, part)
    # A label given by hand answers the check's first image; it is not asked again.
    labels.give(check.order[0], int(TRUTH[check.order[0]]))
    save_hand_labels(folder, labels)
    check = opened(folder)
    assert check.next == check.order[1] and check.usable == [check.order[0]]
    answer(check, 40)
    answers = load_answers(folder, part, check.step)
    assert len(answers) == 40 and load_hand_labels(folder, part).given == labels.given
    # An answer of the check labels an image when its turn comes, and none out of turn.
    labels = load_hand_labels(folder, part)
    known = {i: v for i, v in answers.items() if v != OTHER}
    assert labels.fill(known) == (labels.next != load_hand_labels(folder, part).next)
    end = next(k for k, i in enumerate(labels.order) if i not in labels.given)
    assert set(labels.order[:end]) <= known.keys() | {check.order[0]}
    assert labels.next == labels.order[end] and labels.next not in known


def test_other_is_forgotten_when_the_model_has_been_trained_longer(own_home):
    folder = write_run("r", labeled=False)
    check = opened(folder)
    check.give(check.order[0], OTHER)
    check.give(check.order[1], OOD)
    assert load_answers(folder, check.part, check.step) == {
        check.order[0]: OTHER,
        check.order[1]: OOD,
    }
    assert load_answers(folder, check.part, check.step + 4) == {check.order[1]: OOD}


def test_models_that_agree_everywhere_are_said_to(own_home):
    folder = write_run("r", labeled=False)
    zero = folder.tensors("zero_shot")
    folder.save_tensors("adapted", zero)
    check = opened(folder)
    assert check.disagreements == 0
    assert check.sentence().startswith("All models decide the same for all 80 images")
    answer(check, 12)
    assert "though 12 answers show no difference" in check.sentence()
