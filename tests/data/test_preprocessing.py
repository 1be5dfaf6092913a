"""Every way to fit an image to a model's input, held to open_clip's own transform."""

import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torchvision.transforms.v2 import functional as tv

from tests.conftest import Arrays
from ueo_core.data.decode import target_size
from ueo_core.data.feature_cache import _file
from ueo_core.data.resample import resample
from ueo_core.data.store import Store
from ueo_core.data.subset import Subset
from ueo_core.data.transforms import Crop, Views, crop_box, fitted, natural_aspect, window
from ueo_core.models import backbones
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.models.backbones import store_side
from ueo_core.models.preprocessing import INTERPOLATIONS, RESIZE_MODES, Preprocessing
from ueo_core.models.user_model import _read_transform
from ueo_core.training.loop import image_features
from ueo_core.utils.errors import UserError

SHARED = Path(__file__).resolve().parents[3] / "shared"
STANDIN = SHARED / "models" / "standin"
SHAPES = ((70, 90), (90, 70), (64, 64), (20, 33), (41, 200), (32, 48))
SIZES = ((32, 32), (48, 32), (32, 40))
FILL = 127
# The largest cosine difference to open_clip's own transform that is allowed, on photos as they are
# and on photos of 12 megapixels, which are reduced while they are decoded.
AS_THEY_ARE, REDUCED = 2e-3, 2e-2


def preprocessing(size=(32, 32), mode="shortest", interpolation="bicubic", fill=FILL):
    return Preprocessing(size, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), mode, interpolation, fill)


def open_clips(own: Preprocessing):
    """open_clip's own evaluation transform of the same description."""
    cfg = PreprocessCfg(
        size=own.size[0] if own.is_square else own.size,
        mean=own.mean,
        std=own.std,
        interpolation=own.interpolation,
        resize_mode=own.resize_mode,
        fill_color=own.fill,
    )
    return image_transform_v2(cfg, is_train=False)


every = pytest.mark.parametrize(
    "own",
    [preprocessing(s, m, i) for s, m, i in product(SIZES, RESIZE_MODES, INTERPOLATIONS)],
    ids=lambda p: f"{p.size[0]}x{p.size[1]}-{p.resize_mode}-{p.interpolation}",
)


def views_of(images, tiny, own: Preprocessing, **chosen) -> Views:
    return Views(images, replace(tiny, preprocessing=own), **chosen)


@every
@pytest.mark.parametrize("shape", SHAPES)
def test_the_evaluation_view_is_open_clips(tiny, own, shape):
    images = Arrays(2, size=shape)
    expected = torch.stack([open_clips(own)(Image.fromarray(a)) for a in images.arrays])
    found = views_of(images, tiny, own).evaluation(range(2))
    assert found.shape == expected.shape == (2, 3, *own.size)
    # Pillow and torch round the resized uint8 pixel differently, at most by one gray value.
    assert (found - expected).abs().max() < 1.01 / 255 / 0.2


def one_by_one(image: torch.Tensor, crop: Crop, own: Preprocessing) -> torch.Tensor:
    """torchvision on a float image, so that nothing is rounded between its two passes."""
    box = tv.crop(image.float(), crop.top, crop.left, crop.height, crop.width)
    view = tv.resize(box, [crop.rows, crop.columns], tv.InterpolationMode(own.filter))
    view = window(view, crop.y, crop.x, own.size, own.fill)
    return (view.flip(-1) if crop.mirrored else view).round().clamp(0, 255)


@every
def test_a_gpu_makes_the_same_views(own):
    """Its way is to resample a batch at once; here on a CPU."""
    arrays = [Arrays(1, seed=i, size=shape).arrays[0] for i, shape in enumerate(SHAPES)]
    images = [torch.from_numpy(a).permute(2, 0, 1) for a in arrays]
    crops = [fitted(*shape, own) for shape in SHAPES]
    crops[0] = Crop(5, 7, 60, 50, *own.size, mirrored=True)  # a training crop
    found = resample(images, crops, own.size, own.filter, own.fill)
    for view, image, crop in zip(found, images, crops, strict=True):
        # A value half-way between two gray levels may round either way.
        assert (view - one_by_one(image, crop, own)).abs().max() <= 1


@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("shape", [(2, 900), (900, 2)])
def test_an_image_that_is_very_long_keeps_one_row(tiny, mode, shape):
    views = views_of(Arrays(2, size=shape), tiny, preprocessing(mode=mode))
    assert views.evaluation(range(2)).shape == (2, 3, 32, 32)
    assert min(fitted(*shape, preprocessing(mode=mode))[4:6]) >= 1


@pytest.mark.parametrize("shape", [(52, 70), (70, 52), (33, 32), (20, 33), (32, 32), (400, 53)])
def test_views_of_clips_own_fitting_are_what_they_were(tiny, shape):
    """To the last bit, as torchvision makes them: resize and center crop; resized crop and flip."""
    views = Views(images := Arrays(3, size=shape), tiny)
    own = views.own
    before = [torch.from_numpy(a).permute(2, 0, 1) for a in images.arrays]
    bicubic = tv.InterpolationMode.BICUBIC

    def normalized(made):
        return tv.normalize(torch.stack(made).float().div_(255), list(own.mean), list(own.std))

    whole = [tv.center_crop(tv.resize(i, [32], bicubic), [32, 32]) for i in before]
    assert torch.equal(views.evaluation(range(3)), normalized(whole))
    g, crops = np.random.default_rng(1), []
    for image in before:
        box = crop_box(*shape, 0.5, g)
        view = tv.resized_crop(image, *box, [32, 32], bicubic)
        crops.append(view.flip(-1) if g.random() < 0.5 else view)
    assert torch.equal(views.training(range(3), np.random.default_rng(1)), normalized(crops))


@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("size", SIZES)
def test_a_reduced_image_is_placed_as_its_original(mode, size):
    own, moved = preprocessing(size, mode), 0
    for height, width in np.random.default_rng(0).integers(400, 4000, (200, 2)).tolist():
        reduced_width, reduced_height = target_size(width, height, 41)
        original = fitted(height, width, own)
        found = fitted(reduced_height, reduced_width, own, (height, width))
        assert found[4:] == original[4:]  # the resized sides, and the window
        assert found[:4] == (0, 0, reduced_height, reduced_width)
        moved += fitted(reduced_height, reduced_width, own)[4:] != original[4:]
    assert mode == "squash" or moved  # what the original's size is needed for


def test_views_of_a_store_know_the_size_of_the_original(tiny, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(Arrays(1, size=(200, 333)).arrays[0]).save(folder / "0.png")
    store = Store(tmp_path / "store", 41)
    images = store.open(store.ingest(folder).set_id)
    views = Views(images, tiny)
    crop = fitted(*images.pixels(0).shape[:2], views.own, (200, 333))
    expected = views._finish(views._seen([views._pixels(0)], [crop]))
    for known in (images, Subset(images, [0])):
        assert torch.equal(Views(known, tiny).evaluation(iter([0])), expected)
    assert "natural" in _file(images, tiny).name  # features of earlier versions are others


@every
def test_crops_show_the_picture_without_its_padding(tiny, own):
    views = views_of(Arrays(3, size=(60, 180)), tiny, own)
    crops = views.training(range(3), np.random.default_rng(0))
    gray = (torch.full((3, 1, 1), FILL / 255) - torch.tensor(own.mean)[:, None, None]) / (
        torch.tensor(own.std)[:, None, None]
    )
    assert crops.shape == (3, 3, *own.size)
    # Noise has no row of one gray value.
    assert not (crops - gray).abs().amax((1, 3)).lt(1e-3).any()


@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("size", SIZES)
def test_crops_are_stretched_by_at_most_4_to_3_against_the_evaluation_view(mode, size):
    own, height, width = preprocessing(size, mode), 240, 500
    view = fitted(height, width, own)
    always = (view.columns / width) / (view.rows / height)  # how evaluation stretches
    g = np.random.default_rng(0)
    for _ in range(300):
        _, _, h, w = crop_box(height, width, 0.5, g, natural_aspect(height, width, own))
        stretched = (size[1] / w) / (size[0] / h)
        assert 0.73 < stretched / always < 1.37
        assert 0 < h <= height and 0 < w <= width


def test_crops_of_clips_own_fitting_are_what_they_were():
    a, b = (np.random.default_rng(3) for _ in range(2))
    for _ in range(50):
        assert crop_box(200, 300, 0.5, a) == crop_box(200, 300, 0.5, b, 1.0)


@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("size", SIZES)
def test_stored_images_are_so_large_that_no_crop_is_upsampled(mode, size):
    short = store_side(max(size))
    g = np.random.default_rng(0)
    for height, width in ((short, 2 * short), (2 * short, short), (short, short)):
        natural = natural_aspect(height, width, preprocessing(size, mode))
        for _ in range(300):
            _, _, h, w = crop_box(height, width, 0.5, g, natural)
            assert h >= 0.97 * size[0] and w >= 0.97 * size[1]


@every
def test_a_transform_of_open_clip_is_read_as_what_it_does(own):
    read = Preprocessing.from_config("x", _read_transform(open_clips(own)))
    wanted = replace(own, fill=own.fill if own.resize_mode == "longest" else 0)
    assert read == replace(wanted, interpolation=read.interpolation)
    assert read.filter == own.filter


def test_an_adapter_tells_how_its_images_were_fitted():
    own = preprocessing((32, 40), "longest", "bilinear")
    assert own.as_adapted(own.to_json()) == own
    # Its own values, where the model's configuration on this machine has others.
    other = replace(own, size=(48, 48), mean=(0, 0, 0), std=(1, 1, 1), resize_mode="squash")
    assert other.as_adapted(json.loads(json.dumps(own.to_json()))) == own
    # One of an earlier version: CLIP's own way, whatever the model's is.
    old = {"image_size": 32, "mean": own.mean, "std": own.std}
    assert own.as_adapted(old) == preprocessing((32, 32), "shortest", "bicubic", 0)
    with pytest.raises(UserError, match="its resize mode 5 is not known"):
        own.as_adapted({"resize_mode": 5})


def test_features_of_another_fitting_are_other_features(tiny, tmp_path):
    store = Store(tmp_path, 52)
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(Arrays(1).arrays[0]).save(folder / "0.png")
    images = store.open(store.ingest(folder).set_id)
    found = [
        _file(images, replace(tiny, preprocessing=preprocessing(mode=m))) for m in RESIZE_MODES
    ]
    # Weights that were loaded with a tag have its mean and std; the same as a file do not.
    other = replace(tiny.preprocessing, mean=(0.0, 0.0, 0.0))
    found += [_file(images, b) for b in (tiny, replace(tiny, preprocessing=other))]
    assert len(set(found)) == 5
    # The name for the preprocessing of the original CLIP is what it was.
    assert [path.name.count("-") for path in found] == [7, 7, 7, 3, 7]


@pytest.mark.parametrize(
    "tag", [("MobileCLIP-S1", "datacompdr"), ("ViT-B-16", "dfn2b"), ("PE-Core-T-16-384", "meta")]
)
def test_the_fitting_of_a_tag_is_open_clips(tag):
    import open_clip

    config = open_clip.get_pretrained_cfg(*tag) or {}
    if "resize_mode" not in config and "interpolation" not in config:
        pytest.skip(f"open_clip tells nothing special of {tag}")
    known = {k: config[k] for k in ("resize_mode", "interpolation") if k in config}
    base = {"size": 224, "mean": (0, 0, 0), "std": (1, 1, 1)}
    read = Preprocessing.from_config(tag[0], base | known)
    assert {"resize_mode": read.resize_mode, "interpolation": read.interpolation}.items() >= (
        {k: v for k, v in known.items() if v != "random"}.items()
    )


# Real photos through a real model


def photos() -> list[Path]:
    found = sorted((SHARED / "data" / "caltech").glob("*/*"))[::24]
    return found + sorted((SHARED / "data" / "pacs" / "photo").glob("*/*"))[::28]


@pytest.fixture(scope="module")
def standin():
    if not STANDIN.is_dir() or not photos():
        pytest.skip("the shared photos or the stand-in model are not here")
    config, weights = next(STANDIN.glob("*.json")), next(STANDIN.glob("*.safetensors"))
    return backbones.load(str(config), str(weights), "cpu")


@pytest.mark.long
@pytest.mark.parametrize("large", [False, True], ids=["as they are", "12 megapixels"])
@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(256, 256), (256, 192)], ids=["square", "256x192"])
def test_real_photos_have_the_cosines_of_open_clips_transform(
    standin, tmp_path, record_property, size, mode, interpolation, large
):
    own = replace(standin.preprocessing, size=size, resize_mode=mode, interpolation=interpolation)
    backbone = replace(standin, preprocessing=own)
    model = AdaptedCLIP(backbone, ["dog", "guitar", "airplane", "house", "watch", "horse"])
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, path in enumerate(photos()[:: 3 if large else 1]):
        if not large:
            shutil.copy(path, folder / f"{i:03d}{path.suffix}")
            continue
        image = Image.open(path).convert("RGB")
        factor = (12e6 / (image.width * image.height)) ** 0.5
        enlarged = (round(image.width * factor), round(image.height * factor))
        image.resize(enlarged, Image.Resampling.BICUBIC).save(folder / f"{i:03d}.jpg", quality=92)
    store = Store(tmp_path / "store", backbone.store_side)
    images = store.open(store.ingest(folder).set_id)
    with torch.no_grad():
        found = model.cosines(image_features(model, Views(images, backbone)))
        pixels = [
            open_clips(own)(Image.open(folder / name).convert("RGB")) for name in images.names
        ]
        expected = model.cosines(model.encode_image(torch.stack(pixels)))
    difference = float((found - expected).abs().max())
    record_property("largest cosine difference", difference)
    print(
        f"{own.size[0]} x {own.size[1]}, {mode}, {interpolation}, {'12 megapixels' if large else 'as they are'}: {difference:.5f}"
    )
    assert difference <= (REDUCED if large else AS_THEY_ARE)
