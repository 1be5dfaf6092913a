"""What of a recorded step can be tested without a GPU: the new leaves, and the way without a graph."""

import pytest
import torch

from tests.conftest import Arrays
from tests.training.test_loop import adapter_after, ready, same, settings
from ueo_core.data.transforms import Views
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training import loop
from ueo_core.training.cuda_graph import GraphedStep, aliases
from ueo_core.training.loop import adapt, image_features


@pytest.fixture(scope="module")
def backbone():
    return backbones.load("drawings-vit")


@pytest.fixture
def model(backbone):
    return AdaptedCLIP(backbone, ["star", "house", "key"])


def test_aliases_take_the_gradients_and_share_the_memory(model, backbone):
    images = Views(Arrays(4), backbone).evaluation(range(4))
    parameters = model.trainable_parameters()
    model(images).square().sum().backward()
    expected = [p.grad.clone() for p in parameters]
    for p in parameters:
        p.grad = None
    with aliases(model, parameters) as leaves:
        assert not {id(p) for p in leaves} & {id(p) for p in model.parameters()} ^ {
            id(p) for p in leaves
        }
        model(images).square().sum().backward()
        assert all(p.grad is None for p in parameters)
        for leaf, parameter, gradient in zip(leaves, parameters, expected, strict=True):
            torch.testing.assert_close(leaf.grad, gradient)
            assert leaf.data_ptr() == parameter.data_ptr()
    assert {id(p) for p in parameters} == {id(p) for p in model.parameters() if p.requires_grad}


def test_the_models_own_parameters_come_back_after_an_error(model):
    parameters = model.trainable_parameters()
    with pytest.raises(KeyError), aliases(model, parameters):
        raise KeyError
    assert {id(p) for p in parameters} == {id(p) for p in model.parameters() if p.requires_grad}


def test_a_step_that_cannot_be_recorded_is_computed(model, backbone, monkeypatch, caplog):
    images = Views(Arrays(4), backbone).evaluation(range(4))
    parameters, tried = model.trainable_parameters(), []

    def compute(images, places):
        loss = (model(images).square().sum(dim=1) * places).sum()
        loss.backward()
        return loss, 2 * loss

    def refuse(self, images, places):
        tried.append(len(images))
        raise torch.OutOfMemoryError("no memory for it")

    monkeypatch.setattr(GraphedStep, "_record", refuse)
    step = GraphedStep(model, compute, parameters)
    places = torch.arange(4.0)
    first, _ = step(images, places), step(images[:2], places[:2])
    second = step(images, places)  # gradients of the step before are gone
    assert torch.equal(first, second) and first[1] == 2 * first[0] > 0
    gradients = [p.grad.clone() for p in parameters]
    for p in parameters:
        p.grad = None
    compute(images, places)
    assert all(torch.equal(p.grad, g) for p, g in zip(parameters, gradients, strict=True))
    assert tried == [4]  # and not again
    (said,) = caplog.records
    assert "not recorded as a CUDA graph: no memory for it" in said.getMessage()


class NamedCuda(str):
    """The name of a device that calls itself CUDA: what is moved to it stays on the CPU."""

    type = "cuda"


@pytest.fixture
def recorded(monkeypatch):
    """The loop's recorded steps, computed. → (model, images, places, losses) of each"""
    calls = []

    class Recorder(GraphedStep):
        def _recording(self, images, places):
            return None

        def __call__(self, images, places):
            losses = super().__call__(images, places)
            calls.append((self.model, images, places, losses))
            return losses

    monkeypatch.setattr(loop, "GraphedStep", Recorder)
    return calls


@pytest.mark.parametrize("trained", ["both", "affine"])
def test_on_a_cuda_device_each_step_is_a_recorded_one(tiny, monkeypatch, recorded, trained):
    model, views, weights = ready(tiny)
    chosen = settings(chunk=5, trained=trained, precision="float32")
    expected = adapter_after(model, views, weights, chosen)
    assert recorded == []
    model.reset()
    monkeypatch.setattr(AdaptedCLIP, "device", NamedCuda("cpu"))
    steps = list(adapt(model, views, weights, chosen))
    assert same(model.adapter(), expected) and len(recorded) == len(steps) == 6
    for step, (recorded_model, images, places, losses) in zip(steps, recorded, strict=True):
        assert recorded_model is model
        assert places.tolist() == list(step.batch) and len(images) == len(places)
        assert losses.tolist() == [step.loss, step.entropy, step.marginal]


def test_a_loss_that_reads_values_back_is_not_recorded(tiny, monkeypatch, recorded):
    model, views, weights = ready(tiny)
    monkeypatch.setattr(AdaptedCLIP, "device", NamedCuda("cpu"))
    chosen = settings(chunk=5, method="unient", precision="float32")
    start = image_features(model, views)
    assert len(list(adapt(model, views, weights, chosen, start=start))) == 6
    assert recorded == []
