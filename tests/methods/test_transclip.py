"""TransCLIP against a slow NumPy version of its updates, and on simple clusters."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ueo_core.config.settings import Settings
from ueo_core.methods import transclip as module
from ueo_core.methods.transclip import adapt_features, log_likelihood, nearest, transclip


def numpy_transclip(f: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same updates, image by image and class by class. → shares, means, variance"""
    n, d = f.shape
    c = logits.shape[1]
    y = np.exp(logits - logits.max(1, keepdims=True))
    y /= y.sum(1, keepdims=True)
    similar = f @ f.T
    w = np.zeros((n, n))
    for i in range(n):
        others = [j for j in np.argsort(-similar[i]) if j != i][:3]
        w[i, others] = similar[i, others]
    z = y.copy()
    means = np.zeros((c, d))
    for k in range(c):
        top = np.argsort(-z[:, k])[:8]
        means[k] = (z[top, k][:, None] * f[top]).sum(0)
        means[k] /= np.linalg.norm(means[k])
    variance = np.full(d, 1 / d)
    for round_ in range(11):
        likely = np.array(
            [[-0.5 * ((f[i] - means[k]) ** 2 / variance).sum() for k in range(c)] for i in range(n)]
        )
        for _ in range(5):
            inner = likely + (50 / 6) * (w.T @ z + w @ z)
            inner -= inner.max(1, keepdims=True)
            z = y * np.exp(inner / 50)
            z /= z.sum(1, keepdims=True)
        if round_ < 10:
            for k in range(c):
                means[k] = (z[:, k][:, None] * f).sum(0)
                means[k] /= np.linalg.norm(means[k])
            variance = np.mean(
                [sum(z[i, k] * (f[i] - means[k]) ** 2 for k in range(c)) for i in range(n)], 0
            )
    return z, means, variance


def clusters(n: int = 30, noise: float = 0.35, classes: int = 3, seed: int = 0):
    """Features around class centers, and cosines with prompts that lie near the centers."""
    g = np.random.default_rng(seed)
    centers = np.eye(classes, 12)
    truth = np.arange(n) % classes
    f = centers[truth] + noise * g.normal(size=(n, 12)) / np.sqrt(12)
    text = centers + 0.8 * g.normal(size=(classes, 12)) / np.sqrt(12)
    f, text = (F.normalize(torch.tensor(v).float(), dim=1) for v in (f, text))
    return f, f @ text.T, truth


def test_equals_the_updates_written_out():
    f, cosines, _ = clusters()
    fitted = transclip(f, cosines, 8.0)
    z, means, variance = numpy_transclip(f.double().numpy(), 8.0 * cosines.double().numpy())
    np.testing.assert_allclose(fitted.assignments.numpy(), z, atol=2e-4)
    np.testing.assert_allclose(fitted.means.numpy(), means, atol=2e-4)
    np.testing.assert_allclose(fitted.variance.numpy(), variance, rtol=2e-3)


def test_neighbors_correct_uncertain_predictions():
    f, cosines, truth = clusters(n=150, noise=0.9, seed=3)
    fitted = transclip(f, cosines, 8.0)
    before = (cosines.argmax(1).numpy() == truth).mean()
    assert (fitted.assignments.argmax(1).numpy() == truth).mean() > before
    np.testing.assert_allclose(fitted.assignments.sum(1), 1, atol=1e-5)


def test_a_class_that_is_not_in_the_pool_stays_empty():
    f, cosines, truth = clusters()
    present = torch.tensor(truth != 2)
    fitted = transclip(f[present], cosines[present], 20.0)
    assert torch.isfinite(fitted.assignments).all()
    assert fitted.assignments[:, 2].sum() < 1
    assert (fitted.assignments.argmax(1).numpy() == truth[truth != 2]).all()


def test_images_outside_the_pool_are_assigned_with_the_fit():
    f, cosines, truth = clusters(n=60)
    fitted = transclip(f[:40], cosines[:40], 8.0)
    later = fitted.log_assignments(f[40:], cosines[40:], 8.0)
    np.testing.assert_allclose(later.exp().sum(1), 1, atol=1e-5)
    assert (later.argmax(1).numpy() == truth[40:]).mean() >= 0.95


class Zero:
    """A zero-shot model, as far as a method on features uses one."""

    logit_scale = 8.0

    def __init__(self, text):
        self.text = text

    def cosines(self, features):
        return features @ self.text.T


def test_cosines_have_the_assignments_as_their_softmax_at_the_logit_scale():
    f, _, _ = clusters(n=60)
    text = F.normalize(torch.randn(3, 12, generator=torch.Generator().manual_seed(0)), dim=1)
    pool, test = adapt_features(Zero(text), f[:40], f[40:], Settings(), lambda: None)
    fitted = transclip(f[:40], f[:40] @ text.T, 8.0)
    later = fitted.log_assignments(f[40:], f[40:] @ text.T, 8.0)
    torch.testing.assert_close(
        (8.0 * pool.cosines).softmax(1), fitted.assignments, atol=1e-5, rtol=1e-4
    )
    torch.testing.assert_close((8.0 * test.cosines).softmax(1), later.exp(), atol=1e-5, rtol=1e-4)


def test_neighbors_in_blocks_are_the_same(monkeypatch):
    f, _, _ = clusters()
    whole = nearest(f, f, 3, exclude_self=True)
    monkeypatch.setattr(module, "BLOCK", 7)
    for a, b in zip(whole, nearest(f, f, 3, exclude_self=True), strict=True):
        torch.testing.assert_close(a, b)
    assert all(i not in row for i, row in enumerate(whole[0].tolist()))


@pytest.mark.parametrize("n", [1, 2])
def test_a_pool_of_one_or_two_images(n):
    f, cosines, _ = clusters(n=n)
    assert torch.isfinite(transclip(f, cosines, 8.0).assignments).all()


def test_log_likelihood_is_half_the_scaled_distance():
    f, m, v = torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([0.5, 4.0])
    assert float(log_likelihood(f, m, v)) == pytest.approx(-0.5 * (1 / 0.5 + 4 / 4))
