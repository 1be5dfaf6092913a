"""Terms of the sentences that have a mark in the picture."""

import re

import pytest

from ueo_core.learn import sentence_numbers as n
from ueo_core.learn.marks import IN_PICTURE, PHRASES, highlighted
from ueo_core.learn.scenes import SCENES

SPAN = re.compile(r'<span class="learn-term" tabindex="0" data-mark="(\w+)">(.*?)</span>')


def test_a_term_is_a_span_with_its_mark_and_the_words_stay():
    text = "Known & unknown images: the unknown images move, term one (w) and Term two."
    html = highlighted(text, "triangle")
    assert SPAN.findall(html) == [
        ("unknown", "unknown images"),
        ("unknown", "unknown images"),
        ("one", "term one (w)"),
        ("two", "Term two"),
    ]
    assert SPAN.sub(r"\2", html) == text.replace("&", "&amp;")


def test_the_longest_term_wins_and_no_word_is_cut():
    assert SPAN.findall(highlighted("the mean prediction (the star)", "triangle")) == [
        ("star", "mean prediction (the star)")
    ]
    assert not SPAN.findall(highlighted("determine term ones unknown imagesets", "triangle"))


def test_only_what_the_picture_shows_is_a_term():
    assert highlighted("unknown images <b>", "eight") == "unknown images &lt;b&gt;"
    assert {m for marks in IN_PICTURE.values() for m in marks} == PHRASES.keys()


@pytest.mark.parametrize("scene", [k for k, s in SCENES.items() if s.picture in IN_PICTURE])
def test_every_such_scene_has_a_term(scene, demo):
    numbers = n.of_triangle(SCENES[scene].settings) | n.of_scores(demo, 5)
    numbers |= n.of_trained(demo, 0, demo.model.original)
    text = " ".join(s.text.format_map(numbers) for s in SCENES[scene].sentences)
    found = {mark for mark, _ in SPAN.findall(highlighted(text, SCENES[scene].picture))}
    assert found and found <= set(IN_PICTURE[SCENES[scene].picture])
