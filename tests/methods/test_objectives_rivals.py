"""The rivals' losses against NumPy, written down a second time, and what each of them promises."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import softmax

from ueo_core.methods.objectives_rivals import (
    dance,
    neighbourhood,
    pouf,
    separation,
    transport,
    two_gaussians,
    unient,
)


def numpy_entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(p)).sum(-1)


@pytest.fixture
def batch():
    """Unit features (6, 8), prompts (4, 8), a memory (10, 8) and the batch's places in it."""
    g = np.random.default_rng(0)
    unit = [F.normalize(torch.tensor(g.normal(size=(n, 8))).float(), dim=1) for n in (6, 4, 10)]
    return *unit, torch.tensor([1, 8, 3, 0, 5, 2])


def test_pouf_is_transport_both_ways_and_three_tenths_of_infomax(batch):
    features, text, _, _ = batch
    cosines = (features @ text.T).double()
    c, s = cosines.numpy(), 10.0
    p, q = softmax(s * c, 1), softmax(s * c, 0)
    cost = np.mean(((1 - c) * p).sum(1)) + np.mean(((1 - c) * q).sum(0))
    assert float(transport(cosines, s)) == pytest.approx(cost, abs=1e-6)
    information = numpy_entropy(p).mean() - numpy_entropy(p.mean(0))
    assert float(pouf(cosines, s)) == pytest.approx(cost + 0.3 * information, abs=1e-5)


def test_transport_costs_nothing_where_every_image_lies_on_its_prompt():
    # One prompt an image, and each on top of the other: both plans are the identity.
    assert float(transport(torch.eye(4), 200.0)) == pytest.approx(0, abs=1e-6)
    assert float(transport(-torch.eye(4), 200.0)) > 0.9


def test_neighbourhood_is_the_entropy_over_prompts_memory_and_batch(batch):
    features, text, memory, index = batch
    logits = 20 * features @ text.T
    f, m = features.double().numpy(), memory.double().numpy()
    rows = []
    for i in range(6):
        like = [20 * m[j] @ f[i] if j not in index.tolist() else -20 for j in range(10)]
        near = [20 * f[j] @ f[i] if j != i else -20 for j in range(6)]
        rows.append(np.concatenate([logits[i].double().numpy(), like, near]))
    expected = numpy_entropy(softmax(np.array(rows), 1)).mean()
    assert float(neighbourhood(features, logits, memory, index)) == pytest.approx(
        expected, abs=1e-5
    )


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
    both = neighbourhood(features, logits, memory, index) + separation(logits)
    assert float(dance(features, logits, memory, index)) == pytest.approx(float(both))


def test_unient_sharpens_the_known_and_blurs_the_strange():
    z = torch.tensor(np.random.default_rng(1).normal(0, 2, (7, 5)))
    known = torch.tensor([True, True, False, True, False, True, False])
    p = softmax(z.numpy(), 1)
    h = numpy_entropy(p)
    expected = (
        h[known.numpy()].mean() - 0.5 * h[~known.numpy()].mean() - 0.5 * numpy_entropy(p.mean(0))
    )
    assert float(unient(z, known)) == pytest.approx(expected, abs=1e-5)
    for all_alike in (torch.ones(7, dtype=torch.bool), torch.zeros(7, dtype=torch.bool)):
        assert torch.isfinite(unient(z, all_alike))


def test_two_gaussians_find_two_groups_and_do_not_invent_them():
    g = np.random.default_rng(0)
    score = np.concatenate([g.normal(0.20, 0.01, 30), g.normal(0.30, 0.01, 40)])
    assert two_gaussians(score).tolist() == [False] * 30 + [True] * 40
    order = g.permutation(70)
    assert two_gaussians(score[order]).tolist() == (order >= 30).tolist()
    assert two_gaussians(np.full(9, 0.25)).all() and two_gaussians(np.array([0.1, 0.9])).all()
