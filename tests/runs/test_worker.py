"""One run from its folder to its result: its files, and how it is resumed."""

import json

import pytest
import torch

from tests.helpers.small_runs import CLASSES, adapter_of, forget, make, same, store, story  # noqa: F401
from ueo_core.models.adapted_clip import read_adapter
from ueo_core.models.measured_form import LAST
from ueo_core.runs import worker
from ueo_core.runs.control import Control
from ueo_core.runs.extend import queue_up
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.runs.worker import execute
from ueo_core.utils.errors import UserError


def test_a_run_writes_all_its_files(make):  # noqa: F811
    folder = make()
    assert execute(folder)["state"] == "finished"
    for name in (
        "config.json",
        "state.json",
        "events.jsonl",
        "delta.safetensors",
        "predictions.csv",
    ):
        assert (folder.path / name).is_file()
    assert folder.checkpoints() == [0, 3, 6]
    snapshot = read_snapshot(folder)
    assert (snapshot.step, snapshot.steps, snapshot.epoch) == (6, 6, 2)
    assert [p["step"] for p in snapshot.series] == [1, 2, 3, 4, 5, 6]
    assert [e["step"] for e in snapshot.evaluations] == [0, 3, 6]
    assert all(0 <= e["acc"] <= 100 and e["auc"] is not None for e in snapshot.evaluations)
    assert len(snapshot.weights) == 12 and snapshot.weights_ood == ()
    rows = (folder.path / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "path,prediction,confidence,score,unknown" and len(rows) == 13
    _, metadata = read_adapter(folder.path / "delta.safetensors")
    assert metadata["classes"] == CLASSES and metadata["settings"]["epochs"] == 2


def test_the_last_evaluation_is_of_the_final_model(make):  # noqa: F811
    folder = make()
    execute(folder)
    result = json.loads((folder.path / "result.json").read_text(encoding="utf-8"))
    last = read_snapshot(folder).evaluations[-1]
    # The probe has all images of the small holdout, so both must agree.
    assert last["acc"] == pytest.approx(result["metrics"]["holdout"]["adapted"]["acc"])
    assert last["auc"] == pytest.approx(result["metrics"]["holdout"]["adapted"]["auc"])


def test_labels_do_not_change_a_bit_of_the_result(make):  # noqa: F811
    with_labels, without = make("a"), make("b", labels=False)
    execute(with_labels)
    execute(without)
    assert same(adapter_of(with_labels), adapter_of(without))
    assert "acc" not in read_snapshot(without).evaluations[-1]


@pytest.mark.parametrize("at", [1, 3, 4])
def test_a_paused_and_resumed_run_has_the_same_result_to_the_last_bit(make, at):  # noqa: F811
    whole, broken = make("whole"), make("broken")
    execute(whole)
    assert execute(broken, Control(until=at))["state"] == "paused"
    assert broken.state["step"] == at == broken.checkpoints()[-1]
    broken.move("resume")
    assert execute(broken)["state"] == "finished"
    assert same(adapter_of(whole), adapter_of(broken))
    assert story(whole) == story(broken)


def test_a_run_goes_on_in_the_form_that_it_measured(make, monkeypatch):  # noqa: F811
    asked, used = [], []

    def measured(model, precision):
        asked.append(precision)
        return {"precision": "bfloat16", "layout": LAST, "ms": {}}

    monkeypatch.setattr(worker, "measured_form", measured)
    monkeypatch.setattr(worker, "use_layout", lambda model, layout: used.append(layout))
    whole, broken = make("whole", precision="auto"), make("broken", precision="auto")
    execute(whole)
    assert whole.config["settings"]["precision"] == "auto"
    assert whole.settings.precision == "bfloat16"
    assert read_adapter(whole.path / "delta.safetensors")[1]["settings"]["precision"] == "bfloat16"
    same_format = make("explicit", precision="bfloat16")
    same_format.update(form={})
    execute(same_format)
    assert same(adapter_of(whole), adapter_of(same_format))
    assert execute(broken, Control(until=3))["state"] == "paused"
    assert used == []  # measuring has left the model in its layout
    broken.move("resume")
    monkeypatch.setattr(worker, "measured_form", lambda *_: pytest.fail("it was measured again"))
    execute(broken)
    assert used == [LAST] and asked == ["auto", "auto"]
    assert same(adapter_of(whole), adapter_of(broken))


def test_a_run_that_began_before_forms_were_measured_goes_on_as_it_began(make, monkeypatch):  # noqa: F811
    folder = make(precision="auto")
    monkeypatch.setattr(worker, "measured_form", lambda *_: {})
    execute(folder, Control(until=3))
    assert "form" not in folder.state
    folder.move("resume")
    monkeypatch.setattr(worker, "measured_form", lambda *_: pytest.fail("it was measured"))
    assert execute(folder)["state"] == "finished" and folder.settings.precision == "auto"


def test_a_run_killed_between_checkpoints_continues_from_the_last(make):  # noqa: F811
    whole, killed = make("whole"), make("killed")
    execute(whole)

    class Killed(BaseException):
        pass

    def die(event):
        if event["kind"] == "step" and event["step"] == 5:
            raise Killed

    with pytest.raises(Killed):
        execute(killed, emit=die)
    # As after a kill: still "running", and the last line of the events incomplete.
    with open(killed.path / "events.jsonl", "a", encoding="utf-8") as file:
        file.write('{"kind": "step", "st')
    assert read_snapshot(killed).step == 5
    queue_up(killed)
    assert execute(killed)["state"] == "finished"
    assert same(adapter_of(whole), adapter_of(killed))
    assert [p["step"] for p in read_snapshot(killed).series] == [1, 2, 3, 4, 5, 6]


def test_stop_keeps_the_result_so_far(make):  # noqa: F811
    folder, control = make(epochs=50), Control()

    def stop(event):
        if event["kind"] == "step" and event["step"] == 4:
            control.stop.set()

    state = execute(folder, control, stop)
    assert (state["state"], state["step"]) == ("finished", 4)
    assert "Stopped early" in state["reason"]
    assert same(adapter_of(folder), folder.checkpoint(4))


def test_a_run_folder_is_not_overwritten(make):  # noqa: F811
    make()
    with pytest.raises(UserError, match="already holds a run"):
        make()


class Killed(BaseException):
    pass


@pytest.mark.long
def test_a_run_killed_after_any_event_has_the_same_result(make, store):  # noqa: F811
    """Between any two events of a run, also while it measures and scores."""
    whole, events = make("whole"), []
    execute(whole, emit=events.append)
    assert {e["kind"] for e in events} == {
        "state",
        "phase",
        "start",
        "evaluation",
        "step",
        "rewind",
    }
    for at in range(len(events)):
        killed, left = make(f"killed-{at}"), [at]
        forget(store)  # or there would be nothing to measure

        def die(event, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        with pytest.raises(Killed):
            execute(killed, emit=die)
        read_snapshot(killed)
        if killed.state["state"] != "finished":
            queue_up(killed)
            assert execute(killed)["state"] == "finished", at
        assert same(adapter_of(whole), adapter_of(killed)), at
        assert story(whole) == story(killed), at


@pytest.mark.parametrize("phase", ["measuring", "scoring"])
def test_a_pause_does_not_wait_for_all_images(make, store, phase):  # noqa: F811
    whole, halted, control = make("whole"), make("halted"), Control(why="Enough.")
    execute(whole)
    forget(store)

    def pause(event):
        if event.get("phase") == phase:
            control.pause.set()

    state = execute(halted, control, pause)
    assert (state["state"], state["reason"]) == ("paused", "Enough.")
    halted.move("resume")
    assert execute(halted)["state"] == "finished"
    assert same(adapter_of(whole), adapter_of(halted)) and story(whole) == story(halted)


def test_a_run_stopped_while_measuring_keeps_the_zero_shot_result(make):  # noqa: F811
    folder, control = make(), Control()
    state = execute(folder, control, lambda e: e.get("phase") == "measuring" and control.stop.set())
    assert (state["state"], state["step"]) == ("finished", 0)
    metrics = json.loads((folder.path / "result.json").read_text(encoding="utf-8"))["metrics"][
        "holdout"
    ]
    assert metrics["adapted"] == metrics["zero_shot"]


def extended(folder, epochs: int, *controls: Control):
    """Train longer, paused by each of the controls. → its last state"""
    queue_up(folder, epochs)
    for control in controls:
        assert execute(folder, control)["state"] == "paused"
        queue_up(folder)
    return execute(folder)


def test_further_epochs_have_a_cosine_schedule_of_their_own(make):  # noqa: F811
    folder, whole = make("extended"), make("whole")
    execute(folder)
    execute(whole)
    assert extended(folder, 2)["step"] == 12
    now = read_snapshot(folder)
    assert [p["step"] for p in now.series] == list(range(1, 13)) and now.steps == 12
    rates = [p["lr"] for p in now.series]
    assert rates[6:] == pytest.approx(rates[:6]) and rates[6] == pytest.approx(1e-2)
    assert folder.checkpoints() == [0, 3, 6, 9, 12]
    assert same(folder.checkpoint(6), adapter_of(whole))  # the first six steps are unchanged
    assert same(folder.checkpoint(12), adapter_of(folder))
    result = json.loads((folder.path / "result.json").read_text(encoding="utf-8"))
    _, metadata = read_adapter(folder.path / "delta.safetensors")
    assert result["step"] == 12 and metadata["settings"]["extensions"] == [[6, 2]]


def test_a_resumed_extension_has_the_same_result_to_the_last_bit(make):  # noqa: F811
    whole, broken = make("whole"), make("broken")
    for folder in (whole, broken):
        execute(folder, Control(until=4))
        queue_up(folder)
        stop = Control()
        stop.stop.set()
        assert execute(folder, stop)["step"] == 4  # stopped early, in the middle of an epoch
    assert extended(whole, 1)["step"] == 7
    assert extended(broken, 1, Control(until=5), Control(until=6))["step"] == 7
    assert same(adapter_of(whole), adapter_of(broken)) and story(whole) == story(broken)
    assert read_snapshot(whole).evaluations[-1]["step"] == 7


def test_a_run_that_cannot_be_queued_is_a_clear_error(make):  # noqa: F811
    folder = make()
    with pytest.raises(UserError, match="only a finished run can be trained longer"):
        queue_up(folder, 2)
    execute(folder)
    with pytest.raises(UserError, match="--epochs N"):
        queue_up(folder)
    with pytest.raises(UserError, match="Further epochs: 0 is out of range"):
        queue_up(folder, 0)
    assert folder.state["state"] == "finished"


def test_a_run_keeps_the_number_of_threads_that_it_started_with(make):  # noqa: F811
    """Sums depend on it, so the app and the command line would differ in the last bits."""
    folder, before = make(), torch.get_num_threads()
    folder.update(threads=None)
    try:
        torch.set_num_threads(2)
        control = Control()
        control.pause.set()
        assert execute(folder, control)["threads"] == 2
        torch.set_num_threads(1)
        folder.move("resume")
        assert execute(folder)["state"] == "finished"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
