"""Crops as matrix products against torchvision's own resize, one image at a time."""

import numpy as np
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from ueo_core.data.resample import Crop, by_kernels, filter_matrix, resample

BICUBIC = InterpolationMode.BICUBIC
SIZES = ((366, 488), (500, 366), (40, 30), (64, 64))


def images() -> list[torch.Tensor]:
    g = np.random.default_rng(0)
    return [torch.from_numpy(g.integers(0, 256, (3, *s), dtype=np.uint8)) for s in SIZES]


def one_by_one(image, crop: Crop, size) -> torch.Tensor:
    """torchvision on a float image, so that nothing is rounded between its two passes."""
    box = tv.crop(image.float(), crop.top, crop.left, crop.height, crop.width)
    view = tv.resize(box, [crop.rows, crop.columns], BICUBIC)
    view = tv.crop(view, crop.y, crop.x, *size)
    view = view.flip(-1) if crop.mirrored else view
    return view.round().clamp(0, 255)


@pytest.mark.parametrize("mirrored", [False, True])
def test_training_crops_are_torchvisions(mirrored):
    boxes = [(10, 20, 300, 260), (0, 0, 500, 366), (3, 4, 30, 20), (5, 0, 32, 64)]
    crops = [Crop(*box, 32, 32, mirrored=mirrored) for box in boxes]
    found = resample(images(), crops, (32, 32))
    for view, image, crop in zip(found, images(), crops, strict=True):
        difference = (view - one_by_one(image, crop, (32, 32))).abs()
        # A value half-way between two gray levels may round either way.
        assert difference.max() <= 1 and (difference > 0).float().mean() < 2e-3


def test_a_window_of_a_resized_image_and_other_shapes():
    crops = [
        Crop(0, 0, 366, 488, 48, 64, 8, 12),
        Crop(0, 0, 500, 366, 90, 66, 3, 0),
        Crop(0, 0, 40, 30, 40, 50, 0, 1),  # columns grow, rows stay
        Crop(0, 0, 64, 64, 64, 64, 24, 24),
    ]
    found = resample(images(), crops, (40, 40))
    for view, image, crop in zip(found, images(), crops, strict=True):
        difference = (view - one_by_one(image, crop, (40, 40))).abs()
        assert difference.max() <= 1 and (difference > 0).float().mean() < 2e-3


def test_what_is_outside_a_crop_is_not_seen():
    image = images()[0]
    changed = image.clone()
    changed[:, :10] = 255
    changed[:, :, 300:] = 0
    crop = Crop(10, 20, 100, 280, 16, 16)
    assert resample([image], [crop], (16, 16)).equal(resample([changed], [crop], (16, 16)))


def test_a_filter_sums_to_one_and_leaves_equal_sizes_alone():
    one = torch.tensor([2])
    weights = filter_matrix(one, torch.tensor([30]), torch.tensor([7]), torch.tensor([0]), 7, 40)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 7))
    assert not weights[0, :, :2].any() and not weights[0, :, 32:].any()
    same = filter_matrix(one, torch.tensor([30]), torch.tensor([30]), torch.tensor([0]), 30, 40)
    torch.testing.assert_close(same[0], torch.eye(40)[2:32])


@pytest.mark.parametrize("kind", ["bicubic", "bilinear"])
@pytest.mark.parametrize("fill", [0, 114])
def test_the_kernels_give_what_the_products_give(kind, fill):
    """Reduced, enlarged, mirrored, and seen through a window that is partly outside."""
    pytest.importorskip("triton")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    g = np.random.default_rng(1)
    sizes = ((66, 88), (90, 66), (40, 30), (64, 64))
    held = [torch.from_numpy(g.integers(0, 256, (*s, 3), dtype=np.uint8)) for s in sizes]
    held = [image.permute(2, 0, 1) for image in held]  # as an image is decoded
    held[1] = held[1].contiguous()
    crops = [
        Crop(10, 20, 30, 26, 32, 40, mirrored=True),
        Crop(0, 0, 90, 66, 70, 50, -3, 9),
        Crop(3, 4, 30, 20, 10, 40, 2, -4, mirrored=True),
        Crop(5, 0, 32, 64, 32, 64, 0, 16),
    ]
    expected = resample(held, crops, (32, 40), kind, fill)
    images = [image.to(device) for image in held]
    found = by_kernels(images, crops, (32, 40), kind, fill).round().clamp(0, 255).cpu()
    difference = (found - expected).abs()
    assert difference.max() <= 1 and (difference > 0).float().mean() < 2e-3
    assert (found[2, :, 8:, 4:] == fill).all() and (found[1, :, :3] == fill).all()
