"""Which rate and which model are chosen, from numbers alone."""

import math

import pytest

from ueo_core.evaluation import selection
from ueo_core.evaluation.selection import choose_model, measured_steps, remaining, rungs, winner

NAMES = {
    "zero-shot": "The original (zero-shot) model",
    "5": "The model after epoch 1 (step 5)",
    "10": "The last epoch",
    "average": "The average of 2 models along the run",
}


def of(value: float, spread: float = 0.9, separation: float = 2.0) -> dict[str, float]:
    """Criteria whose consistency rises with the evidence."""
    found = {"evidence": value, "spread": spread, "separation": separation, "information": 1.5}
    return found | dict.fromkeys(("crops", "neighbors", "confident"), value / 10)


def test_rates_are_compared_after_an_eighth_and_a_quarter_of_a_run():
    assert rungs(80) == (10, 20)
    assert rungs(1) == (1, 1)  # no run is too short
    assert rungs(6) == (1, 2)
    # Five rates to the first, about half of them from there to the second.
    assert selection.search_steps(80) == 5 * 10 + 3 * 10


def test_only_clear_failures_are_dropped_at_the_first_rung():
    assert remaining({0.1: of(3.0), 0.3: of(3.5), 0.9: of(2.99)}) == [0.1, 0.3]
    assert remaining({0.1: None, 0.3: of(1.0)}) == [0.3]
    assert remaining({0.1: None}) == []


def test_the_largest_rate_with_about_the_best_evidence_wins():
    assert winner({0.1: of(3.5), 0.3: of(3.45), 0.9: of(3.3)}) == 0.3
    assert winner({0.3: of(3.45), 0.1: of(3.5), 0.9: of(3.41)}) == 0.9
    assert winner({0.1: of(3.5), 0.3: of(3.39), 0.9: None}) == 0.1
    assert winner({0.1: None, 0.3: None}) is None


def test_at_most_eight_ends_of_epochs_are_candidates_and_the_last_step_always_is():
    assert measured_steps(0, 10, 5) == {5, 10}
    found = measured_steps(0, 50, 1)
    assert len(found) <= 8 and 50 in found and min(found) > 0
    # Further epochs of a finished run begin where it had ended.
    assert measured_steps(10, 20, 5) == {15, 20}
    assert measured_steps(0, 3, 5) == {3}


def test_the_model_with_the_most_evidence_is_recommended():
    choice = choose_model({"zero-shot": of(3.0), "5": of(3.6), "10": of(3.4)}, "10", NAMES, 100, 16)
    assert (choice.model, choice.share) == ("5", 0.5)
    assert "3.60 of 5; last epoch 3.40, zero-shot 3.00" in choice.reason
    assert choice.reason.endswith("Recommended: the model after epoch 1 (step 5).")
    choice = choose_model({"zero-shot": of(3.0), "5": of(3.2), "10": of(3.4)}, "10", NAMES, 100, 16)
    assert (choice.model, choice.share) == ("10", 1.0)
    assert choice.reason.startswith("The last epoch has the most evidence of 3 candidates")
    choice = choose_model({"zero-shot": of(3.5), "10": of(3.4)}, "10", NAMES, 100, 16)
    assert (choice.model, choice.share) == ("zero-shot", 0.0)
    assert choice.reason.startswith(
        "Of 1 candidates, none has clearly more evidence and more consistency than zero-shot"
    )


@pytest.mark.parametrize(
    ("evidence", "consistency", "model"),
    [
        (selection.MORE_EVIDENCE + 1e-6, selection.MORE_CONSISTENCY + 1e-6, "10"),
        (selection.MORE_EVIDENCE - 1e-6, 0.5, "zero-shot"),
        (1.0, selection.MORE_CONSISTENCY - 1e-6, "zero-shot"),
    ],
)
def test_evidence_and_consistency_must_both_speak_against_zero_shot(evidence, consistency, model):
    zero = of(3.0)
    now = of(3.0 + evidence) | {name: zero[name] for name in selection.CONSISTENCY}
    now["neighbors"] += consistency
    choice = choose_model({"zero-shot": zero, "10": now}, "10", NAMES, 100, 16)
    assert choice.model == model
    assert choice.evidence["10"]["sound"] == (model == "10")


def test_one_kind_of_consistency_may_fall_where_the_others_rise_more():
    zero = of(3.0)
    now = of(3.5) | {"confident": 0.2, "crops": 0.4, "neighbors": 0.4}
    assert choose_model({"zero-shot": zero, "10": now}, "10", NAMES, 100, 16).model == "10"
    now["crops"] = 0.3
    assert choose_model({"zero-shot": zero, "10": now}, "10", NAMES, 100, 16).model == "zero-shot"


@pytest.mark.parametrize(
    ("changed", "what"),
    [({"spread": 0.8}, "classes"), ({"separation": 3.0}, "groups of scores")],
)
def test_a_model_that_lost_something_is_never_recommended(changed, what):
    now = of(4.5, separation=4.0) | changed
    found = {"zero-shot": of(3.0, separation=4.0), "10": now}
    choice = choose_model(found, "10", NAMES, 100, 16)
    assert choice.model == "zero-shot"
    assert f"the last epoch has lost {what} that zero-shot has" in choice.reason
    assert choice.evidence["10"]["sound"] == 0 and choice.evidence["zero-shot"]["sound"] == 1


@pytest.mark.parametrize(
    ("images", "share", "told"),
    [
        (9, 0.9, "9 images are too few"),
        (10, 0.34, "(mutual information: 34 % of the most there can be)"),
        (60, -1e-9, "(mutual information: 0 % of the most there can be)"),
    ],
)
def test_zero_shot_is_recommended_where_evidence_says_nothing(images, share, told):
    found = {"zero-shot": of(1.0), "10": of(3.0)}
    found["zero-shot"]["information"] = share * math.log(6)
    choice = choose_model(found, "10", NAMES, images, 6)
    assert (choice.model, choice.share) == ("zero-shot", 0.0)
    assert told in choice.reason
    assert choice.reason.endswith("Recommended: the original (zero-shot) model.")
    assert choice.evidence["10"]["evidence"] == 3.0  # what was measured is kept


def test_evidence_counts_from_ten_images_that_zero_shot_tells_apart():
    found = {"zero-shot": of(1.0), "10": of(3.0)}
    found["zero-shot"]["information"] = 0.36 * math.log(6)
    assert choose_model(found, "10", NAMES, 10, 6).model == "10"
    assert selection.inconclusive(found["zero-shot"], 10, 1)  # of one class nothing is told apart
