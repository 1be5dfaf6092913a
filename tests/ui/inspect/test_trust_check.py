"""Inspect: a dozen keys, and the sentence that says which model to use."""

from tests.helpers.pages import app, at, button, clean  # noqa: F811, F401
from tests.helpers.run_folders import write_run
from ueo_core.analysis.hand_labels import load_hand_labels
from ueo_core.analysis.run_result import read_inspection
from ueo_core.analysis.trust_check import trust_check


def plain(boxes) -> str:
    return " ".join(b.value for b in boxes).replace("\\", "")


def check_of(folder):
    found = read_inspection(folder)
    return trust_check(folder, found, found.parts["pool"])


def test_a_dozen_answers_say_which_model_to_use_and_twelve_more_continue(app):  # noqa: F811
    folder = write_run("r", labeled=False)
    page = at(app, "4_Inspect", run="r")
    assert check_of(folder).sentence() in plain(page.markdown)
    clean(button(page, "Check in 30 seconds").click().run())
    for _ in range(12):
        clean(page.button(key="inspect.trust.1").click().run())
    check = check_of(folder)
    assert len(check.answers) == 12 and check.sentence() in plain(page.success)
    page.session_state["inspect.go"] = "Images"
    assert check.sentence() in plain(clean(page.run()).markdown)  # above the other tabs
    clean(button(page, "Show the check").click().run())
    clean(page.button(key="inspect.trust.more").click().run())
    clean(page.button(key="inspect.trust.2").click().run())
    assert len(check_of(folder).answers) == 13
    clean(page.button(key="inspect.trust.undo").click().run())
    clean(page.button(key="inspect.trust.skip").click().run())
    assert list(check_of(folder).answers.values())[-1] == -3


def test_with_labels_there_is_nothing_to_check(app):  # noqa: F811
    write_run("r")
    page = at(app, "4_Inspect", run="r")
    assert "Trust check" not in [t.label for t in page.tabs]


def test_labeling_takes_over_what_the_check_knows(app):  # noqa: F811
    folder = write_run("r", labeled=False)
    check, part = check_of(folder), read_inspection(folder).parts["pool"]
    for _ in range(80):
        check.give(check.next, -1)
    page = at(app, "4_Inspect", run="r")
    page.session_state["inspect.go"] = "Label a few"
    clean(page.run())
    clean(button(page, "Start labeling").click().run())
    assert set(load_hand_labels(folder, part).given.values()) == {-1}
    assert "All images labeled so far are unknown" in plain(clean(page.run()).info)
