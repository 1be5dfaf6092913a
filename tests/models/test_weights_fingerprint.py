"""Fingerprints: equal for equal weights, different after any training."""

import torch
from torch import nn

from ueo_core.models.weights_fingerprint import SAMPLES, weights_fingerprint


def model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(300, 40), nn.BatchNorm1d(40))


def test_it_differs_by_seed_buffers_and_layout_but_not_for_copies():
    base = weights_fingerprint(model())
    assert weights_fingerprint(model()) == base
    assert weights_fingerprint(model().half().float()) != base  # rounded weights are others
    assert weights_fingerprint(model(1)) != base
    moved = model()
    moved[1].running_mean[3] = 0.5
    assert weights_fingerprint(moved) != base
    named = nn.Sequential(nn.Identity(), *model())
    assert weights_fingerprint(named) != base


def test_channels_last_is_the_same():
    torch.manual_seed(0)
    conv = nn.Conv2d(16, 32, 3)
    before = weights_fingerprint(conv)
    assert weights_fingerprint(conv.to(memory_format=torch.channels_last)) == before
    assert conv.weight.numel() > SAMPLES
