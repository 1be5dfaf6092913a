"""The list of runs, and the default selection of Compare."""

import pytest

from tests.analysis.test_compare import compared_run, run_of
from tests.helpers.run_folders import write_run
from ueo_core.analysis.run_picker import catalog, entry, latest_together
from ueo_core.runs.manager import Manager
from ueo_core.utils.errors import UserError
from ueo_core.utils.paths import runs_root


@pytest.fixture
def manager():
    made = Manager(runs_root())
    yield made
    made.shutdown()


def test_the_newest_runs_on_the_same_data_are_selected_in_the_order_of_creation(manager):
    a = compared_run("a")
    compared_run("elsewhere", n=40)
    compared_run("b", run_of(a), {"seed": 1})
    write_run("halted", state="paused")
    (runs_root() / "broken").mkdir()
    (runs_root() / "broken" / "config.json").write_text("{", encoding="utf-8")
    entries = catalog(manager)
    assert [e.run for e in entries] == ["b", "elsewhere", "a"]
    assert latest_together(entries) == ["a", "b"]
    assert entries[0].seed == 1 and entries[0].method == "ueo" and entries[0].finished


def test_without_a_finished_run_none_is_selected(manager):
    assert latest_together(catalog(manager)) == []


def test_an_unknown_and_a_damaged_run_are_clear_errors(manager):
    with pytest.raises(UserError, match="there is no run with this name"):
        entry(manager, "../x")
    with pytest.raises(UserError, match="“nowhere”: there is no run with this name"):
        entry(manager, "nowhere")
    (runs_root() / "broken").mkdir(parents=True)
    (runs_root() / "broken" / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"“broken”: its file config\.json is damaged"):
        entry(manager, "broken")
