"""DANCE against NumPy: both terms, the memory, and that a run with a memory cannot be resumed."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax

from tests.training.test_loop import adapter_after, ready, settings
from ueo_core.methods.build_loss import Batch, build
from ueo_core.methods.dance import dance, neighborhood, separation


def numpy_entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(p)).sum(-1)


@pytest.fixture
def batch():
    """Unit features (6, 8), prompts (4, 8), a memory (10, 8) and the batch's places in it."""
    g = np.random.default_rng(0)
    unit = [F.normalize(torch.tensor(g.normal(size=(n, 8))).float(), dim=1) for n in (6, 4, 10)]
    return *unit, torch.tensor([1, 8, 3, 0, 5, 2])


def test_neighborhood_is_the_entropy_over_prompts_memory_and_batch(batch):
    features, text, memory, index = batch
    logits = 20 * features @ text.T
    f, m = features.double().numpy(), memory.double().numpy()
    rows = []
    for i in range(6):
        like = [20 * m[j] @ f[i] if j not in index.tolist() else -20 for j in range(10)]
        near = [20 * f[j] @ f[i] if j != i else -20 for j in range(6)]
        rows.append(np.concatenate([logits[i].double().numpy(), like, near]))
    expected = numpy_entropy(softmax(np.array(rows), 1)).mean()
    assert float(neighborhood(features, logits, memory, index)) == pytest.approx(expected, abs=1e-5)


def test_separation_pushes_clear_entropies_and_leaves_unclear_ones():
    middle = np.log(4) / 2
    # Entropies 0 and log 4 lie log(4)/2 = 0.69 from the middle, further than the margin of 0.5.
    clear = torch.tensor([[50.0, 0, 0, 0], [0, 0, 0, 0]])
    assert float(separation(clear)) == pytest.approx(-middle, abs=1e-5)
    unclear = torch.tensor([[2.0, 2.0, -9.0, -9.0]], requires_grad=True)  # H = log 2, the middle
    separation(unclear).backward()
    assert unclear.grad.abs().max() == 0


def test_dance_is_the_sum_of_its_two_terms(batch):
    features, text, memory, index = batch
    logits = 30 * features @ text.T
    both = neighborhood(features, logits, memory, index) + separation(logits)
    assert float(dance(features, logits, memory, index)) == pytest.approx(float(both))


def test_the_memory_of_dance_has_the_latest_features():
    g = torch.Generator().manual_seed(0)
    unit = lambda n: F.normalize(torch.randn(n, 8, generator=g), dim=1)  # noqa: E731
    start, text, first, second = unit(5), unit(3), unit(2), unit(2)
    objective = build(settings(method="dance"), start)
    memory = start.clone()
    for features, index in ((first, torch.tensor([0, 3])), (second, torch.tensor([3, 4]))):
        batch = Batch(features, text, 10.0, torch.ones(2), index)
        expected = dance(features, 10 * features @ text.T, memory, index)
        assert float(objective(batch).total) == pytest.approx(float(expected), abs=1e-6)
        memory[index] = features


def test_a_method_with_a_memory_cannot_be_resumed(tiny):
    model, views, weights = ready(tiny)
    with pytest.raises(ValueError, match="memory"):
        adapter_after(model, views, weights, settings(method="dance"), done=1)
