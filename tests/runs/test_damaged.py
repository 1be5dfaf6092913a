"""Damaged files of a run: recognized where they are read, mended where possible, never a traceback."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from tests.helpers.damage import DAMAGES, damage
from tests.helpers.small_runs import adapter_of, maker, same, store, story  # noqa: F401
from ueo_core.analysis.run_picker import catalog
from ueo_core.analysis.run_result import read_inspection
from ueo_core.runs.control import Control
from ueo_core.runs.extend import queue_up
from ueo_core.runs.folder import REBUILT, RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.runs.notices import notices
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.runs.stored import DamagedRun
from ueo_core.runs.worker import execute
from ueo_core.utils.errors import UserError


@pytest.fixture(scope="module")
def halted(tmp_path_factory, store, tiny_files):  # noqa: F811
    """A run halted after step 4 of 6, and the same run finished. → two folders to copy"""
    root = tmp_path_factory.mktemp("runs")
    build = maker(store, tiny_files, root)
    paused, whole = build("paused"), build("whole")
    execute(paused, Control(until=4))
    execute(whole)
    return paused, whole


def copy(folder: RunFolder, to) -> RunFolder:
    shutil.copytree(folder.path, to)
    return RunFolder(to)


@pytest.mark.parametrize("how", [*DAMAGES, "removed"])
def test_the_newest_readable_checkpoint_is_used(halted, tmp_path, how):
    paused, whole = halted
    run = copy(paused, tmp_path / "run")
    last = run.path / "checkpoints" / "000004.safetensors"
    last.unlink() if how == "removed" else damage(last, how)
    queue_up(run)
    assert execute(run)["state"] == "finished"
    assert same(adapter_of(run), adapter_of(whole))
    notes = read_snapshot(run).notes
    assert notes == (
        ()
        if how == "removed"
        else ("The checkpoint of step 4 is damaged: continuing from step 3.",)
    )
    assert [e for e in story(run) if e["kind"] != "note"] == story(whole)


def test_changed_values_in_a_checkpoint_are_noticed(halted, tmp_path):
    run = copy(halted[0], tmp_path / "run")
    last = run.path / "checkpoints" / "000004.safetensors"
    data = bytearray(last.read_bytes())
    data[-10] ^= 0x40
    last.write_bytes(bytes(data))
    with pytest.raises(UserError, match="its content has changed; use an earlier one"):
        run.checkpoint(4)
    step, _, damaged = run.newest_checkpoint()
    assert (step, damaged) == (3, [4])


def test_without_a_readable_checkpoint_a_run_begins_again(halted, tmp_path):
    paused, whole = halted
    run = copy(paused, tmp_path / "run")
    for file in (run.path / "checkpoints").iterdir():
        damage(file, "cut")
    queue_up(run)
    assert execute(run)["state"] == "finished"
    assert same(adapter_of(run), adapter_of(whole))


def test_a_stray_file_is_no_checkpoint(halted, tmp_path):
    run = copy(halted[0], tmp_path / "run")
    for name in ("copy of 3.safetensors", "x.safetensors", "٣.safetensors", "3.safetensors.part"):
        (run.path / "checkpoints" / name).write_bytes(b"")
    assert run.checkpoints() == [0, 3, 4]


def test_a_checkpoint_of_an_earlier_version_has_no_digest(halted, tmp_path):
    run = copy(halted[0], tmp_path / "run")
    path = run.path / "checkpoints" / "000004.safetensors"
    tensors = load_file(path)
    save_file(tensors, path, {"step": "4"})
    assert same(run.checkpoint(4), tensors)


@pytest.mark.parametrize("how", [*DAMAGES, "removed"])
def test_a_damaged_state_is_rebuilt(halted, tmp_path, how):
    paused, whole = halted
    for name, folder in (("paused", paused), ("whole", whole)):
        run = copy(folder, tmp_path / name)
        file = run.path / "state.json"
        file.unlink() if how == "removed" else damage(file, how)
        state = run.state
        assert state["steps"] == 6
        if name == "paused":
            assert (state["state"], state["step"], state["reason"]) == ("paused", 4, REBUILT)
            queue_up(run)
            run.update(threads=1)
            assert execute(run)["state"] == "finished"
            assert same(adapter_of(run), adapter_of(whole))
        else:
            assert (state["state"], state["step"], state["reason"]) == ("finished", 6, "")
            assert read_inspection(run).step == 6


@pytest.mark.parametrize("how", [*DAMAGES, "removed"])
def test_damaged_zero_shot_results_are_measured_again(halted, tmp_path, how):
    paused, whole = halted
    run = copy(paused, tmp_path / "run")
    file = run.path / "zero_shot.safetensors"
    file.unlink() if how == "removed" else damage(file, how)
    queue_up(run)
    assert execute(run)["state"] == "finished"
    assert same(adapter_of(run), adapter_of(whole))


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_events_are_left_out_and_the_rest_is_shown(halted, tmp_path, how):
    paused, whole = halted
    run = copy(paused, tmp_path / "run")
    damage(run.path / "events.jsonl", how)
    assert read_snapshot(run).step == 4
    queue_up(run)
    assert execute(run)["state"] == "finished"
    assert same(adapter_of(run), adapter_of(whole))
    assert read_snapshot(run).series[-1]["step"] == 6


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", ["config.json", "labels.json"])
def test_a_damaged_description_is_one_sentence(halted, tmp_path, name, how):
    run = copy(halted[1], tmp_path / "run")
    damage(run.path / name, how)
    if name == "labels.json" and how == "object":  # no labels: nothing is scored, nothing is wrong
        assert not read_inspection(run).parts["pool"].labeled
        return
    with pytest.raises(DamagedRun, match=f"its file {name} is damaged .*start the run again"):
        read_inspection(run)


@pytest.mark.parametrize("how", [*DAMAGES, "removed"])
@pytest.mark.parametrize("name", ["result.json", "adapted.safetensors", "delta.safetensors"])
def test_a_damaged_result_is_one_sentence_and_can_be_written_again(halted, tmp_path, name, how):
    run = copy(halted[1], tmp_path / "run")
    file = run.path / name
    file.unlink() if how == "removed" else damage(file, how)
    with pytest.raises(UserError, match="train it longer by one epoch"):
        read_inspection(run)
    queue_up(run, epochs=1)
    assert execute(run)["state"] == "finished"
    assert read_inspection(run).step == 9


def test_one_damaged_run_hides_no_other(halted, tmp_path):
    for how in DAMAGES:
        for name in ("config.json", "state.json", "events.jsonl"):
            damage(copy(halted[1], tmp_path / f"{how}-{name}").path / name, how)
    copy(halted[1], tmp_path / "fine")
    manager = Manager(tmp_path)
    listed = {e.run for e in catalog(manager)}
    readable = {f"{how}-{name}" for how in DAMAGES for name in ("state.json", "events.jsonl")}
    assert listed == readable | {"fine"} == {n.run for n in notices(manager)}
    assert manager.by_request("nothing") is None
    for run in listed:
        assert manager.snapshot(run).state == "finished"
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        manager.snapshot("list-config.json")


def test_a_config_of_other_types_is_refused(halted, tmp_path):
    run = copy(halted[1], tmp_path / "run")
    good = run.config
    for change in (
        {"title": {}},
        {"classes": []},
        {"classes": [1]},
        {"pool": None},
        {"pool": good["pool"] | {"n": "12"}},
        {"holdout": "x"},
        {"settings": {}},
        {"settings": good["settings"] | {"seed": True}},
    ):
        (run.path / "config.json").write_text(json.dumps(good | change), encoding="utf-8")
        with pytest.raises(DamagedRun):
            _ = run.config
