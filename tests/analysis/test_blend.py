"""What is said of the recommended model beside its stored reason, and never twice."""

import pytest

from ueo_core.analysis.blend import recommended_details, recommended_name
from ueo_core.evaluation.guard_rule import SHARES, Evidence, choose

EVIDENCE = {"0": {"consistency": 0.58}, "1": {"consistency": 0.02}, "0.25": {"consistency": 0.66}}
BLEND = {"share": 0.25, "evidence": EVIDENCE}
MEANING = (
    "The blend moves every adapted value 25 % of the way from the original to the adapted model"
)


def test_with_labels_it_gives_both_scores():
    figures = {"guarded": {"acc": 74.0, "hm": 74.2}, "adapted": {"acc": 6.0, "hm": 10.5}}
    said = "HM by the labels: 74.2 for the recommended model, 10.5 for the adapted model."
    assert recommended_details(BLEND, figures) == f"{MEANING}. {said}"
    assert recommended_details({"share": 0.0, "evidence": EVIDENCE}, figures) == said
    figures = {"guarded": {"acc": 74.0, "hm": None}, "adapted": {"acc": 6.0, "hm": None}}
    assert "ACC by the labels: 74.0 for" in recommended_details(BLEND, figures)


def test_without_labels_a_blend_is_explained_with_its_agreement():
    assert recommended_details(BLEND, None) == (
        f"{MEANING}; its predictions on random crops agree 66 %."
    )
    assert recommended_details({"share": 0.25, "evidence": {}}, None) == f"{MEANING}."


CHOSEN = {"zero-shot": {"evidence": 2.9}, "5": {"evidence": 3.6}, "10": {"evidence": 3.4}}


@pytest.mark.parametrize(
    ("share", "model", "name"),
    [
        (0.0, "zero-shot", "the original model"),
        (0.5, "5", "the model after step 5"),
        (0.5, "average", "the average of models along the run"),
        (0.5, "late average", "the average of the last models along the run"),
        (1.0, "10", "the adapted model"),
        (0.25, "", "the 25 % blend"),
    ],
)
def test_every_kind_of_recommended_model_has_a_name(share, model, name):
    assert recommended_name({"share": share, "model": model}) == name


@pytest.mark.parametrize(("share", "model"), [(0.0, ""), (0.0, "zero-shot"), (0.5, "5")])
def test_what_the_reason_says_is_not_said_again(share, model):
    guard = {"share": share, "model": model, "evidence": CHOSEN if model else EVIDENCE}
    assert recommended_details(guard, None) == ""


@pytest.mark.parametrize("best", [0.0, *SHARES[1:]])
def test_no_figure_of_a_real_choice_stands_twice(best):
    agreement = {0.0: 0.58, 1.0: 0.02}

    def evidence_of(share: float) -> Evidence:
        return Evidence(0.66 if share == best else agreement.get(share, 0.1), 0.9, 0.0)

    guard = choose(evidence_of).to_json()
    assert guard["share"] == best
    said = f"{guard['reason']} {recommended_details(guard, None)}"
    assert all(said.count(f"agree {n} %") <= 1 for n in (2, 10, 58, 66))
    assert said.count("original (zero-shot) model") <= 1 and said.count("ecommended") == 1
