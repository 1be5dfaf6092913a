"""The Learn page without a browser: every view and scene is drawn, and the URL keeps the state."""

import json
from dataclasses import fields
from unittest.mock import create_autospec

import pytest
from streamlit.runtime.fragment import MemoryFragmentStorage
from streamlit.testing.v1 import AppTest

from tests.helpers.pages import ROOT, at, button, clean
from ueo_core.learn.link import CONTROLS, VIEWS
from ueo_core.learn.scenes import SCENES
from ueo_core.learn.triangle_settings import PRESETS, TriangleSettings
from ueo_core.runs.manager import Manager
from ui.common import shell
from ui.learn import live


@pytest.fixture(scope="module")
def learn(tmp_path_factory):
    """The app at its Learn page, with one home folder for the whole module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UEO_STUDIO_HOME", str(tmp_path_factory.mktemp("home")))
        yield lambda **query: at(
            AppTest.from_file(str(ROOT / "app.py"), default_timeout=60), "7_Learn", **query
        )
    shell.shutdown()


def state(app: AppTest):
    return app.session_state["learn.link"]


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_has_its_text_and_its_picture(learn, scene):
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
def test_every_view_is_drawn(learn, view):
    app = learn(view=view)
    assert state(app).view == view
    assert not app.error


def test_next_and_back_go_through_the_story_and_change_the_url(learn):
    app = learn()
    for scene in list(SCENES)[1:]:
        clean(button(app, "Next").click().run())
        assert state(app).scene == scene
        assert app.query_params["scene"] == scene
    assert button(app, "Next").disabled
    clean(button(app, "Back").click().run())
    assert state(app).scene == list(SCENES)[-2]


def sent(app: AppTest, component: str) -> dict:
    """The data that the page's script of that name gets."""
    (found,) = [e for e in app.get("bidi_component") if e.proto.component_name == component]
    return json.loads(found.proto.json)


def test_a_link_sets_the_settings_of_the_triangle(learn):
    data = sent(
        learn(view="triangle", trade="0.5", seed="7", moved="3-10-80"), "ueo_learn_triangle"
    )
    assert {k: data["settings"][k] for k in ("trade", "seed", "moved")} == {
        "trade": 0.5,
        "seed": 7,
        "moved": [[3, 10, 80]],
    }
    assert {h["name"] for h in data["controls"]} == {f.name for f in fields(TriangleSettings)} - {
        "moved"
    }
    assert [p["title"] for p in data["presets"]] == [p.title for p in PRESETS.values()]


def test_what_a_link_hides_is_not_on_the_page(learn):
    app = learn(view="triangle", hide="trade,presets,menu,seed,drag")
    data = sent(app, "ueo_learn_triangle")
    assert not {"trade", "seed"} & {h["name"] for h in data["controls"]}
    assert "share" in {h["name"] for h in data["controls"]}
    assert not data["presets"] and not data["show"]["drag"] and not data["show"]["batch"]
    assert "learn.view" not in [g.key for g in app.get("button_group")]
    app = learn(view="exercises", hide="answers")
    assert not app.expander


@pytest.mark.parametrize("place", [{"view": v} for v in VIEWS] + [{"scene": s} for s in SCENES])
def test_every_control_can_be_hidden(learn, place):
    app = learn(**place, hide=",".join(CONTROLS))
    kinds = (
        "button",
        "slider",
        "selectbox",
        "button_group",
        "popover",
        "file_uploader",
        "expander",
    )
    assert not [e for kind in kinds for e in app.get(kind)]
    for element in app.get("bidi_component"):
        if element.proto.component_name == "ueo_learn_triangle":
            data = json.loads(element.proto.json)
            assert not data["controls"] and not data["presets"]
            assert not any(v for k, v in data["show"].items())
        if element.proto.component_name == "ueo_learn_cards":
            assert not json.loads(element.proto.json)["guessing"]
        if element.proto.component_name in ("ueo_learn_scores", "ueo_learn_image"):
            assert not json.loads(element.proto.json)["movable"]
        if element.proto.component_name == "ueo_learn_symbols":
            data = json.loads(element.proto.json)
            assert not data["choosable"] and not data["leads"]


def test_drawings_are_marked_and_the_solution_is_revealed(learn):
    app = learn(scene="strangers", ticks="4")
    before = "".join(sent(app, "ueo_learn_cards")["cards"])
    assert sent(app, "ueo_learn_cards")["ticks"] == state(app).ticks == 4
    clean(button(app, "Reveal").click().run())
    after = "".join(sent(app, "ueo_learn_cards")["cards"])
    assert "unknown: " in after and "unknown: " not in before
    assert app.query_params["reveal"] == "1"
    clean(button(app, "New drawings").click().run())
    assert (state(app).ticks, state(app).reveal, state(app).draw) == (0, 0, 1)


def test_a_link_sets_the_threshold_and_its_sentence(learn):
    app = learn(scene="hills", line="50")
    words = "".join(h.proto.body for h in app.get("html") if "learn-lead" in h.proto.body)
    data = sent(app, "ueo_learn_scores")
    assert data["place"] == 50 and data["movable"] and len(data["thresholds"]) == 101
    sentence = data["thresholds"][50]["html"].replace(" %", "\u00a0%")
    assert f'<span data-check="threshold">{sentence}</span>' in words


def test_a_link_sets_the_temperature_of_the_image(learn):
    data = sent(learn(view="image", zoom="3"), "ueo_learn_image")
    assert data["temperatures"][data["place"]] == pytest.approx(3, rel=0.03)
    assert sent(learn(view="image", zoom="99"), "ueo_learn_image")["place"] == 60
    assert [side["title"] for side in data["sides"]] == ["Zero-shot"]


def test_an_exercise_opens_the_triangle_with_its_settings(learn):
    app = learn(view="exercises")
    clean(app.button(key="learn.try.3").click().run())
    assert (state(app).view, state(app).settings.trade) == ("triangle", 0.0)


def test_a_link_sets_the_symbol_and_its_look(learn):
    app = learn(view="formula", symbol="q")
    data = sent(app, "ueo_learn_symbols")
    chosen = data["symbols"][data["chosen"]]
    assert (chosen["key"], chosen["scene"]) == ("q", SCENES["weights"].title)
    shown = sent(app, "ueo_learn_triangle")["look"]
    assert shown == chosen["look"] and shown["dots"] == "q"


def test_the_live_scene_sends_the_actions_of_the_run_manager(monkeypatch):
    manager = create_autospec(Manager, instance=True)
    monkeypatch.setattr(live.shell, "manager", lambda: manager)
    monkeypatch.setattr(live, "newest_run", lambda: "a-run")
    for action, steps in (("step", 6), ("resume", 0)):
        live._act(action, steps)
    assert [call.args for call in manager.act.call_args_list] == [
        ("a-run", "step", 6),
        ("a-run", "resume", 1),
    ]


def test_an_uploaded_file_that_is_no_image_gets_an_error(learn):
    app = learn(view="image")
    app.file_uploader[0].set_value(("note.png", b"no image", "image/png"))
    clean(app.run())
    assert "note.png" in app.error[0].value.replace("\\", "")


def test_a_choice_in_a_widget_changes_the_state(learn):
    app = learn(scene="weights", step="7")
    clean(app.selectbox(key="learn.scene").select("hills").run())
    assert (state(app).scene, state(app).step) == ("hills", 0)
    assert app.query_params["scene"] == "hills"
    views = next(g for g in app.get("button_group") if g.key == "learn.view")
    clean(views.set_value("triangle").run())
    assert state(app).view == "triangle"
    views = next(g for g in app.get("button_group") if g.key == "learn.view")
    clean(views.set_value(None).run())  # deselected
    assert state(app).view == app.session_state["learn.view"] == "triangle"


def test_every_view_and_scene_is_drawn_by_the_same_two_fragments(learn, monkeypatch):
    # Streamlit marks the end of a fragment's run as "early" if a fragment that was removed by it
    # is asked for before the browser has been told, and the browser keeps the removed elements.
    found: list[tuple[str, str]] = []
    register = MemoryFragmentStorage.register

    def noted(self, key, fragment, **options):
        if str(options["target_key"]).startswith("learn."):
            found.append((options["target_key"], key))
        register(self, key, fragment, **options)

    monkeypatch.setattr(MemoryFragmentStorage, "register", noted)
    places = [{"scene": s} for s in SCENES] + [{"view": v} for v in VIEWS]
    for place in places:
        for present in ("0", "1"):
            learn(**place, present=present)
    assert {name for name, _ in found} == {"learn.page", "learn.part"}
    assert len(set(found)) == 2
