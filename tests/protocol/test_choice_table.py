"""How close a choice without labels comes to the best model: the figures are what they say."""

from ueo_core.protocol.choice_table import Chosen, choice_markdown, summarize_choices

ROWS = [
    Chosen("a-1", ("a", "open"), True, zero_shot=60, best=80, chosen=79.5, preset=80),
    Chosen("a-2", ("a", "open"), False, zero_shot=70, best=74, chosen=72, preset=60),
    Chosen("b-1", ("b", "closed"), False, zero_shot=90, best=91, chosen=88.5, preset=90),
]


def test_regret_gain_harm_and_share_on_a_computed_example():
    found = summarize_choices(ROWS)
    assert (found["problems"], found["regret"], found["worst_regret"]) == (3, 1.67, 2.5)
    assert (found["gain"], found["worst"], found["harmed"]) == (6.67, -1.5, 0.333)
    assert found["share"] == 0.8  # (19.5 + 2 − 1.5) / (20 + 4 + 1)
    assert found["over_preset"] == (12 - 1.5) / 2  # without the showcase's domain
    assert found["groups"]["a · open"]["n"] == 2 and found["groups"]["a · open"]["harmed"] == 0
    assert [m["problem"] for m in found["misses"]] == ["b-1", "a-2"]


def test_what_no_label_can_improve_has_no_share():
    found = summarize_choices([Chosen("a", ("a", "open"), True, 50, 50, 50, 50)])
    assert (found["share"], found["over_preset"], found["misses"]) == (None, None, [])
    assert "| all | 1 | 0.00 | 0.0 | +0.00 | +0.0 | 0 % | – | – |" in choice_markdown(found)


def test_the_table_names_every_miss():
    text = "\n".join(choice_markdown(summarize_choices(ROWS)))
    assert "| all | 3 | 1.67 | 2.5 | +6.67 | -1.5 | 33 % | 80 % | +5.25 |" in text
    assert "| b-1 | 90.0 | 91.0 | 88.5 |" in text and "a-1" not in text
    assert choice_markdown({}) == ["No problem is finished yet."]
