"""The fused norms and pools against torch's own layers: results, and gradients of all that they take."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.conftest import needs_cuda
from ueo_core.models import backbones, fast_towers, fused_norms
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.frozen_trunk import BatchNormTail, ClassTokenTail, tail_of

pytest.importorskip("triton")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TYPES = pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 8e-3}


@pytest.fixture
def kernels(monkeypatch):
    """Also without a GPU, and with so few programs that each sums several parts."""
    for module in (fused_norms, fast_towers):
        monkeypatch.setattr(module, "works_on", lambda x: True)
    monkeypatch.setattr(fused_norms, "LAYER_PROGRAMS", 4)
    monkeypatch.setattr(fused_norms, "BATCH_PROGRAMS", 4)
    monkeypatch.setattr(fused_norms, "ELEMENTS", 64)
    monkeypatch.setattr(fused_norms, "TILE", 256)


def drawn(*shape: int, seed: int, kind=torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE, kind)


def randomized(layer: nn.Module) -> nn.Module:
    for i, value in enumerate(layer.parameters()):
        value.data = drawn(*value.shape, seed=i)
    return layer.to(DEVICE).eval()


def same(found, expected, kind) -> None:
    for a, b in zip(found, expected, strict=True):
        a, b = a.detach().float(), b.detach().float()
        assert float((a - b).norm() / b.norm()) < TOLERANCE[kind]


@TYPES
@pytest.mark.parametrize("width", [64, 48])  # a power of two, and none
def test_a_residual_and_its_layer_norm(kernels, kind, width):
    layer = randomized(nn.LayerNorm(width))
    x, add = (drawn(3, 5, width, seed=i, kind=kind).requires_grad_() for i in (5, 6))
    probes = [drawn(3, 5, width, seed=i) for i in (7, 8)]
    leaves = [x, add, layer.weight, layer.bias]
    total, out = fused_norms.add_norm(layer, x, add)
    assert total.dtype == out.dtype == kind
    loss = (total * probes[0]).sum() + (out * probes[1]).sum()
    found = [total, out, *torch.autograd.grad(loss, leaves)]
    total = x + add
    out = layer(total.float())
    loss = (total * probes[0]).sum() + (out * probes[1]).sum()
    same(found, [total, out, *torch.autograd.grad(loss, leaves)], kind)


def test_a_float32_residual_of_a_bfloat16_product(kernels):
    layer = randomized(nn.LayerNorm(16))
    x = drawn(6, 16, seed=1).requires_grad_()
    add = drawn(6, 16, seed=2, kind=torch.bfloat16).requires_grad_()
    total, out = fused_norms.add_norm(layer, x, add)
    assert total.dtype == torch.float32 and total.equal(x + add)
    found = torch.autograd.grad((out * drawn(6, 16, seed=3)).sum(), [x, add])
    assert [g.dtype for g in found] == [torch.float32, torch.bfloat16]
    torch.testing.assert_close(found[1].float(), found[0], rtol=1e-2, atol=0)


@TYPES
@pytest.mark.parametrize("channels", [8, 40, 160])  # one block of channels, and two
@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("relu", [False, True])
def test_a_batch_norm_with_what_follows_it(kernels, kind, channels, shortcut, relu):
    layer = randomized(nn.BatchNorm2d(channels))
    layer.running_mean = drawn(channels, seed=3)
    layer.running_var = 0.5 + drawn(channels, seed=4).abs()
    leaves = [drawn(3, channels, 5, 4, seed=5, kind=kind).requires_grad_()]
    leaves += [layer.weight, layer.bias]
    add = drawn(3, channels, 5, 4, seed=6, kind=kind).requires_grad_() if shortcut else None
    leaves += [add] if shortcut else []
    probe = drawn(3, channels, 5, 4, seed=7)
    out = fused_norms.batch_norm(layer, leaves[0], add, relu)
    assert out.dtype == kind
    found = [out, *torch.autograd.grad((out * probe).sum(), leaves)]
    out = layer(leaves[0].float()) + (add.float() if shortcut else 0)
    out = F.relu(out) if relu else out
    same(found, [out, *torch.autograd.grad((out * probe).sum(), leaves)], kind)


def test_a_batch_norm_hides_no_nan(kernels):
    x = drawn(1, 8, 2, 2, seed=0)
    x[0, 3, 1, 1] = torch.nan
    out = fused_norms.batch_norm(randomized(nn.BatchNorm2d(8)), x)
    assert out.isnan().nonzero().tolist() == [[0, 3, 1, 1]]


@TYPES
def test_an_average_pool(kernels, kind):
    x = drawn(2, 24, 6, 8, seed=0, kind=kind).requires_grad_()
    probe = drawn(2, 24, 3, 4, seed=1, kind=kind)
    pool = nn.AvgPool2d(2)
    out = fused_norms.average_pool(pool, x)
    assert out.is_contiguous(memory_format=torch.channels_last)
    (found,) = torch.autograd.grad((out * probe).sum(), x)
    (expected,) = torch.autograd.grad((pool(x) * probe).sum(), x)
    # The interpreter cuts to bfloat16, where a GPU rounds.
    same([out.detach(), found], [pool(x).detach(), expected], kind)
    assert fused_norms.average_pool(nn.AvgPool2d(1), x) is x
    odd = drawn(1, 8, 5, 5, seed=2)
    assert fused_norms.average_pool(pool, odd).equal(pool(odd))


def features_and_gradients(backbone, images) -> list[Tensor]:
    model = AdaptedCLIP(backbone, ["star", "house"])
    parameters = model.trainable_parameters()
    found = model.encode_image(images), model.encode_text()
    loss = (found[0] @ found[1].T * drawn(2, 2, seed=1)).sum()
    return [*(x.detach() for x in found), *torch.autograd.grad(loss, parameters)]


@pytest.mark.parametrize("name", ["drawings-vit", "drawings-resnet"])
def test_both_towers_with_the_kernels(name, request, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    images = drawn(2, 3, 64, 64, seed=0)
    backbone = backbones.load(name, device=DEVICE)
    with monkeypatch.context() as without:
        for module in (fused_norms, fast_towers):
            without.setattr(module, "works_on", lambda x: False)
        expected = features_and_gradients(backbone, images)
    request.getfixturevalue("kernels")
    found = features_and_gradients(backbone, images)
    assert any(not a.equal(b) for a, b in zip(found, expected, strict=True))  # they were used
    for a, b in zip(found, expected, strict=True):
        assert float((a - b).norm() / b.norm()) < 1e-4


@pytest.mark.parametrize(
    ("name", "tail"),
    [("drawings-vit", ClassTokenTail), ("drawings-resnet", BatchNormTail)],
)
def test_quick_mode_still_splits_the_towers(kernels, monkeypatch, name, tail):
    """It reads the inputs of norms inside of them."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert type(tail_of(backbones.load(name, device=DEVICE).model.visual)) is tail


class TestOnAGpu:
    pytestmark = needs_cuda

    def test_the_kernels_run_here(self):
        assert fused_norms.works_on(torch.zeros(1, device="cuda"))
        assert not fused_norms.works_on(torch.zeros(1, device="cuda", dtype=torch.float64))
