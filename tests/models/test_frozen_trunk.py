"""Quick mode's split of the image tower: head and tail together are the tower."""

import pytest
import torch
from torch import nn

from tests.training.test_loop import adapter_after, ready, settings
from ueo_core.models import backbones
from ueo_core.models.frozen_trunk import ClassTokenTail, Tail, tail_of
from ueo_core.utils.errors import UserError


@pytest.fixture(params=["tiny", "drawings-vit", "drawings-resnet"])
def backbone(request, tiny):
    return tiny if request.param == "tiny" else backbones.load(request.param, device="cpu")


def test_tail_of_head_is_the_tower(backbone):
    tail = tail_of(backbone.model.visual)
    size = backbone.preprocessing.size
    images = torch.randn(3, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = backbone.model.visual(images)
        # With changed norms: the split must not depend on their old values.
        torch.testing.assert_close(tail(tail.head(images)), expected)
        for norm in tail.norms:
            norm.weight.add_(0.3)
        moved = backbone.model.visual(images)
        torch.testing.assert_close(tail(tail.head(images)), moved)
    assert not torch.allclose(moved, expected)


def test_a_split_that_does_not_give_the_features_is_not_used(tiny_files, monkeypatch):
    visual = backbones.stock(*map(str, tiny_files["vit"])).model.visual.eval()
    assert type(tail_of(visual)) is ClassTokenTail
    monkeypatch.setattr(type(visual), "_global_pool", lambda self, x: (x.mean(1), x))
    assert type(tail_of(visual)) is Tail


def test_a_tower_that_cannot_be_split_trains_the_prompt_alone(tiny):
    assert type(tail_of(nn.Identity())) is Tail and tail_of(nn.Identity()).norms == []
    model, views, weights = ready(tiny)
    with pytest.raises(ValueError, match="cached activations"):
        adapter_after(model, views, weights, settings(mode="quick"))
    model.tail = Tail(model.visual)
    assert model.select("both") == [model.context]
    with pytest.raises(UserError, match="full mode"):
        model.select("affine")
