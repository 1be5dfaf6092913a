"""The image processors of Transformers: what they do is done, to the gray value, or refused with its cause."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from tests.conftest import Arrays
from ueo_core.data.transforms import Views
from ueo_core.models.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing
from ueo_core.models.snapshot import IMAGES, PROCESSOR, image_processor
from ueo_core.models.transformers_images import preprocess_config
from ueo_core.utils.errors import UserError

SIDE = 32
SQUARE = {"height": SIDE, "width": SIDE}
DONE = {
    "defaults": {},
    "shortest": {"size": {"shortest_edge": SIDE}, "crop_size": SQUARE},
    "early": {"size": SIDE, "crop_size": SIDE},
    "squash": {"size": SQUARE, "do_center_crop": False},
    "squash-and-the-same-crop": {"size": SQUARE, "crop_size": SQUARE},
    "bilinear": {"size": SQUARE, "do_center_crop": False, "resample": 2},
    "own-values": {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]},
    "raw": {"do_normalize": False},
    "from-minus-one-to-one": {
        "rescale_factor": 1 / 127.5,
        "image_mean": [1.0] * 3,
        "image_std": [1.0] * 3,
    },
}


def own(told: dict, crops: bool = True) -> Preprocessing:
    config = {"mean": CLIP_MEAN, "std": CLIP_STD} | preprocess_config(told, SIDE, crops)
    return Preprocessing.from_config("a model", config)


@pytest.mark.parametrize("crops", [True, False], ids=["clip", "siglip"])
@pytest.mark.parametrize("told", DONE.values(), ids=DONE)
def test_an_image_is_that_of_transformers(tiny, told, crops):
    transformers = pytest.importorskip("transformers")
    made = transformers.CLIPImageProcessorPil if crops else transformers.SiglipImageProcessorPil
    fits = {"size": {"shortest_edge": SIDE} if crops else SQUARE}
    kinds = {"crop_size": SQUARE} if crops else {}
    if not crops and "do_center_crop" in told:
        told = {k: v for k, v in told.items() if k != "do_center_crop"}
    if not crops and told.get("size", SQUARE) != SQUARE:
        with pytest.raises(ValueError, match="not cropped"):  # of any width in Transformers
            own(told, crops)
        return
    processor = made(**({**fits, **kinds} | told))
    # The crops lie in the middle for both: Transformers rounds half a pixel down, torchvision to even.
    images = Arrays(2, size=(64, 96))
    expected = processor([Image.fromarray(a) for a in images.arrays], return_tensors="pt")
    preprocessing = own(told, crops)
    found = Views(images, replace(tiny, preprocessing=preprocessing)).evaluation(range(2))
    gray = 1.01 / 255 / min(preprocessing.std)
    assert (found - torch.as_tensor(expected["pixel_values"])).abs().max() < gray


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"do_resize": False}, "its do_resize is false"),
        ({"do_rescale": False}, "its do_rescale is false"),
        ({"do_normalize": "no"}, "its do_normalize is no"),
        ({"resample": 1}, "resized by Lanczos"),
        ({"resample": [3]}, r"resized by \[3\]"),
        (
            {"size": {"shortest_edge": 36}, "crop_size": SQUARE},
            "resized to 36 and 32 × 32 are cropped",
        ),
        ({"size": {"height": 36, "width": 36}, "crop_size": 32}, "36 × 36 and cropped to 32 × 32"),
        ({"size": {"shortest_edge": 32}, "do_center_crop": False}, "not cropped"),
        ({"size": 64, "crop_size": 64}, "64 × 64 pixels, and its image tower takes 32 × 32"),
        ({"size": {"longest_edge": 32}}, "its size is told by longest_edge"),
        ({"size": "large"}, "its size is large"),
        ({"crop_size": [32]}, r"its crop_size is \[32\]"),
        ({"rescale_factor": 0}, "its rescale_factor is 0"),
        ({"rescale_factor": 1.0, "do_normalize": None}, "image_mean and image_std are missing"),
        ({"rescale_factor": 1.0, "image_mean": "a", "image_std": "b"}, "are no numbers"),
    ],
)
def test_what_open_clip_has_no_word_for_is_refused(told, why):
    with pytest.raises(ValueError, match=why):
        preprocess_config(told, SIDE, crops=True)


def test_the_processor_is_found_in_both_files(tmp_path):
    assert image_processor(tmp_path) == {}
    write = lambda name, data: (tmp_path / name).write_text(json.dumps(data), encoding="utf-8")  # noqa: E731
    write(PROCESSOR, {"image_processor": {"resample": 2}})  # as Transformers 5 saves a processor
    assert image_processor(tmp_path) == {"resample": 2}
    write(IMAGES, {"resample": 3})
    assert image_processor(tmp_path) == {"resample": 3}
    (tmp_path / IMAGES).unlink()
    write(PROCESSOR, {"image_processor": [1]})
    with pytest.raises(UserError, match="image_processor of its processor_config.json"):
        image_processor(tmp_path)
