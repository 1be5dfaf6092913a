"""The gradients of one step: which parts of the model get them, at which precision, in what memory."""

import math
from types import SimpleNamespace

import pytest
import torch

from tests.training.test_loop import adapter_after, ready, same, settings
from ueo_core.methods.build_loss import Loss
from ueo_core.training import loop
from ueo_core.training.loop import adapt, fitting_chunk
from ueo_core.utils import memory
from ueo_core.utils.precision import tower_autocast

ZERO = torch.tensor(0.0)


def batches_of_the_loss(monkeypatch, total) -> list:
    """Replace the loss by `total(batch)`. → the batches that it is given, as they come"""
    seen = []

    def objective(batch):
        seen.append(batch)
        return Loss(total(batch), ZERO, ZERO)

    monkeypatch.setattr(loop, "build", lambda settings, start: objective)
    return seen


@pytest.mark.parametrize("chunk", [12, 5])
@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_both_towers_compute_at_the_precision_and_the_loss_in_float32(
    tiny, monkeypatch, name, chunk
):
    model, views, weights = ready(tiny)
    images = views.evaluation(range(12))
    monkeypatch.setattr(views, "training", lambda batch, g: images[batch])
    seen = batches_of_the_loss(monkeypatch, lambda batch: batch.logits.sum())
    next(adapt(model, views, weights, settings(batch_size=12, chunk=chunk, precision=name, lr=0.0)))
    (batch,) = seen
    with tower_autocast(name, model.device), torch.no_grad():
        features = [model.encode_image(part) for part in images[batch.index].split(chunk)]
        text = model.encode_text()
    assert torch.equal(batch.features, torch.cat(features)) and torch.equal(batch.text, text)
    assert batch.logits.dtype == torch.float32
    with tower_autocast("float32", model.device), torch.no_grad():
        assert torch.equal(model.encode_text(), batch.text) == (name == "float32")


@pytest.mark.parametrize("chunk", [5, 2])
def test_the_prompt_alone_trains_alike_in_parts(tiny, chunk):
    """Its images need no gradient, so no part is encoded for one."""
    model, views, weights = ready(tiny)
    before = model.adapter_copy()
    chosen = settings(trained="prompt", lr=0.3, batch_size=6)
    whole = adapter_after(model, views, weights, chosen.changed(chunk=6))
    model.reset()
    parts = adapter_after(model, views, weights, chosen.changed(chunk=chunk))
    for key, value in whole.items():
        torch.testing.assert_close(parts[key], value, atol=2e-5, rtol=1e-4)
    assert {k for k in before if not torch.equal(before[k], parts[k])} == {"context"}


@pytest.mark.parametrize("chunk", [12, 5])
def test_a_loss_of_the_texts_alone_leaves_the_image_tower(tiny, monkeypatch, chunk):
    model, views, weights = ready(tiny)
    before = model.adapter_copy()
    batches_of_the_loss(monkeypatch, lambda batch: (batch.text[0] * batch.text[1]).sum())
    chosen = settings(batch_size=12, chunk=chunk, lr=0.3)
    after = adapter_after(model, views, weights, chosen, upto=1)
    assert {k for k in before if not torch.equal(before[k], after[k])} == {"context"}


def test_each_step_has_the_gradient_of_its_own_batch_alone(tiny, monkeypatch):
    """The third step has no gradient: what the first two left would move the parameters."""
    model, views, weights = ready(tiny)
    seen = batches_of_the_loss(
        monkeypatch, lambda batch: batch.cosines.sum() * (0.0 if len(seen) == 3 else 1.0)
    )
    after = {s.step: model.adapter_copy() for s in adapt(model, views, weights, settings(lr=0.3))}
    assert same(after[3], after[2]) and not same(after[2], after[1])


@pytest.mark.parametrize("trained", ["both", "prompt", "affine"])
def test_nothing_trains_and_no_gradient_is_held_after_a_loop(tiny, trained):
    model, views, weights = ready(tiny)
    steps = adapt(model, views, weights, settings(trained=trained))
    next(steps)
    during = [p for p in model.parameters() if p.requires_grad]
    assert during and all(p.grad is not None for p in during)
    steps.close()
    assert not any(p.requires_grad for p in model.parameters())
    assert all(p.grad is None for p in during)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_the_memory_of_a_chunk_is_measured_at_its_precision(tiny, name):
    model, views, _ = ready(tiny)
    model.trainable_parameters()

    def saved(n: int, precision: str) -> int:
        with tower_autocast(precision, model.device):
            return memory.saved_bytes(lambda: model.tower(views.evaluation([0] * n)))

    each = saved(2, name) - saved(1, name)
    assert (each == saved(2, "float32") - saved(1, "float32")) == (name == "float32")
    # Four images fit exactly.
    total = math.ceil(4 * each / memory.STEP_SHARE)
    for batch, chunk in ((4, None), (5, 3)):
        chosen = settings(batch_size=batch, precision=name)
        assert fitting_chunk(model, views, chosen, total) == chunk


def test_a_chunk_may_take_more_of_a_gpus_memory_than_of_a_cpus():
    weight = torch.ones(100, requires_grad=True)
    views = SimpleNamespace(evaluation=lambda indices: torch.ones(len(indices), 100))
    fitting = {}
    for device in ("cpu", "cuda"):
        model = SimpleNamespace(
            device=torch.device(device), tower=lambda images: (images * weight).sum()
        )
        chosen = settings(batch_size=1000, precision="float32")
        fitting[device] = fitting_chunk(model, views, chosen, 100_000)
    # 400 bytes for each image: 15 fit into 6 % of the memory, 125 into a half of it.
    assert fitting == {"cpu": 15, "cuda": 125}
