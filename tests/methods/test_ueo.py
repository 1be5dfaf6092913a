"""The loss and its gradient against NumPy, and the invariants that the method states."""

import numpy as np
import pytest
import torch

from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Batch, build
from ueo_core.methods.ueo import confidence_weights, entmin, infomax, terms, ueo


def numpy_ueo(z: np.ndarray, w: np.ndarray, trade: float) -> float:
    """The formula of the paper, written down a second time, in float64."""
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    q = (1 / w) / (1 / w).sum()
    mean = (q[:, None] * p).sum(0)
    h = -(p * np.log(p)).sum(1)
    return float((w / w.sum() * h).sum() - trade * -(mean * np.log(mean)).sum())


@pytest.fixture
def batch():
    g = np.random.default_rng(0)
    return g.normal(0, 2, (7, 5)), g.uniform(0.2, 1, 7)


@pytest.mark.parametrize("trade", [0.0, 0.3, 1.0, 2.5])
def test_loss_equals_the_formula(batch, trade):
    z, w = batch
    got = ueo(torch.tensor(z), torch.tensor(w), trade)
    assert float(got) == pytest.approx(numpy_ueo(z, w, trade), abs=2e-6)


@pytest.mark.parametrize("trade", [0.0, 1.0])
def test_gradient_equals_finite_differences(batch, trade):
    z, w = batch
    x = torch.tensor(z, dtype=torch.float32, requires_grad=True)
    ueo(x, torch.tensor(w), trade).backward()
    step, expected = 1e-5, np.zeros_like(z)
    for at in np.ndindex(*z.shape):
        up, down = z.copy(), z.copy()
        up[at] += step
        down[at] -= step
        expected[at] = (numpy_ueo(up, w, trade) - numpy_ueo(down, w, trade)) / (2 * step)
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=2e-6)


def test_equal_weights_are_infomax_and_without_marginal_entmin(batch):
    z = torch.tensor(batch[0])
    for constant in (1.0, 0.37):
        w = torch.full((7,), constant)
        assert float(ueo(z, w)) == pytest.approx(float(infomax(z)), abs=1e-6)
        assert float(ueo(z, w, 0.0)) == pytest.approx(float(entmin(z)), abs=1e-6)
    assert float(infomax(z)) == pytest.approx(numpy_ueo(batch[0], np.ones(7), 1.0), abs=2e-6)


def test_order_of_images_and_of_classes_does_not_matter(batch):
    z, w = (torch.tensor(v) for v in batch)
    rows, columns = torch.randperm(7), torch.randperm(5)
    assert float(ueo(z[rows][:, columns], w[rows])) == pytest.approx(float(ueo(z, w)), abs=1e-6)


def test_scale_of_the_weights_does_not_matter(batch):
    z, w = (torch.tensor(v) for v in batch)
    assert float(ueo(z, 50 * w)) == pytest.approx(float(ueo(z, w)), abs=1e-6)


def test_several_batches_at_once_are_each_batch_alone(batch):
    z, w = (torch.tensor(v, dtype=torch.float32) for v in batch)
    both = terms(torch.stack([z, z.flip(0) * 2]), torch.stack([w, w]))
    for i, alone in enumerate((terms(z, w), terms(z.flip(0) * 2, w))):
        assert float(both.entropy[i]) == pytest.approx(float(alone.entropy), abs=1e-6)
        assert float(both.marginal[i]) == pytest.approx(float(alone.marginal), abs=1e-6)


def test_one_image_gives_no_loss_and_no_gradient():
    x = torch.randn(1, 6, requires_grad=True)
    loss = ueo(x, torch.tensor([0.4]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert x.grad.abs().max() < 1e-6


def test_weights_carry_no_gradient(batch):
    w = torch.tensor(batch[1], requires_grad=True)
    z = torch.tensor(batch[0], requires_grad=True)
    ueo(z, w).backward()
    assert w.grad is None


def test_the_marginal_gives_uncertain_images_more_weight():
    # Image 0 is certain of class 0, image 1 certain of class 1 but of low weight: with q = 1/w
    # the mean prediction leans to image 1: p̄ = (0.1, 0.9), so H(p̄) is that of (0.1, 0.9).
    z = torch.tensor([[60.0, 0.0], [0.0, 60.0]])
    got = terms(z, torch.tensor([0.9, 0.1])).marginal
    assert float(got) == pytest.approx(-(0.1 * np.log(0.1) + 0.9 * np.log(0.9)), abs=1e-5)


def test_stays_finite_where_probabilities_underflow():
    x = torch.tensor([[3000.0, 0.0, -3000.0]] * 4, requires_grad=True)
    loss = ueo(x, torch.ones(4))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(x.grad).all()


def test_half_precision_is_computed_in_float32():
    g = torch.Generator().manual_seed(0)
    z = torch.randn(300, 345, generator=g)
    w = torch.full((300,), 1 / 345)
    # 300 · 345 = 103,500 is over float16's largest number, 65,504.
    assert float(ueo(z.half(), w.half())) == pytest.approx(float(ueo(z, w)), abs=2e-3)


def test_weights_follow_the_named_temperatures():
    cosines = torch.tensor([[0.30, 0.20, 0.10], [0.22, 0.21, 0.20]])
    scaled = confidence_weights(cosines, 100.0, "scaled")
    released = confidence_weights(cosines, 100.0, "released")
    e = np.exp(100 * np.array([[0.30, 0.20, 0.10], [0.22, 0.21, 0.20]]))
    np.testing.assert_allclose(scaled, (e / e.sum(1, keepdims=True)).max(1), rtol=1e-5)
    e = np.exp(np.array([[0.30, 0.20, 0.10], [0.22, 0.21, 0.20]]))
    np.testing.assert_allclose(released, (e / e.sum(1, keepdims=True)).max(1), rtol=1e-6)
    # The trap in the released script: unscaled, the weights hardly differ from image to image.
    assert released.max() / released.min() < 1.1 < scaled.max() / scaled.min()


@pytest.mark.parametrize(
    ("method", "weighted", "marginal"),
    [("ueo", True, True), ("infomax", False, True), ("entmin", False, False)],
)
def test_the_loss_of_a_run_is_the_formula_with_the_methods_weights(method, weighted, marginal):
    g = np.random.default_rng(2)
    features, text = (torch.tensor(g.normal(0, 0.5, (n, 3)), dtype=torch.float32) for n in (6, 4))
    confidence = torch.tensor(g.uniform(0.3, 1, 6), dtype=torch.float32)
    batch = Batch(features, text, 2.5, confidence, torch.arange(6))
    found = build(Settings(method=method, trade=0.4))(batch)
    z = 2.5 * (features @ text.T).double().numpy()
    w = confidence.double().numpy() if weighted else np.ones(6)
    trade = 0.4 if marginal else 0.0
    assert float(found.total) == pytest.approx(numpy_ueo(z, w, trade), abs=2e-6)
    assert float(found.entropy) == pytest.approx(numpy_ueo(z, w, 0.0), abs=2e-6)
    held = numpy_ueo(z, w, 1.0)
    assert float(found.entropy - found.marginal) == pytest.approx(held, abs=2e-6)


def test_weights_are_the_papers_unless_the_released_script_is_asked_for():
    cosines = torch.tensor([[0.30, 0.20], [0.21, 0.20]])
    scaled = (100 * cosines).softmax(1).amax(1)
    assert torch.equal(confidence_weights(cosines, 100.0), scaled)
    plain = cosines.softmax(1).amax(1)
    assert torch.equal(confidence_weights(cosines, 100.0, "released"), plain)
