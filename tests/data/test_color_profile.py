"""Colors converted by a photo's profile, held to the definitions of the color spaces."""

import io
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from tests.data import test_preprocessing as shared
from tests.helpers.wide_gamut import (
    PROFILES,
    SPACES,
    SRGB,
    converted,
    in_space,
    profile,
    save_wide,
)
from ueo_core.data.color_profile import to_srgb
from ueo_core.data.decode import decode
from ueo_core.data.limits import Limits
from ueo_core.data.store import Store
from ueo_core.data.transforms import Views
from ueo_core.models.adapted_clip import AdaptedCLIP
from ueo_core.training.loop import image_features
from ueo_core.utils.files import read_json, write_json

standin = shared.standin


def colors() -> Image.Image:
    """Every hue, from dark to light and from gray to vivid."""
    levels = np.linspace(0, 255, 16).round().astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(64, 64, 3))


def gap(a, b) -> int:
    """The largest difference in gray levels."""
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b)).max())


@pytest.mark.parametrize("name", SPACES)
def test_colors_are_converted_by_the_definitions(name):
    expected = converted(np.asarray(colors()), *SPACES[name], SRGB, None)
    assert gap(to_srgb(colors(), PROFILES[name]), expected) <= 2
    assert gap(colors(), expected) > 40  # what ignoring the profile costs


@pytest.mark.parametrize("name", SPACES)
def test_a_wide_photo_gets_the_colors_that_it_was_made_from(name):
    wide = in_space(colors(), name)
    assert gap(to_srgb(wide, PROFILES[name]), colors()) <= 8  # 8 bits round twice
    assert gap(wide, colors()) > 40


OWN = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    "unused",
    [
        None,
        b"",
        b"no profile",
        PROFILES["Display P3"][:200],
        profile(SRGB, space=b"GRAY"),
        profile(SRGB, space=b"CMYK"),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        OWN,  # of another maker than the next, with other rounding
        PROFILES["sRGB"],
    ],
)
def test_an_image_stays_as_it_is_where_nothing_is_to_convert(unused):
    image = colors()
    assert to_srgb(image, unused) is image


def test_no_damage_of_a_profile_stops_an_intake():
    g, whole = np.random.default_rng(0), PROFILES["Adobe RGB"]
    for _ in range(200):
        damaged = bytearray(whole)
        for at in g.integers(0, len(whole), 4):
            damaged[at] = g.integers(256)
        assert to_srgb(colors(), bytes(damaged)).size == (64, 64)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("side", [64, 24])
def test_every_format_is_converted_only_when_asked(kind, side):
    lossless = {"lossless": True} if kind == "WEBP" else {"quality": 98} if kind == "JPEG" else {}
    patches = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    smooth = Image.fromarray(patches).resize((160, 160), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    in_space(smooth, "Display P3").save(file, kind, icc_profile=PROFILES["Display P3"], **lossless)
    plain = io.BytesIO()
    smooth.save(plain, kind, **lossless)

    def read(data, srgb):
        pixels = decode(data.getvalue(), side, Limits(), lambda n: nullcontext(), srgb).pixels
        return pixels.astype(int)

    expected = read(plain, False)
    np.testing.assert_array_equal(read(plain, True), expected)
    assert (
        np.abs(read(file, True) - expected).mean() < 2 < np.abs(read(file, False) - expected).mean()
    )


def test_transparent_parts_stay_white():
    image = in_space(colors(), "Adobe RGB")
    image.putalpha(0)
    file = io.BytesIO()
    image.save(file, "PNG", icc_profile=PROFILES["Adobe RGB"])
    pixels = decode(file.getvalue(), 64, Limits(), lambda n: nullcontext(), True).pixels
    assert (pixels == 255).all()


@pytest.fixture
def wide(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    colors().save(folder / "a.png")
    save_wide(colors(), folder / "b.png")
    return folder


def test_a_store_never_takes_one_kind_for_the_other(wide, tmp_path):
    ignored, asked = Store(tmp_path / "s", 64), Store(tmp_path / "s", 64, srgb=True)
    reports = [ignored.ingest(wide), asked.ingest(wide)]
    assert [r.decoded for r in reports] == [2, 2] and [r.srgb for r in reports] == [False, True]
    assert [s.ingest(wide).decoded for s in (ignored, asked)] == [0, 0]
    # A set knows its kind, whichever store opens it.
    plain, made = (ignored.open(r.set_id) for r in reports)
    assert (plain.srgb, made.srgb) == (False, True)
    assert plain.id != made.id and plain.fingerprint != made.fingerprint
    assert plain.content_hash(1) == made.content_hash(1)  # the same file
    assert gap(made.pixels(0), colors()) == gap(plain.pixels(0), colors()) == 0
    assert gap(made.pixels(1), colors()) <= 8 and gap(plain.pixels(1), colors()) > 40
    assert made.thumbnail(1) != plain.thumbnail(1)
    ignored.prune()
    ignored.delete(plain.id)
    assert ignored.prune() > 0
    assert gap(asked.open(made.id).pixels(1), colors()) <= 8


def test_a_set_of_an_earlier_version_is_one_without_conversion(wide, tmp_path):
    store = Store(tmp_path / "s", 64)
    set_id = store.ingest(wide).set_id
    path = tmp_path / "s" / "sets" / f"{set_id}.json"
    manifest = read_json(path)
    del manifest["report"]["srgb"]
    write_json(path, manifest)
    images = Store(tmp_path / "s", 64).open(set_id)
    assert not images.srgb and gap(images.pixels(1), colors()) > 40
    assert not store.report(set_id).srgb


# Real photos through a real model


def photos():
    """60 photos of PACS and Caltech-101."""
    found = sorted((shared.SHARED / "data" / "caltech").glob("*/*"))[::12]
    return found + sorted((shared.SHARED / "data" / "pacs" / "photo").glob("*/*"))[::14]


@pytest.mark.long
@pytest.mark.parametrize("name", SPACES)
def test_cosines_of_wide_photos(standin, tmp_path, name):
    """Photos in a wide color space against the same in sRGB: the cosines, and the predictions."""
    model = AdaptedCLIP(standin, ["dog", "guitar", "airplane", "house", "watch", "horse"])
    for kind in ("plain", "wide"):
        (tmp_path / kind).mkdir()
    for i, path in enumerate(photos()):
        image = Image.open(path).convert("RGB")
        image.save(tmp_path / "plain" / f"{i:03d}.png")
        wide = in_space(image, name)
        wide.save(tmp_path / "wide" / f"{i:03d}.png", icc_profile=PROFILES[name])

    def cosines(kind: str, srgb: bool) -> torch.Tensor:
        store = Store(tmp_path / "store", standin.store_side, srgb)
        images = store.open(store.ingest(tmp_path / kind).set_id)
        with torch.no_grad():
            return model.cosines(image_features(model, Views(images, standin)))

    before = cosines("plain", False)
    assert torch.equal(cosines("plain", True), before)
    largest = {}
    for how, srgb in (("ignored", False), ("converted", True)):
        found = cosines("wide", srgb)
        moved = (found - before).abs()
        largest[how] = float(moved.max())
        changed = int((found.argmax(1) != before.argmax(1)).sum())
        print(
            f"{name}, {how}: largest {moved.max():.4f}, mean {moved.mean():.4f}, "
            f"{changed} of {len(found)} predictions changed"
        )
    assert largest["converted"] < 0.015 < 0.03 < largest["ignored"]
