"""What a run tells its viewers and leaves on disk, event by event and state by state."""

import errno
import resource
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.small_runs import make, store  # noqa: F401
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.runs import worker
from ueo_core.runs.control import Control
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.model_cache import ModelCache
from ueo_core.runs.worker import Worker, execute, peak_memory_mb


def told(folder, control: Control | None = None) -> list[dict]:
    """Execute a run. → the events that its viewers received"""
    events: list[dict] = []
    execute(folder, control, emit=events.append)
    return events


def states(events: list[dict]) -> list[tuple]:
    return [
        (e["state"]["state"], e["state"]["phase"], e["state"]["reason"], e["state"]["step"])
        for e in events
        if e["kind"] == "state"
    ]


def test_the_events_of_a_run_in_their_order(make):  # noqa: F811
    folder = make(epochs=1)
    events = told(folder)
    order = [e.get("phase") if e["kind"] == "phase" else e["kind"] for e in events]
    short = [k for i, k in enumerate(order) if i == 0 or k != order[i - 1]]
    assert short == [
        *("state", "loading", "measuring", "start", "evaluation", "rewind"),
        *("adapting", "step", "scoring", "evaluation", "checking", "state"),
    ]
    assert states(events) == [("running", "loading", "", 0), ("finished", "", "", 3)]
    rewind = next(e for e in events if e["kind"] == "rewind")
    assert rewind == {"kind": "rewind", "step": 0}
    # What is on disk is what was told, but for what is never written.
    unwritten = ("phase", "state", "rewind")
    assert list(folder.events()) == [e for e in events if e["kind"] not in unwritten]


def test_the_phases_of_a_run_count_what_is_done(make):  # noqa: F811
    phases = [e for e in told(make(epochs=1)) if e["kind"] == "phase"]
    assert phases[0] == phases[0] | {"phase": "loading", "done": 0, "total": 0}
    (adapting,) = [e for e in phases if e["phase"] == "adapting"]
    assert (adapting["done"], adapting["total"]) == (0, 3)
    for before, after in zip(phases, phases[1:], strict=False):
        assert 0 <= after["seconds"] < 60
        if before["phase"] == after["phase"]:
            assert after["seconds"] >= before["seconds"] and after["done"] >= before["done"]
    last = {e["phase"]: (e["done"], e["total"]) for e in phases}
    assert last["measuring"] == last["scoring"] == (21, 21)


def test_a_phase_is_timed_from_its_beginning(make, monkeypatch):  # noqa: F811
    times = iter([10.0, 10.5, 13.0, 20.0, 20.0])
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(times))
    events: list[dict] = []
    it = Worker(make(), Control(), events.append, ModelCache())
    it.phase("loading")
    it.phase("loading", 2, 5)
    it.phase("scoring", 1, 4)
    assert events == [
        {"kind": "phase", "phase": "loading", "done": 0, "total": 0, "seconds": 0.5},
        {"kind": "phase", "phase": "loading", "done": 2, "total": 5, "seconds": 3.0},
        {"kind": "phase", "phase": "scoring", "done": 1, "total": 4, "seconds": 0.0},
    ]


def test_a_paused_run_leaves_a_phase_between_batches_but_not_the_training(make):  # noqa: F811
    control = Control()
    it = Worker(make(), control, lambda event: None, ModelCache())
    it.phase("measuring", 1, 4)
    control.pause.set()
    it.phase("measuring")  # nothing is counted: not between batches
    it.phase("adapting", 1, 4)  # the loop halts by itself, with a checkpoint
    with pytest.raises(worker.Halted):
        it.phase("measuring", 1, 4)


def test_every_field_of_a_step(make, monkeypatch):  # noqa: F811
    measured = []
    measure = worker.Scorer.measure
    monkeypatch.setattr(
        worker.Scorer, "measure", lambda self: measured.append(measure(self)) or measured[-1]
    )
    folder = make(epochs=1)
    steps = [e for e in told(folder) if e["kind"] == "step"]
    assert [e["step"] for e in steps] == [1, 2, 3] and {e["epoch"] for e in steps} == {1}
    assert [e["seen"] for e in steps] == [4, 8, 12]
    weights = METHODS["ueo"].weights(measured[0])
    for e in steps:
        assert set(e) == {
            *("kind", "step", "epoch", "loss", "entropy", "marginal", "lr", "elapsed", "seen"),
            *("batch", "peak_memory_mb"),
        }
        least = [float(weights[i]) for i in e["batch"]["least"]]
        most = [float(weights[i]) for i in e["batch"]["most"]]
        assert len(least) == len(most) == 4
        assert least == sorted(least) and most == sorted(most, reverse=True)
        assert max(least) <= max(most) and min(least) <= min(most)
        assert e["elapsed"] == round(e["elapsed"], 4)
    assert 0 < steps[0]["elapsed"] < steps[1]["elapsed"] < steps[2]["elapsed"]
    assert steps[2]["elapsed"] < 60


def test_a_step_names_the_four_images_of_least_and_of_most_weight(make, monkeypatch):  # noqa: F811
    """In a batch of the whole pool, of images that weigh more one by one."""
    measure = worker.Scorer.measure
    monkeypatch.setattr(
        worker.Scorer, "measure", lambda self: 1 + 0 * measure(self) + torch.arange(12) / 12
    )
    (step,) = [e for e in told(make(batch_size=12, epochs=1)) if e["kind"] == "step"]
    assert step["batch"] == {"least": [0, 1, 2, 3], "most": [11, 10, 9, 8]}


def test_the_elapsed_time_goes_on_after_a_pause(make):  # noqa: F811
    folder = make()
    execute(folder, Control(until=3))
    before = max(e["elapsed"] for e in folder.events() if e["kind"] == "step")
    folder.move("resume")
    events = told(folder)
    assert [e["step"] for e in events if e["kind"] == "rewind"] == [3]
    assert all(e["elapsed"] > before for e in events if e["kind"] == "step")


def test_the_states_of_a_paused_and_resumed_run(make):  # noqa: F811
    folder = make()
    events = told(folder, Control(until=4))
    assert states(events)[-1] == ("paused", "", "Paused.", 4)
    assert folder.state["threads"] == 1 and folder.state["steps"] == 6
    folder.move("resume")
    assert states(told(folder))[-1] == ("finished", "", "", 6)


def test_a_run_tells_why_it_was_paused(make):  # noqa: F811
    control = Control()
    control.why = "The app was shut down."
    control.pause.set()
    folder = make()
    assert states(told(folder, control))[-1] == ("paused", "", "The app was shut down.", 0)
    control = Control()
    control.why = "not a reason of a finished run"
    folder.move("resume")
    assert states(told(folder, control))[-1] == ("finished", "", "", 6)


def test_a_run_that_is_stopped_early_says_so(make):  # noqa: F811
    folder, control = make(), Control()

    def stop(event):
        if event["kind"] == "step" and event["step"] == 4:
            control.stop.set()

    state = execute(folder, control, emit=stop)
    assert (state["state"], state["step"], state["phase"]) == ("finished", 4, "")
    assert state["reason"] == "Stopped early; the result so far is kept."
    assert folder.checkpoints() == [0, 3, 4]


def test_a_run_that_is_stopped_at_its_last_step_is_a_whole_one(make):  # noqa: F811
    folder, control = make(), Control()

    def stop(event):
        if event["kind"] == "step" and event["step"] == 6:
            control.stop.set()

    state = execute(folder, control, emit=stop)
    assert (state["state"], state["step"], state["reason"]) == ("finished", 6, "")


def test_a_run_that_was_asked_to_stop_before_it_was_continued(make):  # noqa: F811
    folder = make()
    execute(folder, Control(until=3))
    folder.move("resume")
    folder.move("start")
    folder.move("stop")
    events = told(folder)
    assert states(events) == [
        ("finished", "", "Stopped early; the result so far is kept.", 3),
    ]
    assert not [e for e in events if e["kind"] == "step"]


def test_too_little_memory_for_one_image_is_a_clear_error(make, monkeypatch):  # noqa: F811
    chunks: list[int | None] = []

    def no_memory(model, views, confidence, chosen, *more):
        chunks.append(chosen.chunk)
        raise torch.OutOfMemoryError("too large")
        yield

    monkeypatch.setattr(worker, "adapt", no_memory)
    folder = make()
    state = execute(folder)
    assert chunks == [None, 2, 1]
    assert (state["state"], state["phase"]) == ("failed", "")
    assert state["reason"] == (
        "Out of memory: the device has too little even for one image at a time; use a smaller "
        "backbone or the CPU."
    )
    notes = [e for e in folder.events() if e["kind"] == "note"]
    assert [(n["step"], n["text"]) for n in notes] == [
        (0, "Out of memory: continuing with 2 images at a time; the result is the same."),
        (0, "Out of memory: continuing with 1 images at a time; the result is the same."),
    ]


def test_a_resumed_run_keeps_the_chunk_that_fitted(make, monkeypatch):  # noqa: F811
    chunks, real = [], worker.adapt

    def short_of_memory(model, views, confidence, chosen, *more):
        chunks.append(chosen.chunk)
        if chosen.chunk is None:
            raise torch.OutOfMemoryError("too large")
        yield from real(model, views, confidence, chosen, *more)

    monkeypatch.setattr(worker, "adapt", short_of_memory)
    folder = make()
    assert execute(folder, Control(until=3))["state"] == "paused"
    folder.move("resume")
    assert execute(folder)["state"] == "finished"
    assert chunks == [None, 2, 2]


def test_a_run_that_diverges_says_how_often_and_at_which_rate(make, monkeypatch):  # noqa: F811
    def diverging(*given):
        raise FloatingPointError("the loss of step 1 is not finite")
        yield

    monkeypatch.setattr(worker, "adapt", diverging)
    folder = make()
    state = execute(folder)
    assert state["reason"] == (
        "The run diverged: the loss of step 1 is not finite, 3 times; lower the learning rate "
        "(now 0.0025) and start a new run."
    )
    assert folder.state["lr_factor"] == 0.25
    assert [e["text"] for e in folder.events() if e["kind"] == "note"] == [
        "the loss of step 1 is not finite; returned to step 0 and halved the learning rate to "
        + f"{rate:g}."
        for rate in (0.005, 0.0025)
    ]


def test_parameters_that_are_not_finite_never_become_a_checkpoint(make, monkeypatch):  # noqa: F811
    real = worker.adapt

    def poisoned(model, *given):
        for step in real(model, *given):
            if step.step == 3:
                model.context.data.fill_(float("nan"))
            yield step

    monkeypatch.setattr(worker, "adapt", poisoned)
    folder = make()
    state = execute(folder)
    assert state["state"] == "failed" and folder.checkpoints() == [0]
    assert "the parameters after step 3 are not finite, 3 times" in state["reason"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), ValueError()])
def test_a_failure_that_cannot_be_written_is_told_all_the_same(make, monkeypatch, error):  # noqa: F811
    folder, events = make(), []

    def full(self, cause, **details):
        raise error

    monkeypatch.setattr(RunFolder, "move", full)
    state = worker._fail(folder, events.append, "the reason")
    assert (state["state"], state["phase"], state["reason"]) == ("failed", "", "the reason")
    assert state["step"] == 0 and "created" in state
    assert events == [{"kind": "state", "state": state}]


def test_a_failure_of_a_run_without_a_state_has_all_that_viewers_read(make):  # noqa: F811
    folder = make()
    (folder.path / "state.json").unlink()
    state = worker._fail(folder, lambda event: None, "the reason")
    assert state == state | {
        "step": 0,
        "steps": None,
        "state": "failed",
        "phase": "",
        "reason": "the reason",
    }


def test_only_what_is_not_the_users_is_logged(make, monkeypatch, caplog):  # noqa: F811
    def broken(*given):
        raise RuntimeError("a bug")
        yield

    monkeypatch.setattr(worker, "adapt", broken)
    folder = make("odd")
    assert execute(folder)["state"] == "failed"
    assert [r.getMessage() for r in caplog.records if r.name == worker.__name__] == [
        "run odd failed"
    ]
    caplog.clear()

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")
        yield

    monkeypatch.setattr(worker, "adapt", full)
    assert execute(make("full"))["state"] == "failed"
    assert not [r for r in caplog.records if r.name == worker.__name__]


def test_a_device_that_failed_is_not_used_again(make, monkeypatch):  # noqa: F811
    def broken(*given):
        raise RuntimeError("a broken device")
        yield

    cache, cleared = ModelCache(), []
    monkeypatch.setattr(cache, "clear", lambda: cleared.append(1))
    monkeypatch.setattr(worker, "adapt", broken)
    execute(make(), cache=cache)
    assert cleared


def test_the_memory_of_this_process_in_megabytes(monkeypatch):
    found = peak_memory_mb()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert found is not None and 0.5 * peak / 1e3 < found <= peak / 1e3 + 0.1
    monkeypatch.setattr(sys, "platform", "darwin")  # counts bytes
    assert peak_memory_mb() == pytest.approx(found / 1e3, rel=0.2, abs=0.1)
    monkeypatch.setattr(sys, "platform", "win32")
    assert peak_memory_mb() is None


def test_images_that_are_stored_too_small_are_named(tmp_path, tiny_files):
    g = np.random.default_rng(0)
    for i in range(4):
        (tmp_path / "photos").mkdir(exist_ok=True)
        pixels = g.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    config, weights = tiny_files["vit"]
    said = {}
    for side in (30, 60):
        small = Store(tmp_path / f"store-{side}", side)
        images = small.open(small.ingest(tmp_path / "photos").set_id)
        settings = Settings(
            backbone=str(config), pretrained=str(weights), epochs=1, lr=1e-3, device="cpu"
        )
        folder = create_run(
            tmp_path / f"run-{side}", settings, ["a", "b"], reference(small, images)
        )
        execute(folder)
        said[side] = [e["text"] for e in folder.events() if e["kind"] == "note"]
    assert said[60] == []
    (note,) = said[30]
    assert "short side of 30 pixels, and this model would use 52" in note
