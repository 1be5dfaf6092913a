"""StatA against a slow NumPy version of its updates, and what its anchor holds in place."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.methods.test_transclip import Zero, clusters
from ueo_core.config.settings import Settings
from ueo_core.methods.stata import adapt_features, stata
from ueo_core.methods.transclip import log_likelihood, transclip


def numpy_stata(f: np.ndarray, text: np.ndarray, scale: float) -> tuple[np.ndarray, ...]:
    """The same updates, image by image and class by class. → assignments, means, variances"""
    n, d = f.shape
    c = len(text)
    y = np.exp(scale * f @ text.T)
    y /= y.sum(1, keepdims=True)
    similar = f @ f.T
    w = np.zeros((n, n))
    for i in range(n):
        others = [j for j in np.argsort(-similar[i]) if j != i][:3]
        w[i, others] = similar[i, others]
    z = y.copy()
    anchor = sum(z[i, k] * (f[i] - text[k]) ** 2 for i in range(n) for k in range(c)) / n
    means, variances = text.copy(), np.tile(anchor, (c, 1))
    for round_ in range(11):
        likely = np.array(
            [
                [-0.5 * ((f[i] - means[k]) ** 2 / variances[k]).sum() for k in range(c)]
                for i in range(n)
            ]
        )
        for _ in range(5):
            inner = likely + (50 / 6) * (w.T @ z + w @ z)
            z = y * np.exp((inner - inner.max(1, keepdims=True)) / 50)
            z /= z.sum(1, keepdims=True)
        if round_ < 10:
            for k in range(c):
                count = (z.argmax(1) == k).sum()
                beta = count / (count + 1)
                own = (z[:, k][:, None] * f).sum(0)
                means[k] = beta * own / np.linalg.norm(own) + (1 - beta) * text[k]
                means[k] /= np.linalg.norm(means[k])
                spread = (z[:, k][:, None] * (f - means[k]) ** 2).sum(0) / z[:, k].sum()
                held = anchor + (text[k] - means[k]) ** 2
                variances[k] = beta * spread + (1 - beta) * held
    return z, means, variances


def near_text(f: torch.Tensor, classes: int = 3) -> torch.Tensor:
    return F.normalize(torch.eye(classes, f.shape[1]) + 0.1, dim=1)


def test_equals_the_updates_written_out():
    f, _, _ = clusters()
    text = near_text(f)
    fitted = stata(f, text, 8.0)
    z, means, variances = numpy_stata(f.double().numpy(), text.double().numpy(), 8.0)
    np.testing.assert_allclose(fitted.assignments.numpy(), z, atol=2e-4)
    np.testing.assert_allclose(fitted.means.numpy(), means, atol=2e-4)
    np.testing.assert_allclose(fitted.variance.numpy(), variances, rtol=5e-3, atol=1e-5)


def test_a_class_that_is_not_in_the_pool_stays_where_its_text_is():
    f, _, truth = clusters()
    text = near_text(f)
    present = torch.tensor(truth != 2)
    fitted = stata(f[present], text, 20.0)
    torch.testing.assert_close(fitted.means[2], text[2])
    free = transclip(f[present], f[present] @ text.T, 20.0)  # has no anchor
    assert float(free.means[2] @ text[2]) < 0.99
    assert (fitted.assignments.argmax(1).numpy() == truth[truth != 2]).all()


def test_log_likelihood_with_a_variance_of_each_class():
    g = np.random.default_rng(0)
    f, m = g.normal(size=(4, 6)), g.normal(size=(3, 6))
    v = g.uniform(0.01, 2, (3, 6))
    expected = [[-0.5 * ((x - m[k]) ** 2 / v[k]).sum() for k in range(3)] for x in f]
    found = log_likelihood(*(torch.tensor(a).float() for a in (f, m, v)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


class Texts(Zero):
    def encode_text(self):
        return self.text


def test_pool_and_test_images_have_their_assignments_as_softmax():
    f, _, truth = clusters(n=60)
    text = near_text(f)
    pool, test = adapt_features(Texts(text), f[:40], f[40:], Settings(), lambda: None)
    fitted = stata(f[:40], text, 8.0)
    later = fitted.log_assignments(f[40:], f[40:] @ text.T, 8.0)
    torch.testing.assert_close((8.0 * pool.cosines).softmax(1), fitted.assignments)
    torch.testing.assert_close((8.0 * test.cosines).softmax(1), later.exp())
    assert (test.cosines.argmax(1).numpy() == truth[40:]).mean() >= 0.95
    assert pool.score is None


@pytest.mark.parametrize("n", [1, 2])
def test_a_pool_of_one_or_two_images(n):
    f, _, _ = clusters(n=n)
    assert torch.isfinite(stata(f, near_text(f), 8.0).assignments).all()
