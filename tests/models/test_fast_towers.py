"""The faster forms give open_clip's numbers: features, and gradients of the norms."""

import pytest
import torch
from torch import nn

from ueo_core.models import backbones, fast_towers


def of_norms(visual: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Features, and gradients of every norm's weight and bias."""
    parameters = [
        p
        for module in visual.modules()
        if isinstance(module, nn.LayerNorm | nn.BatchNorm2d)
        for p in module.parameters()
    ]
    for p in parameters:
        p.requires_grad_()
    features = visual(images)
    probe = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    return features.detach(), list(torch.autograd.grad((features * probe).sum(), parameters))


@pytest.fixture(params=["tiny vit", "tiny resnet", "drawings-vit", "drawings-resnet"])
def stock(request, tiny_files):
    if request.param.startswith("tiny"):
        config, weights = tiny_files[request.param.removeprefix("tiny ")]
        return lambda: backbones.stock(str(config), str(weights))
    return lambda: backbones.stock(request.param)


def test_features_and_gradients_are_open_clips(stock):
    plain, fast = stock(), stock()
    side = plain.model.visual.image_size
    side = side if isinstance(side, int) else side[0]
    images = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(0))
    plain.model.eval().requires_grad_(False)
    fast.model.eval().requires_grad_(False)
    fast_towers.make_fast(fast.model)
    expected, gradients = of_norms(plain.model.visual, images)
    ours, own = of_norms(fast.model.visual, images)
    scale = float(expected.abs().max())
    torch.testing.assert_close(ours, expected, atol=2e-5 * scale, rtol=0)
    for a, b in zip(own, gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4 * float(b.abs().max()) + 1e-7, rtol=0)


def test_the_factors_of_quick_gelu_inside_the_products():
    from open_clip.transformer import QuickGELU, ResidualAttentionBlock

    torch.manual_seed(0)
    block = ResidualAttentionBlock(16, 2, act_layer=QuickGELU).requires_grad_(False)
    x = torch.randn(3, 5, 16, requires_grad=True)
    expected = block.mlp(x)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    model = nn.Module()
    model.visual, model.block = nn.Identity(), block
    fast_towers.make_fast(model)
    ours = block.mlp(x)
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-5)
    (own,) = torch.autograd.grad(ours.square().sum(), x)
    torch.testing.assert_close(own, gradient, atol=1e-6, rtol=1e-5)


def test_towers_that_read_more_than_the_class_token_keep_their_last_block(tiny_files):
    config, weights = tiny_files["vit"]
    visual = backbones.stock(str(config), str(weights)).model.visual
    assert fast_towers.reads_class_token_only(visual)
    visual.pool_type = "avg"
    assert not fast_towers.reads_class_token_only(visual)
    assert not fast_towers.reads_class_token_only(nn.Identity())


def test_a_faster_form_that_is_not_equal_is_undone(tiny_files, monkeypatch):
    """In that tower alone: the other keeps its own."""
    config, weights = tiny_files["vit"]
    stock = backbones.stock(str(config), str(weights))
    model = stock.model.eval().requires_grad_(False)
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    tokens = stock.tokenizer(["a photo of a dog.", "a photo of a cat."])
    with torch.no_grad():
        expected = model.encode_image(image)
    # An image tower that reads all tokens, of which the shortcut computes one.
    pool = lambda self, x: (x.mean(1), x)  # noqa: E731
    monkeypatch.setattr(type(model.visual), "_global_pool", pool)
    with torch.no_grad():
        own = model.encode_image(image)
    assert not torch.allclose(own, expected)
    fast_towers.make_fast_where_equal(model, image, tokens)
    with torch.no_grad():
        assert torch.equal(model.encode_image(image), own)
    assert not any("attention" in vars(m) for m in model.visual.modules())
    assert "attention" in vars(model.transformer.resblocks[0])
