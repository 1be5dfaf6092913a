"""Live: every state has its sentence, its way out and the buttons of the state table."""

import pytest

from tests.pages import app, at, button  # noqa: F401
from tests.run_folders import write_run
from ueo_core.runs import ACTIONS, actions
from ui import live, shell

LABELS = {action: live.BUTTONS[action][0] for action in ACTIONS}


def text(page) -> str:
    boxes = (*page.markdown, *page.info, *page.warning, *page.error, *page.success, *page.caption)
    return " ".join(b.value for b in boxes).replace("\\", "")


def test_without_a_run_there_is_one_way_on(app):  # noqa: F811
    assert "There is no run yet" in text(at(app, "3_Live"))


@pytest.mark.parametrize("state", ["paused", "failed", "finished"])
def test_the_buttons_are_those_of_the_state_table(app, state):  # noqa: F811
    write_run("r", state=state, reason="Because of this.")
    page = at(app, "3_Live", run="r")
    enabled = {a for a, label in LABELS.items() if not button(page, label).disabled}
    assert enabled == set(actions(state))
    assert "Because of this." in text(page)
    assert len(page.get("echarts_chart")) == 5


def test_a_finished_run_has_its_verdict_and_is_marked_as_seen(app):  # noqa: F811
    folder = write_run("r", skill=(0.15, 0.03))
    page = at(app, "3_Live", run="latest")
    assert "Worse: the adaptation did harm here" in page.error[0].value.replace("\\", "")
    assert (folder.path / "seen").exists()


def test_a_button_acts_through_the_manager(app, monkeypatch):  # noqa: F811
    write_run("r", state="paused")
    done = []
    page = at(app, "3_Live", run="r")
    monkeypatch.setattr(type(shell.manager()), "act", lambda self, *a, **k: done.append((a, k)))
    page.number_input(key="live.steps").set_value(7)
    button(page, "Step").click().run()
    assert done == [(("r", "step"), {"amount": 7})]


def test_presentation_is_in_the_address_and_has_three_panels(app):  # noqa: F811
    write_run("r")
    page = at(app, "3_Live", run="r", present="1")
    assert len(page.get("echarts_chart")) == 3
    assert button(page, "Leave presentation")


def test_an_unknown_run_is_one_sentence_and_names_are_not_markdown(app):  # noqa: F811
    page = at(app, "3_Live", run="../../etc")
    assert "there is none of that name" in page.error[0].value.replace("\\", "")
    write_run("r", title="**<img src=x>** $x$")
    page = at(app, "3_Live", run="r")
    assert any(m.value == r"## \*\*\<img src\=x\>\*\* \$x\$" for m in page.markdown)
