"""The list of runs, and those that Compare begins with."""

import pytest

import ueo_core as core
from tests.run_folders import write_run
from tests.test_compare import contender, run_of
from ueo_core.errors import UserError
from ueo_core.report.compare_choice import catalogue, entry, latest_together


@pytest.fixture
def manager():
    made = core.Manager(core.runs_root())
    yield made
    made.shutdown()


def test_the_newest_runs_on_the_same_data_are_chosen_in_the_order_of_their_making(manager):
    a = contender("a")
    contender("elsewhere", n=40)
    contender("b", run_of(a), {"seed": 1})
    write_run("halted", state="paused")
    (core.runs_root() / "broken").mkdir()
    (core.runs_root() / "broken" / "config.json").write_text("{")
    entries = catalogue(manager)
    assert [e.run for e in entries] == ["b", "elsewhere", "a"]
    assert latest_together(entries) == ["a", "b"]
    assert entries[0].seed == 1 and entries[0].method == "ueo" and entries[0].finished


def test_without_a_finished_run_nothing_is_chosen(manager):
    assert latest_together(catalogue(manager)) == []


def test_an_unknown_run_and_a_damaged_one_are_sentences(manager):
    with pytest.raises(UserError, match="there is none of that name"):
        entry(manager, "../x")
    with pytest.raises(UserError, match="there is no run in that folder"):
        entry(manager, "nowhere")
    (core.runs_root() / "broken").mkdir(parents=True)
    (core.runs_root() / "broken" / "config.json").write_text("{")
    with pytest.raises(UserError, match="“broken”: its folder cannot be read"):
        entry(manager, "broken")
