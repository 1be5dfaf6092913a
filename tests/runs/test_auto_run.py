"""A run that chooses its learning rate: its files, its interruptions, and what it recommends."""

import json
from dataclasses import replace

import pytest
import torch

from tests.helpers.small_runs import adapter_of, make, same, store, story  # noqa: F401
from ueo_core.cli.main import main
from ueo_core.config.methods import RUNNABLE
from ueo_core.inference.adapter_file import ADAPTER_NAME, GUARDED
from ueo_core.models.adapted_clip import read_adapter, save_adapter
from ueo_core.runs.control import Control
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.runs.worker import execute
from ueo_core.training import auto as auto_training
from ueo_core.training import ladder


class Killed(BaseException):
    """Ends a run as a kill does: nothing is written after it."""


def auto(make, name="run", **changes) -> RunFolder:  # noqa: F811
    return make(name, lr="auto", epochs=4, **changes)


def trials(folder: RunFolder) -> list[dict]:
    return [e for e in folder.events() if e["kind"] == "trial"]


def test_the_rate_is_chosen_kept_and_said(make):  # noqa: F811
    folder = auto(make)
    assert execute(folder)["state"] == "finished"
    rate = folder.state["lr"]
    assert rate in {t["lr"] for t in trials(folder)}
    assert folder.config["settings"]["lr"] == "auto" and folder.settings.lr == rate
    steps = [e for e in folder.events() if e["kind"] == "step"]
    assert steps[0]["lr"] == rate and [e["step"] for e in steps] == list(range(1, 13))
    assert (
        f"Learning rate {rate:g}, chosen on the images without labels."
        in read_snapshot(folder).notes
    )
    # Apart from the search it is the run at that rate, to the last bit.
    plain = make("plain", lr=rate, epochs=4)
    execute(plain)
    assert same(adapter_of(folder), adapter_of(plain))


@pytest.mark.parametrize("method", [m for m in RUNNABLE if m != "ueo"])
def test_every_method_that_trains_chooses_a_rate_of_its_own(make, method):  # noqa: F811
    folder = auto(make, method=method)
    assert execute(folder)["state"] == "finished", folder.state["reason"]
    assert folder.state["lr"] in {t["lr"] for t in trials(folder)}
    plain = make("plain", lr=folder.state["lr"], epochs=4, method=method)
    execute(plain)
    assert same(adapter_of(folder), adapter_of(plain))


def test_labels_change_neither_the_rate_nor_the_recommendation(make):  # noqa: F811
    with_labels, without = auto(make, "with"), auto(make, "without", labels=False)
    for folder in (with_labels, without):
        execute(folder)
    assert trials(with_labels) == trials(without)
    results = [json.loads((f.path / "result.json").read_bytes()) for f in (with_labels, without)]
    assert results[0]["guard"] == results[1]["guard"]


@pytest.mark.usefixtures("any_pool")
def test_the_recommended_model_is_the_one_that_was_measured(make):  # noqa: F811
    folder = auto(make)
    execute(folder)
    guard = json.loads((folder.path / "result.json").read_bytes())["guard"]
    candidates = {k: c["evidence"] for k, c in guard["evidence"].items() if c["sound"]}
    # Stored with four digits, so two can look alike.
    assert candidates[guard["model"]] == pytest.approx(max(candidates.values()), abs=2e-4)
    kept = {str(s): folder.checkpoint(s) for s in folder.checkpoints()}
    if guard["share"] == 1:
        assert guard["model"] == "12" and not (folder.path / GUARDED).exists()
    else:
        written, _ = read_adapter(folder.path / GUARDED)
        steps = ["3", "6", "9", "12"]
        wanted = {
            "zero-shot": kept["0"],
            "average": {k: sum(kept[s][k] for s in steps) / 4 for k in written},
            "late average": {k: sum(kept[s][k] for s in steps[2:]) / 2 for k in written},
        } | kept
        chosen = wanted[guard["model"]]
        assert all(torch.allclose(written[k], chosen[k], atol=1e-6) for k in written)


@pytest.mark.parametrize("name", ["3", "average"])
def test_a_model_along_the_run_is_kept_beside_the_last_epoch(make, monkeypatch, name):  # noqa: F811
    choose = auto_training.choose_model
    monkeypatch.setattr(
        auto_training, "choose_model", lambda *a: replace(choose(*a), model=name, share=0.5)
    )
    folder = auto(make)
    execute(folder)
    kept = {step: folder.checkpoint(step) for step in folder.checkpoints() if step}
    recommended, _ = read_adapter(folder.path / GUARDED)
    last, _ = read_adapter(folder.path / ADAPTER_NAME)
    for key, value in recommended.items():
        mean = sum(each[key] for each in kept.values()) / len(kept)
        assert torch.allclose(value, kept[3][key] if name == "3" else mean, atol=1e-6)
        assert torch.equal(last[key], kept[12][key])
    assert not same(recommended, last)


@pytest.mark.parametrize("after", [1, 4, 6])
def test_a_search_that_was_killed_ends_the_same(make, after):  # noqa: F811
    whole, killed = auto(make, "whole"), auto(make, "killed")
    execute(whole)
    seen = 0

    def kill(event):
        nonlocal seen
        seen += event["kind"] == "trial"
        if seen == after:
            raise Killed

    with pytest.raises(Killed):
        execute(killed, emit=kill)
    assert len(trials(killed)) == after
    killed.move("interrupt")
    killed.move("resume")
    assert execute(killed)["state"] == "finished"
    assert trials(killed) == trials(whole)
    assert same(adapter_of(killed), adapter_of(whole))
    assert story(killed) == story(whole)


def test_a_pause_within_the_search_is_resumed(make):  # noqa: F811
    whole, paused = auto(make, "whole"), auto(make, "paused")
    execute(whole)
    control = Control()

    def pause(event):
        if event["kind"] == "trial":
            control.pause.set()

    assert execute(paused, control, pause)["state"] == "paused"
    assert len(trials(paused)) == 1
    paused.move("resume")
    assert execute(paused)["state"] == "finished"
    assert same(adapter_of(paused), adapter_of(whole))


def test_stop_within_the_search_keeps_the_zero_shot_result(make):  # noqa: F811
    folder, control = auto(make), Control()

    def stop(event):
        if event["kind"] == "trial":
            control.stop.set()

    state = execute(folder, control, stop)
    assert (state["state"], state["step"]) == ("finished", 0)
    assert json.loads((folder.path / "result.json").read_bytes())["guard"] is None


def test_where_every_rate_diverges_the_run_says_so(make, monkeypatch):  # noqa: F811
    monkeypatch.setattr(ladder, "_train", lambda *args: False)
    state = execute(auto(make))
    assert state["state"] == "failed"
    assert "Training diverges at every learning rate that was tried" in state["reason"]


def test_a_run_trained_longer_keeps_its_rate(make):  # noqa: F811
    folder = auto(make)
    execute(folder)
    rate, before = folder.state["lr"], trials(folder)
    from ueo_core.runs.extend import queue_up

    queue_up(folder, 2)
    assert execute(folder)["state"] == "finished"
    assert folder.state["lr"] == rate and trials(folder) == before
    assert folder.state["step"] == 18


def test_a_chosen_chunk_is_used(make, monkeypatch):  # noqa: F811
    from ueo_core.training import loop

    seen = []
    real = loop._backward
    monkeypatch.setattr(loop, "_backward", lambda *a: seen.append(a[4].chunk) or real(*a))
    execute(make(chunk=2))
    assert set(seen) == {2}


def test_evaluate_scores_the_recommended_model_itself(make, store, tmp_path, capsys):  # noqa: F811
    folder = auto(make)
    execute(folder)
    result = json.loads((folder.path / "result.json").read_bytes())
    # Another point than the last epoch, whatever the tiny model found.
    kept = folder.checkpoint(3)
    _, about = read_adapter(folder.path / ADAPTER_NAME)
    guard = result["guard"] | {"share": 0.5, "model": "3"}
    save_adapter(folder.path / GUARDED, kept, about | {"guard": guard})
    save_adapter(folder.path / ADAPTER_NAME, adapter_of(folder), about | {"guard": guard})
    test = store[0].root.parent / "test"
    assert (
        main(["evaluate", str(folder.path), str(test), "--store", str(tmp_path / "s"), "--json"])
        == 0
    )
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    save_adapter(tmp_path / "three.safetensors", kept, about | {"guard": None})
    words = [
        "evaluate",
        str(tmp_path / "three.safetensors"),
        str(test),
        "--store",
        str(tmp_path / "s"),
    ]
    assert main([*words, "--json"]) == 0
    three = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["recommended"] == found["guarded"] == three["adapted"]
