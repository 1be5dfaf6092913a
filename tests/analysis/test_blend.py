"""The sentence on the recommended model has the figures of both models."""

import pytest

from ueo_core.analysis.blend import blend_sentence, recommended_name

EVIDENCE = {"0": {"consistency": 0.58}, "1": {"consistency": 0.02}, "0.25": {"consistency": 0.66}}


def test_with_labels_it_gives_both_scores():
    figures = {"guarded": {"acc": 74.0, "hm": 74.2}, "adapted": {"acc": 6.0, "hm": 10.5}}
    assert blend_sentence({"share": 0.25, "evidence": EVIDENCE}, figures) == (
        "The blend moves every adapted value 25 % of the way from the original to the adapted model: "
        "HM 74.2, of the adapted model 10.5."
    )
    figures = {"guarded": {"acc": 74.0, "hm": None}, "adapted": {"acc": 6.0, "hm": None}}
    assert "ACC 74.0, of the adapted model 6.0." in blend_sentence(
        {"share": 0.25, "evidence": EVIDENCE}, figures
    )


def test_without_labels_it_gives_both_agreements():
    assert blend_sentence({"share": 0.25, "evidence": EVIDENCE}, None).endswith(
        "its predictions on random crops agree 66 %, those of the adapted model 2 %."
    )
    assert blend_sentence({"share": 0.0, "evidence": EVIDENCE}, None) == (
        "The recommended model is the original one, which adaptation has not changed: its predictions "
        "on random crops agree 58 %, those of the adapted model 2 %."
    )


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


def test_a_point_of_the_run_is_told_by_its_evidence():
    guard = {"share": 0.5, "model": "5", "evidence": CHOSEN}
    assert blend_sentence(guard, None) == (
        "The recommended model is the model after step 5: its evidence is 3.60 of 5, that of the adapted "
        "model 3.40."
    )
    guard = {"share": 0.0, "model": "zero-shot", "evidence": CHOSEN}
    assert blend_sentence(guard, None).endswith(
        "its evidence is 2.90 of 5, that of the adapted model 3.40."
    )
