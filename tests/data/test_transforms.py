"""Views: open_clip's own evaluation transform, torchvision's crop, and determinism."""

import numpy as np
import torch
from open_clip.transform import image_transform
from PIL import Image

from tests.conftest import Arrays
from ueo_core.data.transforms import Views, crop_box


def test_evaluation_view_is_open_clips(tiny):
    images = Arrays(3, size=(70, 90))
    views = Views(images, tiny)
    own = image_transform(
        32, is_train=False, mean=tiny.preprocessing.mean, std=tiny.preprocessing.std
    )
    expected = torch.stack([own(Image.fromarray(a)) for a in images.arrays])
    # Pillow and torch round the resized uint8 pixel differently at most by one: 1/255/σ = 0.015.
    assert (views.evaluation(range(3)) - expected).abs().max() < 0.016


def test_batches_keep_the_order(tiny):
    views = Views(Arrays(5), tiny)
    torch.testing.assert_close(torch.cat(list(views.batches(2))), views.evaluation(range(5)))


def test_training_views_follow_their_generator(tiny):
    views = Views(Arrays(4), tiny)
    a, b, c = (views.training(range(4), np.random.default_rng(s)) for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_pixels_on_the_device_are_read_once_as_far_as_they_fit(tiny):
    images, plain = Arrays(4), Views(Arrays(4), tiny)
    views, asked = Views(images, tiny), []
    assert views.room == 0 and not views.ahead  # on a processor they stay in the store
    real = images.pixels
    images.pixels = lambda i: asked.append(i) or real(i)
    views.room = 2 * images.arrays[0].nbytes + 5
    for seed in (0, 1):
        expected = plain.training(range(4), np.random.default_rng(seed))
        assert torch.equal(views.training(range(4), np.random.default_rng(seed)), expected)
    assert torch.equal(views.evaluation([1, 3]), plain.evaluation([1, 3]))
    assert asked == [0, 1, 2, 3, 2, 3, 3] and views.room == 5


def test_without_crop_and_flip_a_square_image_is_only_resized(tiny):
    views = Views(Arrays(2, size=(64, 64)), tiny, crop_scale=1.0, flip=False)
    g = np.random.default_rng(0)
    boxes = [crop_box(64, 64, 1.0, np.random.default_rng(i)) for i in range(20)]
    assert {(h, w) for _, _, h, w in boxes} <= {(64, 64)}
    torch.testing.assert_close(views.training([0, 1], g), views.evaluation([0, 1]))


def test_crop_boxes_are_inside_and_within_the_limits_of_area_and_aspect():
    g = np.random.default_rng(0)
    areas = []
    for _ in range(500):
        top, left, h, w = crop_box(200, 300, 0.5, g)
        assert 0 <= top <= 200 - h and 0 <= left <= 300 - w
        assert 0.74 < w / h < 1.35
        areas.append(h * w / 60_000)
    assert min(areas) > 0.49 and max(areas) <= 1.0
    assert np.std(areas) > 0.05


def test_extreme_shapes_fall_back_to_a_centered_crop():
    top, left, h, w = crop_box(10, 1000, 0.9, np.random.default_rng(0))
    assert (top, h) == (0, 10) and w == 13 and left == (1000 - 13) // 2
