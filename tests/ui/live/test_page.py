"""Live: every state has its message and the buttons of the state table."""

import json
from dataclasses import replace

import pytest

from tests.helpers.pages import app, at, button, clean  # noqa: F401
from tests.helpers.run_folders import write_run
from ueo_core.runs.states import ACTIONS, actions
from ui.common import shell
from ui.live import controls, panels
from ui.live import page as live

LABELS = {action: controls.BUTTONS[action][0] for action in ACTIONS}


@pytest.fixture(autouse=True)
def one_viewer(monkeypatch):
    """AppTest has no cookies to recognize a browser by."""
    for module in (live, controls):
        monkeypatch.setattr(module, "viewer", lambda: "me")


def text(page) -> str:
    boxes = (*page.markdown, *page.info, *page.warning, *page.error, *page.success, *page.caption)
    return " ".join(b.value for b in boxes).replace("\\", "")


def test_without_a_run_the_page_says_how_to_start_one(app):  # noqa: F811
    page = at(app, "3_Live")
    assert "There is no run yet" in text(page)
    assert button(page, "Watch it work now").proto.type == "primary"


@pytest.mark.parametrize("state", ["paused", "failed", "finished"])
def test_the_buttons_are_those_of_the_state_table(app, state):  # noqa: F811
    write_run("r", state=state, reason="Because of this.")
    page = at(app, "3_Live", run="r")
    assert {b.label for b in page.button} & set(LABELS.values()) == {
        LABELS[a] for a in actions(state)
    }
    assert not any(button(page, LABELS[a]).disabled for a in actions(state))
    assert "Because of this." in text(page)
    assert len(page.get("echarts_chart")) == 5


def test_a_finished_run_has_its_verdict_and_is_marked_as_seen(app):  # noqa: F811
    folder = write_run("r", skill=(0.15, 0.03))
    page = at(app, "3_Live", run="latest")
    assert "Worse: adaptation degraded the model" in page.error[0].value.replace("\\", "")
    assert (folder.path / "seen").exists()


def test_a_button_acts_through_the_manager(app, monkeypatch):  # noqa: F811
    write_run("r", state="paused")
    done = []
    page = at(app, "3_Live", run="r")
    monkeypatch.setattr(type(shell.manager()), "act", lambda self, *a, **k: done.append((a, k)))
    page.number_input(key="live.steps").set_value(7)
    button(page, "Step").click().run()
    ((arguments, options),) = done
    assert arguments == ("r", "step") and options == {"amount": 7, "viewer": "me"}


def test_presentation_is_in_the_url_and_has_three_panels(app):  # noqa: F811
    write_run("r")
    page = at(app, "3_Live", run="r", present="1")
    assert len(page.get("echarts_chart")) == 3
    assert button(page, "Exit presentation")


def test_an_unknown_run_is_an_error_and_names_are_not_markdown(app):  # noqa: F811
    page = at(app, "3_Live", run="../../etc")
    assert "there is no run with this name" in page.error[0].value.replace("\\", "")
    write_run("r", title="**<img src=x>** $x$")
    page = at(app, "3_Live", run="r")
    assert any(m.value == r"## \*\*\<img src\=x\>\*\* \$x\$" for m in page.markdown)


def test_the_url_chooses_panels_and_steps(app):  # noqa: F811
    write_run("r")
    page = at(app, "3_Live", run="r", present="1", panels="weights,loss,nonsense", steps="2-4")
    specs = {c.proto.alt.split(" ")[0]: json.loads(c.proto.spec) for c in page.get("echarts_chart")}
    assert list(specs) == ["Histogram", "Line"]
    axis = specs["Line"]["xAxis"]
    assert (axis["min"], axis["max"]) == (2, 4)
    assert [x for x, _ in specs["Line"]["series"][0]["data"]] == [2, 3, 4]
    page.slider(key="live.span").set_value((1, 3)).run()
    assert page.query_params["steps"] == "1-3"
    page.multiselect(key="live.panels").set_value(["hills"]).run()
    assert page.query_params["panels"] == "hills"
    assert len(clean(page.run()).get("echarts_chart")) == 1


def test_while_another_browser_has_the_controls_all_buttons_are_disabled(app):  # noqa: F811
    write_run("r", state="paused", reason="Paused.")
    viewers = shell.manager().viewers
    viewers.watch("teacher")
    page = at(app, "3_Live", run="r")
    assert all(button(page, LABELS[a]).disabled for a in actions("paused"))
    assert "another browser has the controls" in text(page)
    viewers.hand_over("teacher")
    clean(button(clean(page.run()), "Take the controls").click().run())
    assert not button(page, "Resume").disabled
    assert not viewers.watch("teacher").steers


def test_queued_runs_are_listed_and_moved(app, monkeypatch):  # noqa: F811
    manager = shell.manager()
    monkeypatch.setattr(type(manager), "_work", lambda self: None)  # no worker executes them
    for name in ("a", "b"):
        manager.submit(write_run(name, state="queued", title=f"Run {name}"))
    page = at(app, "3_Live", run="b")
    assert "1 run ahead in the queue" in text(page)
    assert page.button(key="live.move.-1.a").disabled and page.button(key="live.move.1.b").disabled
    page.button(key="live.move.-1.b").click().run()
    assert manager.queue() == ["b", "a"]
    page.button(key="live.remove.a").click().run()
    assert manager.queue() == ["b"] and manager.snapshot("a").state == "paused"


def test_the_sidebar_shows_the_other_runs(app, monkeypatch):  # noqa: F811
    manager = shell.manager()
    monkeypatch.setattr(type(manager), "_work", lambda self: None)
    for name, state in (("a", "paused"), ("b", "failed"), ("c", "finished")):
        write_run(name, state=state, title=f"Run {name}", reason="Because.")
    manager.submit(write_run("d", state="queued", title="Run d"))
    card = at(app, "3_Live", run="d").sidebar  # the run that is shown is not listed
    assert "**Run failed**" in [m.value for m in card.markdown] and card.text[0].value == "Run b"
    assert card.caption[0].value == "Also 1 paused, 1 finished, not viewed yet"
    card = at(app, "3_Live", run="c").sidebar
    assert "**Queued**" in [m.value for m in card.markdown] and card.text[0].value == "Run d"
    assert card.caption[0].value == "Also 1 failed, 1 paused"


def test_a_finished_run_is_trained_longer_from_the_page(app, monkeypatch):  # noqa: F811
    manager = shell.manager()
    monkeypatch.setattr(type(manager), "_work", lambda self: None)
    write_run("r")
    page = at(app, "3_Live", run="r")
    page.number_input(key="live.epochs").set_value(3)
    button(page, "Train longer").click().run()
    assert manager.queue() == ["r"] and manager.folder("r").settings.extensions == ((4, 3),)


def test_a_run_is_read_as_often_as_it_may_change(app):  # noqa: F811
    write_run("r", state="paused")
    now = replace(shell.manager().snapshot("r"), step=10)
    assert live.pace(replace(now, seconds=9.0)) == live.TICK
    assert live.pace(replace(now, seconds=31.0)) == live.SLOW
    assert live.pace(replace(now, step=0, seconds=0.0)) == live.TICK
    assert live.pace(replace(now, state="finished", seconds=31.0)) is None


def test_more_viewers_read_less_often(app):  # noqa: F811
    write_run("r", state="paused")
    now = shell.manager().snapshot("r")
    assert [live.pace(now, n) for n in (1, 8, 9, 25)] == [1.0, 1.0, 2.0, 4.0]
    assert live.pace(replace(now, state="finished"), 25) is None


def test_viewers_share_the_charts_of_a_step(app, monkeypatch):  # noqa: F811
    write_run("r", state="paused")
    made = []
    real = panels.charts.loss_chart
    monkeypatch.setattr(panels, "_made", {})
    monkeypatch.setattr(panels.charts, "loss_chart", lambda *a: made.append(a) or real(*a))
    at(app, "3_Live", run="r")
    spec = app.get("echarts_chart")[0].proto.spec
    clean(app.run())
    assert len(made) == 1 and app.get("echarts_chart")[0].proto.spec == spec
    shell.manager().folder("r").append(
        {
            "kind": "step",
            "step": 9,
            "epoch": 1,
            "loss": 7.5,
            "entropy": 0.5,
            "marginal": 0.5,
            "lr": 0.1,
            "elapsed": 1.0,
            "batch": {},
            "peak_memory_mb": 1,
        }
    )
    clean(app.run())
    assert len(made) == 2 and "7.5" in app.get("echarts_chart")[0].proto.spec


def test_the_safety_check_has_its_own_progress_and_can_be_skipped(app, monkeypatch):  # noqa: F811
    manager = shell.manager()
    write_run("r", state="paused")
    now = replace(manager.snapshot("r"), state="running", phase="checking", done=320, total=1280)
    now = replace(now, phase_seconds=10.0)
    monkeypatch.setattr(type(manager), "snapshot", lambda self, run: now)
    done = []
    monkeypatch.setattr(type(manager), "act", lambda self, *a, **k: done.append(a))
    page = at(app, "3_Live", run="r")
    bar = page.get("progress")[0].proto
    assert bar.value == 25 and "Safety check on random crops: 320 of 1,280 images" in bar.text
    assert {m.label: m.value for m in page.metric}["Time left"] == "30 s"
    button(page, "Skip the safety check").click().run()
    assert done == [("r", "skip")]


def test_the_titles_say_which_images_the_curves_are_of(app):  # noqa: F811
    write_run("r")
    page = at(app, "3_Live", run="r")
    assert "**Metrics by epoch · a sample of 20 of the pool**" in text(page)
    # Every curve is named at its end, and no legend repeats it.
    spec = next(
        json.loads(c.proto.spec) for c in page.get("echarts_chart") if "ACC" in c.proto.spec
    )
    assert [s["name"] for s in spec["series"]] == ["ACC", "AUC", "HM"]
    assert all(s["endLabel"]["show"] for s in spec["series"]) and not spec["legend"]["show"]


def test_queued_runs_wait_for_a_paused_one_until_they_are_released(app, monkeypatch):  # noqa: F811
    manager = shell.manager()
    monkeypatch.setattr(type(manager), "_work", lambda self: None)
    write_run("p", state="paused", title="Demonstration")
    manager.submit(write_run("q", state="queued"))
    monkeypatch.setattr(manager, "_held", "p")
    monkeypatch.setattr(manager, "_held_until", float("inf"))
    page = at(app, "3_Live", run="q")
    assert "1 run ahead in the queue" in text(page)
    assert "They wait while “Demonstration” is paused" in text(page)
    button(page, "Start the queued runs now").click().run()
    assert manager.held() is None
