"""BATCLIP's loss against NumPy, class by class."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from ueo_core.config.settings import Settings
from ueo_core.methods.batclip import batclip
from ueo_core.methods.build_loss import Batch, build


def unit(g: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = g.normal(size=(n, d))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def numpy_batclip(f: np.ndarray, text: np.ndarray, scale: float) -> float:
    z = scale * f @ text.T
    p = softmax(z, 1)
    label = p.argmax(1)
    present = sorted(set(label.tolist()))
    means = {c: f[label == c].mean(0) for c in present}
    matching = sum(means[c] @ text[c] for c in present) / len(present)
    apart = sum(
        1 - means[a] @ means[b] / np.linalg.norm(means[a]) / np.linalg.norm(means[b])
        for a in present
        for b in present
        if a != b
    )
    total = -(p * np.log(p)).sum(1).mean() - matching - apart
    return total / max(1, len(present) * (len(present) - 1))


@pytest.mark.parametrize(("n", "classes"), [(12, 4), (5, 7), (2, 3)])
def test_equals_numpy_also_where_classes_have_no_image(n, classes):
    g = np.random.default_rng(n)
    f, text = unit(g, n, 8), unit(g, classes, 8)
    tensors = torch.tensor(f), torch.tensor(text)
    found = batclip(*tensors, 5 * tensors[0] @ tensors[1].T)
    assert float(found) == pytest.approx(numpy_batclip(f, text, 5.0), abs=1e-5)


def test_one_class_alone_has_no_pair_and_a_finite_gradient():
    f = torch.tensor([[1.0, 0.0], [0.9, 0.1]], requires_grad=True)
    text = torch.eye(2)
    loss = batclip(f, text, 4 * f @ text.T)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(f.grad).all()


def test_the_objective_reads_the_logits_of_its_batch():
    g = np.random.default_rng(3)
    f, text = (torch.tensor(unit(g, n, 6)).float() for n in (9, 3))
    loss = build(Settings(method="batclip"))(Batch(f, text, 7.0, torch.ones(9), torch.arange(9)))
    assert float(loss.total) == pytest.approx(numpy_batclip(f.numpy(), text.numpy(), 7.0), abs=1e-5)
