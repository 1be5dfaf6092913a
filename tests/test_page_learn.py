"""The Learn page without a browser: every view and scene draws, the state goes both ways."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages import ROOT, at, button, clean
from ueo_core.learn import SCENES, VIEWS
from ui import shell


@pytest.fixture(scope="module")
def learn(tmp_path_factory):
    """The app at its Learn page, with a home of its own for the whole module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UEO_STUDIO_HOME", str(tmp_path_factory.mktemp("home")))
        yield lambda **query: at(
            AppTest.from_file(str(ROOT / "app.py"), default_timeout=60), "7_Learn", **query
        )
    shell.shutdown()


def state(app: AppTest):
    return app.session_state["learn.link"]


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_has_its_words_and_its_picture(learn, scene):
    app = learn(scene=scene)
    number = list(SCENES).index(scene) + 1
    assert any(m.value == f"## {number} · {SCENES[scene].title}" for m in app.markdown)
    lead = next(h.proto.body for h in app.get("html") if "learn-lead" in h.proto.body)
    assert "{" not in lead.split("</style>")[-1]
    assert not app.error
    if SCENES[scene].look:
        assert [e.proto.component_name for e in app.get("bidi_component")].count(
            "ueo_learn_triangle"
        ) == 1


@pytest.mark.parametrize("view", [v for v in VIEWS if v != "story"])
def test_every_view_draws(learn, view):
    app = learn(view=view)
    assert state(app).view == view
    assert not app.error


def test_next_and_back_walk_through_the_story_and_the_url_follows(learn):
    app = learn()
    for scene in list(SCENES)[1:]:
        clean(button(app, "Next").click().run())
        assert state(app).scene == scene
        assert app.query_params["scene"] == scene
    assert button(app, "Next").disabled
    clean(button(app, "Back").click().run())
    assert state(app).scene == list(SCENES)[-2]


def test_a_link_sets_the_knobs_and_a_knob_sets_the_link(learn):
    app = learn(view="triangle", trade="0.5", seed="7", share="20")
    assert app.slider(key="learn.knob.trade").value == 0.5
    assert app.number_input(key="learn.knob.seed").value == 7
    clean(app.slider(key="learn.knob.trade").set_value(2.0).run())
    assert app.query_params["trade"] == "2"
    assert state(app).knobs.share == 20
    clean(button(app, "Look-alikes").click().run())
    assert state(app).knobs.kind == "lookalike"
    assert app.query_params["kind"] == "lookalike"
    assert "seed" not in app.query_params


def test_what_a_link_hides_is_not_there(learn):
    app = learn(view="triangle", hide="trade,presets,menu")
    assert "learn.knob.trade" not in [s.key for s in app.slider]
    assert "learn.knob.share" in [s.key for s in app.slider]
    assert "Look-alikes" not in [b.label for b in app.button]
    assert "learn.view" not in [g.key for g in app.get("button_group")]
    app = learn(view="exercises", hide="answers")
    assert not app.expander


def test_the_room_guesses_and_the_strangers_are_revealed(learn):
    app = learn(scene="strangers")
    clean(app.button(key="learn.tick.2").click().run())
    assert state(app).ticks == 4
    before = "".join(h.proto.body for h in app.get("html"))
    clean(button(app, "Reveal").click().run())
    after = "".join(h.proto.body for h in app.get("html"))
    assert "stranger: " in after and "stranger: " not in before
    assert app.query_params["reveal"] == "1"
    clean(button(app, "Eight others").click().run())
    assert (state(app).ticks, state(app).reveal, state(app).draw) == (0, 0, 1)


def test_the_line_moves_and_the_sentence_with_it(learn):
    app = learn(scene="hills")
    clean(app.slider(key="learn.line").set_value(50).run())
    words = "".join(h.proto.body for h in app.get("html") if "learn-lead" in h.proto.body)
    assert "The line keeps 50 % of the known drawings" in words


def test_an_exercise_opens_the_triangle_with_its_setting(learn):
    app = learn(view="exercises")
    clean(app.button(key="learn.try.3").click().run())
    assert (state(app).view, state(app).knobs.trade) == ("triangle", 0.0)


def test_a_symbol_leads_to_its_scene(learn):
    app = learn(view="formula", symbol="q")
    clean(app.button(key="learn.symbol.scene").click().run())
    assert (state(app).view, state(app).scene) == ("story", "weights")


def test_a_dropped_file_that_is_no_image_is_answered_in_a_sentence(learn):
    app = learn(view="image")
    app.file_uploader[0].set_value(("note.png", b"no image", "image/png"))
    clean(app.run())
    assert "note.png" in app.error[0].value
