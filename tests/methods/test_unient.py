"""UniEnt's loss against NumPy, and the split of a batch into known and unknown."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from ueo_core.config.settings import Settings
from ueo_core.methods.build_loss import Batch, build
from ueo_core.methods.unient import two_gaussians, unient


def numpy_entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(p)).sum(-1)


def test_entropy_is_lowered_for_known_and_raised_for_unknown_images():
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


def test_two_gaussians_find_two_groups_and_none_where_there_are_none():
    g = np.random.default_rng(0)
    score = np.concatenate([g.normal(0.20, 0.01, 30), g.normal(0.30, 0.01, 40)])
    assert two_gaussians(score).tolist() == [False] * 30 + [True] * 40
    order = g.permutation(70)
    assert two_gaussians(score[order]).tolist() == (order >= 30).tolist()
    assert two_gaussians(np.full(9, 0.25)).all() and two_gaussians(np.array([0.1, 0.9])).all()


def test_known_images_are_those_whose_zero_shot_feature_is_near_a_prompt():
    text = torch.eye(3, 4)
    start = torch.tensor(
        [
            [1.0, 0, 0, 0],
            [0, 0, 0, 1],
            [0, 1, 0.01, 0],
            [0, 0.01, 0, 1],
            [0.02, 0, 1, 0],
            [0, 0, 0.02, 1],
        ]
    )
    index = torch.tensor([5, 0, 2, 3, 4, 1])  # of the batch in the pool
    features = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    objective = build(Settings(method="unient"), start)
    loss = objective(Batch(features, text, 3.0, torch.ones(6), index))
    known = torch.tensor([False, True, True, False, True, False])
    assert float(loss.total) == pytest.approx(
        float(unient(3.0 * features @ text.T, known)), abs=1e-6
    )
