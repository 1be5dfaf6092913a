"""Predict first: each question has an option for what happens, and no text tells it before."""

import math
import re

import numpy as np
import pytest

from ueo_core.learn import happened
from ueo_core.learn import sentence_numbers as n
from ueo_core.learn.demo import draw_eight
from ueo_core.learn.link import NUMBERS, Link, parse
from ueo_core.learn.outcomes import COLLAPSED, CONFIDENT, OUTCOMES
from ueo_core.learn.parameter_counts import VIT
from ueo_core.learn.payload import payload
from ueo_core.learn.questions import QUESTIONS
from ueo_core.learn.scenes import SCENES, Look
from ueo_core.learn.triangle_settings import PRESETS, STEPS, TriangleSettings
from ueo_core.learn.why import WHY

TRIANGLES = [k for k, scene in SCENES.items() if scene.picture == "triangle"]


def test_every_scene_with_a_result_asks_first():
    with_results = {k for k, scene in SCENES.items() if any(s.result for s in scene.sentences)}
    assert with_results | {"live"} == QUESTIONS.keys()  # the numbers of a run come with the run
    for key, question in QUESTIONS.items():
        assert question.text.endswith("?")
        assert 2 <= len(question.options) <= NUMBERS["predicted"][1]
        outcomes = [o for option in question.options for o in option.outcomes]
        assert len(outcomes) == len(set(outcomes))
        # Playing shows the result of a triangle and of a run, a button that of the others.
        assert bool(question.show) == (SCENES[key].picture not in ("triangle", "live"))


def test_what_is_shown_before_playing_names_no_result(demo):
    numbers = {
        "eight": n.of_eight(demo, 0),
        "scores": n.of_scores(demo, 5),
        "trained": n.of_trained(demo, 0, demo.model.original),
        "live": {"classes": 16, "pool": 288},
    }
    for key in QUESTIONS:
        scene = SCENES[key]
        filled = numbers.get(scene.picture) or n.of_triangle(scene.settings)
        before = " ".join(s.text.format_map(filled) for s in scene.sentences if not s.result)
        assert before
        assert not re.search(r"ACC|AUC|Accuracy|\d %| end|file of", before), before


@pytest.mark.parametrize("scene", TRIANGLES)
def test_the_outcome_of_a_triangle_is_that_of_the_points(scene, trajectories):
    method = {"entmin": 0, "infomax": 1, "ueo": 2}[happened.METHOD[scene]]
    options = QUESTIONS[scene]
    for run in trajectories("strangers"):
        found = happened.of_triangle(scene, run.settings)
        assert found in OUTCOMES
        points = run.points[method, -1]
        share = np.bincount(points.argmax(1), minlength=3).max() / len(points)
        assert (found == "collapse") == (share >= COLLAPSED)
        if found == "unknown_confident":
            assert points[~run.known].max(1).mean() >= CONFIDENT
    starts = happened.of_triangle(scene, SCENES[scene].settings)
    assert options.index_of(starts) is not None
    text = n.of_triangle(SCENES[scene].settings)
    told = " ".join(s.text.format_map(text) for s in SCENES[scene].sentences if s.result)
    assert {"collapse": "60 of 60", "unknown_confident": "unknown images"}.get(
        starts, "lower"
    ) in told


def test_every_preset_ends_as_one_of_the_options():
    for preset in PRESETS.values():
        outcome = happened.of_triangle("wrong", preset.settings)
        assert QUESTIONS["wrong"].index_of(outcome) is not None
    assert QUESTIONS["wrong"].index_of("unclear") is None


def test_the_outcomes_of_the_drawings_follow_the_numbers(demo):
    for draw in range(5):
        ood = [
            i for i in draw_eight(demo, draw) if demo.problem.test[i] not in demo.problem.classes
        ]
        p = np.exp(demo.scale * demo.cosines[ood])
        above = int(((p / p.sum(1, keepdims=True)).max(1) > 0.5).sum())
        assert happened.of_eight(demo, draw) == ("sure" if above >= 2 else "unsure")
    assert happened.of_scores(demo) == "overlap" and 55 < demo.auc < 95
    known, unknown = demo.score[demo.truth >= 0], demo.score[demo.truth < 0]
    assert known.mean() > unknown.mean()  # “lower”, as the option says


@pytest.mark.parametrize(
    ("first", "last", "outcome"), [(60, 71, "rises"), (60, 50, "falls"), (60, 60.5, "same")]
)
def test_the_outcome_of_a_run_is_the_change_of_its_auc(first, last, outcome):
    assert happened.of_run({"auc": first}, {"auc": last}) == outcome
    assert QUESTIONS["live"].index_of(outcome) is not None


def test_the_trained_share_is_the_option_that_happens():
    index = QUESTIONS["moved"].index_of(happened.of_trained())
    assert QUESTIONS["moved"].options[index].text == "less than 1 of 1,000"
    assert VIT.trained / VIT.total < 1 / 1000 and not math.isclose(VIT.share, 0)


def test_a_result_is_held_back_until_it_was_played():
    for scene in QUESTIONS:
        assert not Link(scene=scene).shows_result
        assert Link(scene=scene, played=1).shows_result
        assert Link(scene=scene, hide=("predict",)).shows_result
    assert Link(scene="strangers").shows_result  # it has its own Reveal
    assert Link(view="triangle", scene="weights").shows_result
    # Links that were made before there were questions show what they showed.
    assert parse({"scene": "weights", "step": str(STEPS)}).shows_result
    assert parse({"scene": "hills", "line": "50"}).shows_result
    assert Link(scene="weights", hide=("play",)).shows_result  # it cannot be played


def test_who_asks_why_gets_the_answer():
    assert all(parse(why.link).shows_result for why in WHY.values())


@pytest.mark.parametrize("method", ["entmin", "infomax", "ueo"])
def test_one_method_alone_is_not_called_all_methods(method):
    data = payload(TriangleSettings(), (method,))
    words = [data["alt"], *data["words"][0], *(m["about"] for m in data["methods"])]
    assert not [w for w in words if re.search(r"\ball\b.*methods|three methods|every triangle", w)]
    several = payload(TriangleSettings(), Look().methods)
    assert "same for all methods" in several["words"][0][0]


def test_the_name_of_the_picture_does_not_tell_the_end():
    data = payload(TriangleSettings(), Look().methods)
    assert "ACC" not in data["alt"] and "AUC" not in data["alt"]
