"""POUF's loss against NumPy, and the limits of its transport cost."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from ueo_core.methods.pouf import pouf, transport


def numpy_entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(p)).sum(-1)


def test_pouf_is_transport_both_ways_and_three_tenths_of_infomax():
    c, s = np.random.default_rng(0).uniform(-1, 1, (6, 4)), 10.0
    cosines = torch.tensor(c)
    p, q = softmax(s * c, 1), softmax(s * c, 0)
    cost = np.mean(((1 - c) * p).sum(1)) + np.mean(((1 - c) * q).sum(0))
    assert float(transport(cosines, s)) == pytest.approx(cost, abs=1e-6)
    information = numpy_entropy(p).mean() - numpy_entropy(p.mean(0))
    assert float(pouf(cosines, s)) == pytest.approx(cost + 0.3 * information, abs=1e-5)


def test_transport_costs_nothing_where_every_image_equals_its_prompt():
    # One prompt per image, and equal to it: both plans are the identity.
    assert float(transport(torch.eye(4), 200.0)) == pytest.approx(0, abs=1e-6)
    assert float(transport(-torch.eye(4), 200.0)) > 0.9
