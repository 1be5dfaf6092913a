"""The sentence on the recommended model has the figures of both models."""

from ueo_core.analysis.blend import blend_sentence

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
