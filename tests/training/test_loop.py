"""The loop: exactness, determinism, resumption, and that labels cannot reach it."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from tests.conftest import Arrays
from ueo_core.config.lr_schedule import steps_in_all
from ueo_core.config.methods import METHODS
from ueo_core.config.settings import Settings
from ueo_core.data.transforms import Views
from ueo_core.methods.build_loss import Loss
from ueo_core.methods.ueo import confidence_weights, ueo
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training import loop
from ueo_core.training.loop import adapt, check_pool, fitting_chunk, image_features
from ueo_core.utils import memory
from ueo_core.utils.errors import UserError

CLASSES = ["dog", "cat", "house"]


def ready(tiny, n: int = 12):
    model = AdaptedCLIP(tiny, CLASSES)
    views = Views(Arrays(n), tiny)
    text = model.encode_text().detach()
    weights = confidence_weights(image_features(model, views) @ text.T, model.logit_scale)
    return model, views, weights


def settings(**changes) -> Settings:
    return Settings(**{"epochs": 2, "batch_size": 5, "lr": 1e-2, "device": "cpu"} | changes)


def adapter_after(model, views, weights, chosen, done=0, upto=None) -> dict:
    for step in adapt(model, views, weights, chosen, done):
        if step.step == upto:
            break
    return {k: v.clone() for k, v in model.adapter().items()}


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_zero_learning_rate_changes_nothing(tiny):
    model, views, weights = ready(tiny)
    before = {k: v.clone() for k, v in model.adapter().items()}
    assert same(before, adapter_after(model, views, weights, settings(lr=0.0)))


def test_training_changes_every_norm_and_the_context_and_nothing_else(tiny):
    model, views, weights = ready(tiny)
    frozen = {k: v.clone() for k, v in tiny.model.state_dict().items() if k not in model.affine()}
    before = {k: v.clone() for k, v in model.adapter().items()}
    # A large rate, because a random ResNet's gradients vanish beside weights near one.
    after = adapter_after(model, views, weights, settings(lr=100.0))
    assert [k for k in after if torch.equal(after[k], before[k])] == []
    state = tiny.model.state_dict()
    assert [k for k, v in frozen.items() if not torch.equal(v, state[k])] == []


@pytest.mark.parametrize(("trained", "moves_context"), [("prompt", True), ("affine", False)])
def test_ablations_train_their_part_only(tiny, trained, moves_context):
    model, views, weights = ready(tiny)
    before = {k: v.clone() for k, v in model.adapter().items()}
    after = adapter_after(model, views, weights, settings(lr=100.0, trained=trained))
    moved = {k for k in after if not torch.equal(after[k], before[k])}
    assert moved == ({"context"} if moves_context else set(model.affine()))


def test_the_recorded_loss_is_ueos_on_that_batch(tiny):
    model, views, weights = ready(tiny)
    plain = Views(Arrays(12, size=(40, 40)), tiny, crop_scale=1.0, flip=False)
    chosen = settings(lr=0.0, crop_scale=1.0, flip=False)
    text = model.encode_text().detach()
    for step in adapt(model, plain, weights, chosen):
        batch = list(step.batch)
        # Square images whose whole area is kept: every draw gives the same view.
        images = plain.training(batch, np.random.default_rng(0))
        logits = model.logit_scale * model.encode_image(images).detach() @ text.T
        assert step.loss == pytest.approx(float(ueo(logits, weights[batch])), abs=1e-4)
        assert step.loss == pytest.approx(step.entropy - step.marginal, abs=1e-6)


def test_it_equals_a_hand_written_training_loop(tiny):
    """SGD on the UEO loss with a cosine rate, on square images that no crop or flip changes."""
    model, _, weights = ready(tiny)
    views = Views(Arrays(12, size=(40, 40)), tiny, crop_scale=1.0, flip=False)
    chosen = settings(lr=0.3, epochs=3, crop_scale=1.0, flip=False)
    steps = list(adapt(model, views, weights, chosen))

    own = AdaptedCLIP(tiny, CLASSES)
    parameters = own.trainable_parameters()
    for i, step in enumerate(steps):
        lr = 0.3 * (1 + math.cos(math.pi * i / len(steps))) / 2
        assert step.lr == pytest.approx(lr)
        loss = ueo(own.logit_scale * own(views.evaluation(step.batch)), weights[list(step.batch)])
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for p, gradient in zip(parameters, gradients, strict=True):
                p -= lr * gradient
    assert len({round(s.lr, 6) for s in steps}) == len(steps) == 9
    for name, value in own.adapter().items():
        torch.testing.assert_close(model.adapter()[name], value, atol=1e-6, rtol=1e-5)


def test_two_interleaved_loops_on_one_backbone_equal_two_separate_ones(tiny):
    views, weights = Views(Arrays(12), tiny), torch.linspace(0.3, 0.9, 12)
    chosen = [settings(lr=0.3, seed=seed) for seed in (0, 1)]
    alone = [adapter_after(AdaptedCLIP(tiny, CLASSES), views, weights, c) for c in chosen]
    models = [AdaptedCLIP(tiny, CLASSES) for _ in chosen]
    loops = [adapt(m, views, weights, c) for m, c in zip(models, chosen, strict=True)]
    for _ in zip(*loops, strict=True):
        pass
    for model, expected in zip(models, alone, strict=True):
        assert same(model.adapter(), expected)
    assert not same(*alone)


def test_every_epoch_has_another_order(tiny):
    model, views, weights = ready(tiny)
    steps = list(adapt(model, views, weights, settings(epochs=4)))
    orders = {
        tuple(i for s in steps if s.epoch == epoch for i in s.batch) for epoch in (1, 2, 3, 4)
    }
    assert len(orders) == 4 and all(sorted(order) == list(range(12)) for order in orders)


def test_every_step_has_another_augmentation(tiny):
    """Twelve times the same image: what differs between two batches is the augmentation."""
    model, _, weights = ready(tiny)
    images = Arrays(1)
    images.arrays *= 12
    views, seen = Views(images, tiny), []
    training = views.training
    views.training = lambda *args: seen.append(training(*args)) or seen[-1]
    list(adapt(model, views, weights, settings(lr=0.0)))
    assert len(seen) == 6
    for i, batch in enumerate(seen):
        assert not any(torch.equal(batch, other) for other in seen[:i])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_step(tiny, monkeypatch, value):
    model, views, weights = ready(tiny)
    calls = []

    def build(settings, start):
        def objective(batch):
            calls.append(1)
            total = batch.cosines.sum() * (value if len(calls) == 2 else 1.0)
            return Loss(total, torch.tensor(0.0), torch.tensor(0.0))

        return objective

    monkeypatch.setattr("ueo_core.training.loop.build", build)
    steps = adapt(model, views, weights, settings(chunk=64))
    next(steps)
    after_first = model.adapter_copy()
    with pytest.raises(FloatingPointError, match="^the loss of step 2 is not finite$"):
        next(steps)
    assert len(calls) == 2 and same(model.adapter(), after_first)


def test_the_result_depends_on_the_seed_alone(tiny):
    model, views, weights = ready(tiny)
    first = adapter_after(model, views, weights, settings())
    model.reset()
    assert same(first, adapter_after(model, views, weights, settings()))
    model.reset()
    assert not same(first, adapter_after(model, views, weights, settings(seed=1)))


@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_resumed_from_an_adapter_the_result_is_bit_equal(tiny, at):
    model, views, weights = ready(tiny)
    whole = adapter_after(model, views, weights, settings())
    model.reset()
    half = adapter_after(model, views, weights, settings(), upto=at)
    model.reset()
    model.load_adapter(half)
    assert same(whole, adapter_after(model, views, weights, settings(), done=at))


def test_views_drawn_ahead_are_those_of_their_step(tiny):
    """As on a CUDA device, where the next ones are queued behind the step."""
    model, views, weights = ready(tiny)
    whole = adapter_after(model, views, weights, settings())
    model.reset()
    views.ahead, drawn, real = True, [], views.training
    views.training = lambda batch, g: drawn.append(len(batch)) or real(batch, g)
    # One batch ahead of the step that has been taken, and none after the last.
    counts = [len(drawn) for _ in adapt(model, views, weights, settings())]
    assert counts == [2, 3, 4, 5, 6, 6] and same(whole, model.adapter())


@pytest.mark.parametrize("chunk", [1, 2, 4])
def test_chunking_is_exact(tiny, chunk):
    model, views, weights = ready(tiny)
    whole = adapter_after(model, views, weights, settings())
    model.reset()
    parts = adapter_after(model, views, weights, settings(chunk=chunk))
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], atol=2e-5, rtol=1e-4)


def test_labels_cannot_reach_training(tiny):
    """The loop sees pixels and confidences only: a source that can do nothing else suffices,
    and names or labels that are attached to it change nothing."""

    class Labeled(Arrays):
        touched = False

        def __getattr__(self, name):
            if name in ("names", "labels", "folders", "truth"):
                Labeled.touched = True
            raise AttributeError(name)

    model, views, weights = ready(tiny)
    plain = adapter_after(model, views, weights, settings())
    model.reset()
    watched = Views(Labeled(12), tiny)
    assert same(plain, adapter_after(model, watched, weights, settings()))
    assert not Labeled.touched


def test_batches_are_even_and_cover_the_pool_once_per_epoch(tiny):
    model, views, weights = ready(tiny)
    steps = list(adapt(model, views, weights, settings()))
    assert len(steps) == steps_in_all(12, settings()) == 6
    for epoch in (1, 2):
        seen = sorted(i for s in steps if s.epoch == epoch for i in s.batch)
        assert seen == list(range(12))


@pytest.mark.parametrize("n", [0, 1])
def test_a_pool_of_fewer_than_two_images_is_an_error(tiny, n):
    model, views, _ = ready(tiny, 2)
    with pytest.raises(UserError, match="at least two"):
        next(adapt(model, Views(Arrays(n), tiny), torch.ones(n), settings()))


def test_entmin_lowers_the_entropy(tiny):
    model, views, weights = ready(tiny)
    steps = list(adapt(model, views, weights, settings(method="entmin", epochs=15)))
    assert steps[-1].entropy < 0.5 * steps[0].entropy
    assert steps[0].loss == steps[0].entropy


def test_two_images_are_a_pool():
    check_pool(2)
    with pytest.raises(UserError) as refused:
        check_pool(1)
    assert str(refused.value) == (
        "The pool has 1 usable image, and adaptation needs at least two; add more images."
    )
    with pytest.raises(UserError, match="The pool has 0 usable images, and"):
        check_pool(0)


def test_activations_are_held_for_a_chunk_at_a_time(tiny, monkeypatch):
    model, views, weights = ready(tiny)
    sizes, encode = [], model.encode_image
    monkeypatch.setattr(model, "encode_image", lambda x: sizes.append(len(x)) or encode(x))
    next(adapt(model, views, weights, settings(batch_size=12, chunk=5)))
    # The parts that keep nothing, the one that does, and the others once more for the gradient.
    assert sizes == [5, 2, 5, 5, 2]
    sizes.clear()
    next(adapt(model, views, weights, settings(batch_size=12, chunk=12)))
    assert sizes == [12]


@pytest.mark.parametrize(("total", "most"), [(None, None), (10**12, None), (1, 1)])
def test_a_chunk_fits_the_memory(tiny, total, most):
    model, views, _ = ready(tiny)
    model.trainable_parameters()
    assert fitting_chunk(model, views, settings(batch_size=8), total) == most


def test_the_memory_of_a_chunk_is_what_one_more_image_saves(tiny):
    model, views, _ = ready(tiny)
    model.trainable_parameters()

    def saved(n: int) -> int:
        images = torch.cat([views.evaluation([0])] * n)
        return memory.saved_bytes(lambda: model.tower(images))

    each = saved(2) - saved(1)
    assert each == saved(4) - saved(3) > 0
    # Four images fit exactly into a CPU's share of this memory, five do not.
    total = math.ceil(4 * each / memory.STEP_SHARE)
    for batch, chunk in ((4, None), (5, 3), (8, 4)):
        assert fitting_chunk(model, views, settings(batch_size=batch), total) == chunk


def test_a_chunk_is_chosen_from_the_memory_where_none_is_given(tiny, monkeypatch):
    model, views, weights = ready(tiny)
    asked = []
    monkeypatch.setattr(memory, "memory_of", lambda device: 123)
    monkeypatch.setattr(loop, "fitting_chunk", lambda *args: asked.append(args[3]) or 2)
    sizes, encode = [], model.encode_image
    monkeypatch.setattr(model, "encode_image", lambda x: sizes.append(len(x)) or encode(x))
    next(adapt(model, views, weights, settings(batch_size=4)))
    assert asked == [123] and max(sizes) == 2
    asked.clear()
    next(adapt(model, views, weights, settings(batch_size=4, chunk=3)))
    assert asked == []


def test_text_is_encoded_once_where_the_prompt_does_not_train(tiny, monkeypatch):
    model, views, weights = ready(tiny)
    calls, encode = [], model.encode_text
    monkeypatch.setattr(model, "encode_text", lambda: calls.append(1) or encode())
    for trained, expected in (("affine", 1), ("both", 6)):
        calls.clear()
        assert len(list(adapt(model, views, weights, settings(trained=trained, chunk=5)))) == 6
        assert len(calls) == expected


def test_training_in_bfloat16_is_another_and_close(tiny):
    model, views, weights = ready(tiny)
    found = {}
    for name in ("float32", "bfloat16"):
        for chunk in (5, 2):
            model.reset()
            chosen = settings(precision=name, chunk=chunk, lr=0.1, epochs=1)
            found[name, chunk] = adapter_after(model, views, weights, chosen)
    for chunk in (5, 2):
        one, other = found["float32", chunk], found["bfloat16", chunk]
        assert not same(one, other)
        for name in one:
            torch.testing.assert_close(other[name], one[name], atol=0.05, rtol=0.05)


def test_a_step_says_where_it_is_and_how_long_it_took(tiny):
    model, views, weights = ready(tiny)
    steps = list(adapt(model, views, weights, settings()))
    assert [s.step for s in steps] == [1, 2, 3, 4, 5, 6] and {s.steps for s in steps} == {6}
    assert [s.epoch for s in steps] == [1, 1, 1, 2, 2, 2]
    assert all(0 < s.seconds < 60 for s in steps)


def test_what_cannot_be_trained_is_refused(tiny, monkeypatch):
    model, views, weights = ready(tiny)
    with pytest.raises(ValueError, match="^quick mode needs .* and cached activations$"):
        next(adapt(model, views, weights, settings(mode="quick")))
    row = dataclasses.replace(METHODS["entmin"], memory=True)
    monkeypatch.setitem(METHODS, "entmin", row)
    with pytest.raises(ValueError, match="^entmin has a memory that no checkpoint holds$"):
        next(adapt(model, views, weights, settings(method="entmin"), done=1))
    assert next(adapt(model, views, weights, settings(method="entmin"))).step == 1


def test_a_loss_is_given_the_places_in_the_pool_and_the_zero_shot_features(tiny, monkeypatch):
    model, views, weights = ready(tiny)
    seen, start = [], torch.randn(12, 16, generator=torch.Generator().manual_seed(0))

    def build(chosen, given):
        assert torch.equal(given, start)

        def objective(batch):
            seen.append((batch.index.tolist(), batch.confidence.tolist(), batch.scale))
            return Loss(batch.cosines.sum(), torch.tensor(0.0), torch.tensor(0.0))

        return objective

    monkeypatch.setattr(loop, "build", build)
    steps = list(adapt(model, views, weights, settings(chunk=5), start=start))
    assert seen == [
        (list(s.batch), weights[list(s.batch)].tolist(), model.logit_scale) for s in steps
    ]


def test_features_of_some_images_in_batches(tiny):
    model, views, _ = ready(tiny)
    done = []
    whole = image_features(model, views)
    some = image_features(model, views, 2, done.append, [7, 3, 0])
    torch.testing.assert_close(some, whole[[7, 3, 0]], atol=1e-6, rtol=1e-5)
    assert done == [2, 3] and not whole.requires_grad
    assert len(image_features(model, Views(Arrays(0), tiny))) == 0
