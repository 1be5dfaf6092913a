"""Predict, then play, then numbers: what the page shows before and after."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from tests.helpers.pages import ROOT, at, button, clean
from ueo_core.learn.questions import QUESTIONS
from ueo_core.learn.scenes import SCENES
from ueo_core.learn.triangle_settings import STEPS
from ui.common import shell
from ui.learn import state, triangle


@pytest.fixture(scope="module")
def learn(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UEO_STUDIO_HOME", str(tmp_path_factory.mktemp("home")))
        yield lambda **query: at(
            AppTest.from_file(str(ROOT / "app.py"), default_timeout=60), "7_Learn", **query
        )
    shell.shutdown()


def lead(app: AppTest) -> str:
    return next(h.proto.body for h in app.get("html") if "learn-lead" in h.proto.body)


def outcome(app: AppTest) -> str:
    return "".join(h.proto.body for h in app.get("html") if '"learn-outcome"' in h.proto.body)


@pytest.mark.parametrize("scene", [k for k, q in QUESTIONS.items() if q.show])
def test_a_result_is_shown_after_the_prediction(learn, scene):
    checks = [s.check for s in SCENES[scene].sentences if s.result]
    app = learn(scene=scene)
    assert not [c for c in checks if f'data-check="{c}"' in lead(app)] and not outcome(app)
    clean(button(app, QUESTIONS[scene].options[0].text).click().run())
    assert app.query_params["predicted"] == "1"
    assert not [c for c in checks if f'data-check="{c}"' in lead(app)]
    clean(button(app, QUESTIONS[scene].show).click().run())
    assert all(f'data-check="{c}"' in lead(app) for c in checks)
    assert f"Predicted: {QUESTIONS[scene].options[0].text}." in outcome(app)
    assert not [b for b in app.button if b.label == QUESTIONS[scene].show]
    clean(button(app, "Next").click().run())  # the next scene asks anew
    assert not {"predicted", "played"} & set(app.query_params)


def test_a_prediction_is_not_needed(learn):
    app = learn(scene="hills")
    clean(button(app, QUESTIONS["hills"].show).click().run())
    assert "AUC" in lead(app) and not outcome(app)


def test_the_drawings_have_no_prediction_before(learn):
    def cards(app):
        (found,) = [
            e for e in app.get("bidi_component") if e.proto.component_name == "ueo_learn_cards"
        ]
        return "".join(json.loads(found.proto.json)["cards"])

    assert "confidence" not in cards(learn(scene="guess"))
    assert cards(learn(scene="guess", played="1")).count("confidence") == 8


def test_a_triangle_is_played_when_its_last_step_was_reached(learn, monkeypatch):
    app = learn(scene="weights", predicted="2")
    assert "AUC" not in lead(app)
    link, key = app.session_state["learn.link"], "learn.triangle.story.weights"
    kept: dict = {}
    monkeypatch.setattr(triangle, "_message", lambda _: message)
    monkeypatch.setattr(state, "load", lambda: link)
    monkeypatch.setattr(state, "remember", lambda settled, **values: kept.update(values))
    look = SCENES["weights"].look
    message = {"step": STEPS}
    triangle._changed(key, look)
    assert (kept["played"], kept["predicted"]) == (1, 2)
    message = {"step": 30}
    triangle._changed(key, look)
    assert (kept["played"], kept["predicted"]) == (0, 2)
    message = {"step": 0, "settings": {"seed": 5}}  # another batch is another experiment
    triangle._changed(key, look)
    assert (kept["played"], kept["predicted"]) == (0, 0)
    monkeypatch.undo()
    shown = learn(scene="weights", predicted="2", step=str(STEPS))
    assert "AUC" in lead(shown) and "unknown between the corners" in outcome(shown)


def test_the_notes_for_the_teacher_open_with_a_sheet(learn):
    app = learn()
    assert not app.get("download_button")
    clean(button(app, "For the teacher").click().run())
    assert [b.proto.label for b in app.get("download_button")] == ["Sheet to print"]
    text = " ".join(m.value for m in app.markdown)
    assert all(f"### {i} · " in text for i in range(1, len(SCENES) + 1))
    assert text.count("Common wrong answers") == len(SCENES)
