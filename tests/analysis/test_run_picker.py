"""The list of runs, and the default selection of Compare."""

import json

import pytest

from tests.analysis.test_compare import compared_run, run_of
from tests.helpers.run_folders import write_run
from ueo_core.analysis.run_picker import (
    best_finished,
    catalog,
    entry,
    figures_text,
    latest_together,
)
from ueo_core.runs.manager import Manager
from ueo_core.utils.errors import UserError
from ueo_core.utils.files import write_json
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


def test_the_best_run_on_the_newest_data_is_offered_first(manager):
    def score(folder, hm):
        path = folder.path / "result.json"
        result = json.loads(path.read_text(encoding="utf-8"))
        models = {"zero_shot": {"acc": 50.0, "hm": 60.0}, "adapted": {"acc": 70.0, "hm": hm}}
        write_json(path, result | {"metrics": {"pool": models}})

    assert best_finished(manager, catalog(manager)) is None
    good = write_run("good")
    score(good, 80.0)
    score(run_of(compared_run("collapsed", good)), 10.0)  # the newest
    assert best_finished(manager, catalog(manager)) == "good"
    assert figures_text(good) == "HM 60.0 → 80.0"


def test_without_labels_the_newest_run_that_nothing_speaks_against_is_offered(manager):
    first = write_run("fine", labeled=False)
    compared_run("opposed", first, labeled=False)
    path = runs_root() / "opposed" / "result.json"
    guard = {"share": 0.25, "reason": "", "evidence": {}}
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | {"guard": guard})
    assert best_finished(manager, catalog(manager)) == "fine" and figures_text(first) == ""
