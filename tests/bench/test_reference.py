"""The plain script: its loss and gradients are those of the studio's own step."""

import numpy as np
import pytest
import torch
from PIL import Image

from ueo_core.bench.reference import PlainCLIP, PlainViews, plain_adaptation, plain_loss
from ueo_core.methods.ueo import ueo
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP

CLASSES = ["dog", "wild_cat", "grand piano", "key"]


@pytest.fixture(params=["vit", "resnet"])
def stock(request, tiny_files):
    """Makes a fresh tiny stock model each time it is called."""
    config, weights = tiny_files[request.param]
    return lambda: backbones.stock(str(config), str(weights))


def test_its_loss_is_ueo():
    g = torch.Generator().manual_seed(0)
    logits, weights = 5 * torch.randn(16, 7, generator=g), torch.rand(16, generator=g) + 0.1
    assert float(plain_loss(logits, weights)) == pytest.approx(
        float(ueo(logits, weights)), abs=1e-4
    )


def test_loss_and_every_gradient_are_those_of_our_step(stock):
    g = torch.Generator().manual_seed(1)
    images, weights = torch.randn(6, 3, 32, 32, generator=g), torch.rand(6, generator=g) + 0.1
    plain = PlainCLIP(stock(), CLASSES, "a photo of a", torch.device("cpu"))
    before = [p.detach().clone() for p in (plain.context, *plain.affine)]
    loss = plain.step(images, weights)
    ours = AdaptedCLIP(backbones.prepare(stock(), torch.device("cpu")), CLASSES)
    parameters = ours.select("both")
    own = ueo(ours.logit_scale * ours.encode_image(images) @ ours.encode_text().T, weights)
    own.backward()
    assert loss == pytest.approx(float(own.detach()), abs=1e-4)
    assert len(parameters) == len(before)
    for p, q in zip(parameters, (plain.context, *plain.affine), strict=True):
        # The plain loss adds 1e-5 inside its logarithms, so the last digits differ.
        scale = float(p.grad.abs().max())
        assert float((q.grad - p.grad).abs().max()) < 5e-3 * scale
    for old, new in zip(before, (plain.context, *plain.affine), strict=True):
        torch.testing.assert_close(new.detach(), old - 1e-4 * new.grad)


def test_only_the_adapted_parameters_have_gradients(stock):
    plain = PlainCLIP(stock(), CLASSES, "a photo of a", torch.device("cpu"))
    plain.step(torch.randn(3, 3, 32, 32), torch.ones(3))
    adapted = {id(p) for p in plain.affine}
    assert all((p.grad is not None) == (id(p) in adapted) for p in plain.model.parameters())
    assert plain.tokens.shape == (4, 16)  # the tokenizer's full length, as the script has it


def test_the_whole_adaptation_predicts_every_file(stock, tmp_path):
    g = np.random.default_rng(0)
    for i in range(5):
        pixels = g.integers(0, 256, (48, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    built = stock()
    plain = PlainCLIP(built, CLASSES, "a photo of a", torch.device("cpu"))
    # The script's own rate moves a model this small by less than float32's last digit.
    plain.optimizer.param_groups[0]["lr"] = 1.0
    files = sorted(tmp_path.iterdir())
    images = torch.stack([PlainViews(files, built, False)[i][0] for i in range(5)])
    with torch.no_grad():
        before = plain.logits(images, plain.text_features())
    after = plain_adaptation(plain, built, files, 3, 1, 0)
    assert after.shape == (5, 4)
    assert not torch.equal(before, after)
    with torch.no_grad():
        torch.testing.assert_close(after, plain.logits(images, plain.text_features()))
