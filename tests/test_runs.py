"""Runs: the table of states, the folder after a kill, resumption, the queue."""

import json
import time

import numpy as np
import pytest
import torch
from PIL import Image

from ueo_core.adapted import read_delta
from ueo_core.errors import UserError
from ueo_core.images import Store
from ueo_core.runs import (
    ACTIONS,
    STATES,
    TRANSITIONS,
    Control,
    Manager,
    RunFolder,
    actions,
    create_run,
    next_state,
    read_snapshot,
    reference,
)
from ueo_core.runs.worker import execute
from ueo_core.settings import Settings

CLASSES = ["dog", "cat", "house"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a pool of 12 images and a labelled holdout of 9."""
    folder = tmp_path_factory.mktemp("images")
    g = np.random.default_rng(0)
    for part, names in (("pool", ["p"] * 12), ("test", [*CLASSES * 2, "zebra", "zebra", "dog"])):
        for i, name in enumerate(names):
            path = folder / part / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    store = Store(folder / "store", 52)
    sets = {p: store.open(store.ingest(folder / p).set_id) for p in ("pool", "test")}
    return store, sets


def settings(tiny_files, **changes) -> Settings:
    config, weights = tiny_files["vit"]
    base = {
        "backbone": str(config), "pretrained": str(weights), "epochs": 2, "batch_size": 5,
        "lr": 1e-2, "device": "cpu",
    }  # fmt: skip
    return Settings(**base | changes)


@pytest.fixture
def make(store, tiny_files, tmp_path):
    """Makes a queued run; keyword arguments change its settings."""
    images, sets = store

    def build(name="run", labels=True, root=tmp_path, **changes) -> RunFolder:
        from ueo_core.images import folder_labels

        return create_run(
            root / name,
            settings(tiny_files, **changes),
            CLASSES,
            reference(images, sets["pool"]),
            holdout=reference(images, sets["test"]),
            holdout_labels=folder_labels(sets["test"]) if labels else None,
        )

    return build


def delta_of(folder: RunFolder) -> dict:
    return read_delta(folder.path / "delta.safetensors")[0]


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# The table of states


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("cause", ["start", "halt", "finish", "fail", "interrupt", *ACTIONS])
def test_the_table_is_the_only_truth(state, cause):
    if (state, cause) in TRANSITIONS:
        assert next_state(state, cause) in STATES
    else:
        with pytest.raises(UserError, match=f"The run is {state}"):
            next_state(state, cause)


def test_every_state_is_reached_from_queued_and_none_but_finished_is_a_dead_end():
    reached, frontier = {"queued"}, ["queued"]
    while frontier:
        at = frontier.pop()
        for (state, _), after in TRANSITIONS.items():
            if state == at and after not in reached:
                reached.add(after)
                frontier.append(after)
    assert reached == set(STATES)
    assert {s for s, _ in TRANSITIONS} == set(STATES) - {"finished"}


def test_what_a_person_can_do_in_each_state():
    assert {s: actions(s) for s in STATES} == {
        "queued": ("cancel",),
        "running": ("pause", "stop"),
        "paused": ("step", "resume", "stop"),
        "stopping": (),
        "finished": (),
        "failed": ("resume",),
    }


# One run


def test_a_run_leaves_everything_it_promises(make):
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
    rows = (folder.path / "predictions.csv").read_text().splitlines()
    assert rows[0] == "path,prediction,confidence,score,unknown" and len(rows) == 13
    _, metadata = read_delta(folder.path / "delta.safetensors")
    assert metadata["classes"] == CLASSES and metadata["settings"]["epochs"] == 2


def test_the_last_evaluation_is_the_final_models(make):
    folder = make()
    execute(folder)
    result = json.loads((folder.path / "result.json").read_text())
    last = read_snapshot(folder).evaluations[-1]
    # The probe holds the whole small holdout, so both must agree.
    assert last["acc"] == pytest.approx(result["metrics"]["holdout"]["adapted"]["acc"])
    assert last["auc"] == pytest.approx(result["metrics"]["holdout"]["adapted"]["auc"])


def test_labels_do_not_change_the_result_by_a_bit(make):
    with_labels, without = make("a"), make("b", labels=False)
    execute(with_labels)
    execute(without)
    assert same(delta_of(with_labels), delta_of(without))
    assert "acc" not in read_snapshot(without).evaluations[-1]


@pytest.mark.parametrize("at", [1, 3, 4])
def test_paused_and_resumed_ends_bit_for_bit_like_undisturbed(make, at):
    whole, broken = make("whole"), make("broken")
    execute(whole)
    assert execute(broken, Control(until=at))["state"] == "paused"
    assert broken.state["step"] == at == broken.checkpoints()[-1]
    broken.set_state(next_state("paused", "resume"))
    assert execute(broken)["state"] == "finished"
    assert same(delta_of(whole), delta_of(broken))
    strip = lambda e: {k: v for k, v in e.items() if k not in ("elapsed", "peak_memory_mb")}  # noqa: E731
    kept = [[strip(e) for e in f.events()] for f in (whole, broken)]
    assert kept[0] == kept[1]


def test_killed_between_checkpoints_it_goes_back_to_the_last(make):
    whole, killed = make("whole"), make("killed")
    execute(whole)

    class Killed(BaseException):
        pass

    def die(event):
        if event["kind"] == "step" and event["step"] == 5:
            raise Killed

    with pytest.raises(Killed):
        execute(killed, emit=die)
    # As a kill leaves it: still "running", and the last line of the events torn.
    with open(killed.path / "events.jsonl", "a") as file:
        file.write('{"kind": "step", "st')
    assert read_snapshot(killed).step == 5
    killed.set_state(next_state(next_state("running", "interrupt"), "resume"))
    assert execute(killed)["state"] == "finished"
    assert same(delta_of(whole), delta_of(killed))
    assert [p["step"] for p in read_snapshot(killed).series] == [1, 2, 3, 4, 5, 6]


def test_stop_keeps_the_result_so_far(make):
    folder, control = make(epochs=50), Control()

    def stop(event):
        if event["kind"] == "step" and event["step"] == 4:
            control.stop.set()

    state = execute(folder, control, stop)
    assert (state["state"], state["step"]) == ("finished", 4)
    assert "Stopped early" in state["reason"]
    assert same(delta_of(folder), folder.checkpoint(4))


def test_a_non_finite_loss_goes_back_halves_the_rate_and_gives_up_the_third_time(make, monkeypatch):
    folder = make()
    poisoned = {"left": 1}
    from ueo_core.runs import worker

    real = worker.adapt

    def sick(*args):
        for step in real(*args):
            if step.step == 5 and poisoned["left"]:
                poisoned["left"] -= 1
                raise FloatingPointError("the loss of step 5 is not finite")
            yield step

    monkeypatch.setattr(worker, "adapt", sick)
    assert execute(folder)["state"] == "finished"
    snapshot = read_snapshot(folder)
    assert "went back to step 3" in snapshot.notes[0] and "0.005" in snapshot.notes[0]
    assert [p["step"] for p in snapshot.series] == [1, 2, 3, 4, 5, 6]
    assert snapshot.series[3]["lr"] < 0.6 * snapshot.series[2]["lr"]

    poisoned["left"] = 3
    state = execute(make("again"))
    assert state["state"] == "failed" and "lower the learning rate" in state["reason"]


def test_out_of_memory_halves_the_chunk_and_stays_exact(make, monkeypatch):
    plain, tight = make("plain", epochs=1), make("tight", epochs=1)
    execute(plain)
    from ueo_core.runs import worker

    real = worker.adapt

    def small_device(model, views, confidence, chosen, done=0):
        if chosen.chunk is None or chosen.chunk > 2:
            raise torch.OutOfMemoryError("too large")
        yield from real(model, views, confidence, chosen, done)

    monkeypatch.setattr(worker, "adapt", small_device)
    assert execute(tight)["state"] == "finished"
    assert "2 images at a time" in read_snapshot(tight).notes[-1]
    for name, value in delta_of(plain).items():
        torch.testing.assert_close(delta_of(tight)[name], value, atol=2e-5, rtol=1e-4)


def test_a_deleted_image_set_ends_as_a_sentence(make, store):
    folder = make()
    config = folder.config
    config["pool"]["set"] = "gone"
    (folder.path / "config.json").write_text(json.dumps(config))
    state = execute(folder)
    assert state["state"] == "failed" and "gone" in state["reason"]
    assert "Traceback" not in state["reason"]


def test_a_run_folder_is_not_overwritten(make):
    make()
    with pytest.raises(UserError, match="already holds a run"):
        make()


# The manager


def wait(manager: Manager, run: str, state: str, seconds: float = 60):
    """Wait on content, not on time."""
    until = time.monotonic() + seconds
    while manager.snapshot(run).state != state:
        assert time.monotonic() < until, manager.snapshot(run)
        time.sleep(0.02)
    return manager.snapshot(run)


@pytest.fixture
def manager(tmp_path):
    m = Manager(tmp_path / "runs")
    yield m
    m.shutdown()


def test_the_queue_is_first_in_first_out_with_one_slot(manager, make):
    ids = [manager.submit(make(f"r{i}", root=manager.root)) for i in range(3)]
    for run in ids:
        wait(manager, run, "finished")
    ends = [manager.folder(r).state["updated"] for r in ids]
    assert ends == sorted(ends)
    assert manager.active() is None or manager.queue() == []


def test_pause_step_resume_and_stop(manager, make):
    run = manager.submit(make(root=manager.root, epochs=400))
    wait(manager, run, "running")
    manager.act(run, "pause")
    at = wait(manager, run, "paused").step
    manager.act(run, "step", steps=2)
    until = time.monotonic() + 60
    while manager.snapshot(run).step < at + 2 or manager.snapshot(run).state != "paused":
        assert time.monotonic() < until
        time.sleep(0.02)
    assert manager.snapshot(run).step == at + 2
    manager.act(run, "resume")
    wait(manager, run, "running")
    manager.act(run, "stop")
    done = wait(manager, run, "finished")
    assert done.step < done.steps and "Stopped early" in done.reason


def test_a_paused_run_can_be_stopped_and_keeps_its_result(manager, make):
    folder = make(root=manager.root, epochs=400)
    run = manager.submit(folder)
    wait(manager, run, "running")
    manager.act(run, "pause")
    step = wait(manager, run, "paused").step
    manager.act(run, "stop")
    assert wait(manager, run, "finished").step == step
    assert (folder.path / "delta.safetensors").is_file()


def test_a_waiting_run_can_be_cancelled_and_taken_up_again(manager, make):
    first = manager.submit(make("first", root=manager.root, epochs=400))
    second = manager.submit(make("second", root=manager.root))
    wait(manager, first, "running")
    assert manager.queue() == [second]
    manager.act(second, "cancel")
    assert manager.snapshot(second).state == "paused" and manager.queue() == []
    manager.act(second, "resume")
    manager.act(first, "stop")
    wait(manager, second, "finished")


def test_what_the_state_forbids_is_a_sentence(manager, make):
    run = manager.submit(make(root=manager.root))
    wait(manager, run, "finished")
    with pytest.raises(UserError, match="The run is finished"):
        manager.act(run, "pause")
    for name in ("nowhere", "../run", ""):
        with pytest.raises(UserError):
            manager.folder(name)


def test_shutdown_checkpoints_and_a_new_process_resumes(tmp_path, make):
    first = Manager(tmp_path / "runs")
    folder = make(root=first.root, epochs=400)
    run = first.submit(folder)
    wait(first, run, "running")
    until = time.monotonic() + 60
    while first.snapshot(run).step < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    first.shutdown()
    assert folder.state["state"] == "paused"
    assert folder.checkpoints()[-1] == folder.state["step"]
    second = Manager(tmp_path / "runs")
    second.act(run, "resume")
    wait(second, run, "running")
    second.act(run, "stop")
    wait(second, run, "finished")
    second.shutdown()


def test_a_run_whose_process_died_says_so(tmp_path, make):
    folder = make(root=tmp_path / "runs")
    folder.set_state("running", pid=2**22 + 1)  # above the largest process id
    snapshot = Manager(tmp_path / "runs").snapshot(folder.id)
    assert snapshot.state == "paused" and "Interrupted" in snapshot.reason
    assert "resume" in snapshot.actions
