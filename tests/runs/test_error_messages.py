"""Errors in a run: a clear reason, a way out, and everything before the error is kept."""

import errno
import json

import pytest
import torch

from tests.helpers.small_runs import adapter_of, forget, make, manager, same, store, story, wait  # noqa: F401
from ueo_core.data.image_set import ImageSet, pixels_missing
from ueo_core.runs import scoring, worker
from ueo_core.runs.control import Control
from ueo_core.runs.error_messages import out_of_memory, sentence
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.runs.worker import execute
from ueo_core.training.loop import image_features
from ueo_core.utils import files


def test_a_non_finite_loss_halves_the_rate_and_fails_the_third_time(make, monkeypatch):  # noqa: F811
    folder = make()
    poisoned = {"left": 1}
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
    assert "returned to step 3" in snapshot.notes[0] and "0.005" in snapshot.notes[0]
    assert [p["step"] for p in snapshot.series] == [1, 2, 3, 4, 5, 6]
    assert snapshot.series[3]["lr"] < 0.6 * snapshot.series[2]["lr"]

    poisoned["left"] = 3
    state = execute(make("again"))
    assert state["state"] == "failed" and "lower the learning rate" in state["reason"]


def test_out_of_memory_halves_the_chunk_and_keeps_the_result(make, monkeypatch):  # noqa: F811
    plain, tight = make("plain", epochs=1), make("tight", epochs=1)
    execute(plain)
    real = worker.adapt

    def small_device(model, views, confidence, chosen, *more):
        if chosen.chunk is None or chosen.chunk > 2:
            raise torch.OutOfMemoryError("too large")
        yield from real(model, views, confidence, chosen, *more)

    monkeypatch.setattr(worker, "adapt", small_device)
    assert execute(tight)["state"] == "finished"
    assert "2 images at a time" in read_snapshot(tight).notes[-1]
    for name, value in adapter_of(plain).items():
        torch.testing.assert_close(adapter_of(tight)[name], value, atol=2e-5, rtol=1e-4)


def test_a_resumed_run_keeps_its_halved_learning_rate(make, monkeypatch):  # noqa: F811
    plain, whole, halted = make("plain"), make("whole"), make("halted")
    execute(plain)
    real, sick = worker.adapt, []

    def once_not_finite(*args):
        for step in real(*args):
            if step.step == 4 and sick:
                raise FloatingPointError(f"the loss of step {sick.pop()} is not finite")
            yield step

    monkeypatch.setattr(worker, "adapt", once_not_finite)
    sick.append(4)
    assert execute(whole)["state"] == "finished"
    sick.append(4)
    assert execute(halted, Control(until=5))["state"] == "paused"
    halted.move("resume")
    assert execute(halted)["state"] == "finished"
    rates = {f.id: [p["lr"] for p in read_snapshot(f).series] for f in (plain, halted)}
    assert rates["halted"][:3] == rates["plain"][:3]
    assert rates["halted"][3:] == pytest.approx([lr / 2 for lr in rates["plain"][3:]])
    assert same(adapter_of(whole), adapter_of(halted)) and story(whole) == story(halted)


def test_a_resumed_run_keeps_its_halved_chunk(make, monkeypatch):  # noqa: F811
    folder, chunks, real = make(), [], worker.adapt

    def small_device(model, views, confidence, chosen, *more):
        chunks.append(chosen.chunk)
        if chosen.chunk is None or chosen.chunk > 2:
            raise torch.OutOfMemoryError("too large")
        yield from real(model, views, confidence, chosen, *more)

    monkeypatch.setattr(worker, "adapt", small_device)
    assert execute(folder, Control(until=4))["state"] == "paused"
    assert chunks == [None, 2]
    folder.move("resume")
    assert execute(folder)["state"] == "finished"
    assert chunks == [None, 2, 2]  # resumed without running out of memory again


def test_a_deleted_image_set_is_a_clear_error(make, store):  # noqa: F811
    folder = make()
    config = folder.config
    config["pool"]["set"] = "gone"
    (folder.path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    state = execute(folder)
    assert state["state"] == "failed" and "gone" in state["reason"]
    assert "Traceback" not in state["reason"]


def test_a_step_that_ran_out_of_memory_is_repeated(make, monkeypatch):  # noqa: F811
    """Between two checkpoints: no step is lost, none is taken twice."""
    plain, tight = make("plain"), make("tight")
    execute(plain)
    real, full = worker.adapt, [True]

    def once(*given):
        for step in real(*given):
            if step.step == 5 and full[0]:
                full[0] = False
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
            yield step

    # The fifth step has been taken when this raises: undo it, as if memory had run out.
    def undone(model, *more):
        try:
            for step in once(model, *more):
                kept = {k: v.clone() for k, v in model.adapter().items()}
                yield step
        except RuntimeError:
            model.load_adapter(kept)
            raise

    monkeypatch.setattr(worker, "adapt", undone)
    assert execute(tight)["state"] == "finished"
    assert [p["step"] for p in read_snapshot(tight).series] == [1, 2, 3, 4, 5, 6]
    assert tight.state["chunk"] == 2  # stored for a resumed run
    for name, value in adapter_of(plain).items():
        torch.testing.assert_close(adapter_of(tight)[name], value, atol=2e-5, rtol=1e-4)


def test_out_of_memory_while_measuring_halves_the_batch(make, store, monkeypatch):  # noqa: F811
    plain, tight = make("plain"), make("tight")
    execute(plain)
    forget(store)
    sizes = []

    def small_device(model, views, batch_size, *more):
        sizes.append(batch_size)
        if batch_size > 4:
            raise torch.OutOfMemoryError("too large")
        return image_features(model, views, batch_size, *more)

    monkeypatch.setattr(scoring, "image_features", small_device)
    assert execute(tight)["state"] == "finished"
    assert sizes[:4] == [32, 16, 8, 4] and set(sizes[4:]) == {4}
    for name, value in adapter_of(plain).items():
        torch.testing.assert_close(adapter_of(tight)[name], value, atol=2e-5, rtol=1e-4)


def test_parameters_that_are_not_finite_never_become_a_checkpoint(make, monkeypatch):  # noqa: F811
    """A finite loss can have a gradient that is not: found before the next loss."""
    folder, left = make(), [1]
    real = worker.adapt

    def sick(model, *more):
        for step in real(model, *more):
            if step.step == 6 and left[0]:
                left[0] = 0
                model.context.data[0, 0] = float("inf")
            yield step

    monkeypatch.setattr(worker, "adapt", sick)
    assert execute(folder)["state"] == "finished"
    assert (
        "the parameters after step 6 are not finite; returned to step 3"
        in (read_snapshot(folder).notes[0])
    )
    for step in folder.checkpoints():
        assert all(v.isfinite().all() for v in folder.checkpoint(step).values())
    assert not any(
        "NaN" in line
        for line in (folder.path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    )


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device", "events.jsonl")


def test_a_full_disk_is_a_clear_error_and_the_run_can_be_resumed(make, monkeypatch):  # noqa: F811
    whole, folder = make("whole"), make("full")
    execute(whole)
    control = Control()

    def fill(event):
        if event["kind"] == "step" and event["step"] == 4:
            monkeypatch.setattr(RunFolder, "append", full)

    state = execute(folder, control, fill)
    assert state["state"] == folder.state["state"] == "failed"
    assert "The disk is full (events.jsonl): free some space and resume" in state["reason"]
    assert folder.checkpoints() == [0, 3]
    monkeypatch.undo()
    folder.move("resume")
    assert execute(folder)["state"] == "finished"
    assert same(adapter_of(whole), adapter_of(folder)) and story(whole) == story(folder)


def test_a_disk_too_full_to_write_the_state(make, manager, monkeypatch):  # noqa: F811
    """Viewers of this process see the failure, and can resume the run."""
    whole, folder = make("whole"), make("full", root=manager.root)
    execute(whole)
    with monkeypatch.context() as disk:
        disk.setattr(RunFolder, "save_checkpoint", full)
        real = files.write_bytes

        def tight(path, data):
            if b'"failed"' in data:
                full()
            real(path, data)

        disk.setattr(files, "write_bytes", tight)
        run = manager.submit(folder)
        assert "The disk is full" in wait(manager, run, "failed").reason
        assert folder.state["state"] == "running"
    manager.act(run, "resume")
    wait(manager, run, "finished")
    assert same(adapter_of(whole), adapter_of(folder))


def test_a_deleted_image_is_named(make, monkeypatch):  # noqa: F811
    whole, folder = make("whole"), make("without")
    execute(whole)
    real = ImageSet.pixels

    def gone(self, i):
        if i == 3:
            raise pixels_missing(self.names[i])
        return real(self, i)

    def delete(event):
        if event["kind"] == "step" and event["step"] == 4:
            monkeypatch.setattr(ImageSet, "pixels", gone)

    state = execute(folder, emit=delete)
    assert state["state"] == "failed" and "p/11.png: its pixels are no longer" in state["reason"]
    assert folder.checkpoints() == [0, 3]
    monkeypatch.undo()
    folder.move("resume")
    assert execute(folder)["state"] == "finished"
    assert same(adapter_of(whole), adapter_of(folder))


def test_a_lost_device_is_a_clear_error_and_the_result_so_far_can_be_kept(make, monkeypatch):  # noqa: F811
    folder = make()
    real = worker.adapt

    def lost(*args):
        for step in real(*args):
            if step.step == 5:
                raise RuntimeError("CUDA error: unspecified launch failure\nCompile with …")
            yield step

    with monkeypatch.context() as gpu:
        gpu.setattr(worker, "adapt", lost)
        state = execute(folder)
    assert state["reason"] == (
        "The GPU stopped working (CUDA error: unspecified launch failure): restart the app and resume, "
        "or start the run again on the CPU; everything up to the last checkpoint is kept."
    )
    folder.move("stop")
    state = execute(folder)
    assert (state["state"], state["step"]) == ("finished", 3)
    assert same(adapter_of(folder), folder.checkpoint(3))


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (RuntimeError("shape mismatch"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
    ],
)
def test_out_of_memory_is_distinguished_from_other_errors(error, is_memory):
    assert out_of_memory(error) is is_memory
    assert sentence(error).endswith(".") and "\n" not in sentence(error)
