"""TransCLIP against a slow NumPy version of its updates, and on a problem one can see through."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ueo_core.methods import transclip as module
from ueo_core.methods.transclip import log_likelihood, nearest, transclip


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
    """Features around class centres, and cosines with prompts that lie beside the centres."""
    g = np.random.default_rng(seed)
    centres = np.eye(classes, 12)
    truth = np.arange(n) % classes
    f = centres[truth] + noise * g.normal(size=(n, 12)) / np.sqrt(12)
    text = centres + 0.8 * g.normal(size=(classes, 12)) / np.sqrt(12)
    f, text = (F.normalize(torch.tensor(v).float(), dim=1) for v in (f, text))
    return f, f @ text.T, truth


def test_equals_the_updates_written_out():
    f, cosines, _ = clusters()
    fitted = transclip(f, cosines, 8.0)
    z, means, variance = numpy_transclip(f.double().numpy(), 8.0 * cosines.double().numpy())
    np.testing.assert_allclose(fitted.assignments.numpy(), z, atol=2e-4)
    np.testing.assert_allclose(fitted.means.numpy(), means, atol=2e-4)
    np.testing.assert_allclose(fitted.variance.numpy(), variance, rtol=2e-3)


def test_moves_doubtful_images_to_their_own_kind():
    f, cosines, truth = clusters(n=150, noise=0.9, seed=3)
    fitted = transclip(f, cosines, 8.0)
    before = (cosines.argmax(1).numpy() == truth).mean()
    assert (fitted.assignments.argmax(1).numpy() == truth).mean() > before
    np.testing.assert_allclose(fitted.assignments.sum(1), 1, atol=1e-5)


def test_a_class_that_is_not_there_stays_empty_and_harmless():
    f, cosines, truth = clusters()
    present = torch.tensor(truth != 2)
    fitted = transclip(f[present], cosines[present], 20.0)
    assert torch.isfinite(fitted.assignments).all()
    assert fitted.assignments[:, 2].sum() < 1
    assert (fitted.assignments.argmax(1).numpy() == truth[truth != 2]).all()


def test_later_images_are_read_with_the_fit():
    f, cosines, truth = clusters(n=60)
    fitted = transclip(f[:40], cosines[:40], 8.0)
    later = fitted.log_assignments(f[40:], cosines[40:], 8.0)
    np.testing.assert_allclose(later.exp().sum(1), 1, atol=1e-5)
    assert (later.argmax(1).numpy() == truth[40:]).mean() >= 0.95


def test_neighbours_in_blocks_are_the_same(monkeypatch):
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
