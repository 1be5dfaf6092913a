"""Decoding, compared with Pillow's own conversion, and applied to malformed bytes."""

import io
import struct
import zlib
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, JpegImagePlugin

from ueo_core.data import decode as module
from ueo_core.data.decode import decode, sniff, target_size
from ueo_core.data.limits import Limits, RejectedFile

# Outside pytest, the module itself disables Pillow's warnings.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


def decoded(data, side=64, **limits):
    return decode(data, side, Limits(**limits), lambda size: nullcontext())


def encode(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture(width, height, mode="RGB"):
    """Smooth and different in every corner, so that a wrong rotation is noticed."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * x / width, 255 * y / height, 120 + 100 * np.sin(x / 9 + y / 7)]
    image = Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))
    return image.convert(mode)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b.astype(float)) ** 2)))


def header_only_png(width, height):
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0)
        + b"IDAT"
        + struct.pack(">I", zlib.crc32(b"IDAT"))
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_becomes_upright(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    options |= {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    data = encode(picture(90, 60), kind, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    result = decoded(data, side=1000)
    assert (result.height, result.width) == expected.shape[:2]
    np.testing.assert_array_equal(result.pixels, expected)
    reduced = decoded(data, side=30)
    assert (reduced.width, reduced.height) == (result.width, result.height)
    assert reduced.pixels.shape[:2] == ((45, 30) if orientation >= 5 else (30, 45))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB"])
def test_modes_without_alpha_equal_pillows_conversion(mode):
    image = picture(50, 40, mode if mode != "LAB" else "RGB")
    if mode == "LAB":
        image = Image.merge("LAB", image.split())
    kind = "PNG" if mode in ("1", "L", "P", "RGB") else "TIFF"
    data = encode(image, kind)
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.asarray(opened.convert("RGB"))
    np.testing.assert_array_equal(decoded(data).pixels, expected)


def test_cmyk_jpeg():
    image = Image.new("CMYK", (40, 40), (0, 255, 255, 0))
    red = decoded(encode(image, "JPEG", quality=95)).pixels.mean(axis=(0, 1))
    assert red[0] > 240 and red[1:].max() < 15


def test_alpha_is_blended_with_white():
    rgba = np.zeros((20, 30, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:, :10, 3], rgba[:, 10:20, 3] = 255, 128
    pixels = decoded(encode(Image.fromarray(rgba))).pixels
    assert tuple(pixels[0, 0]) == (200, 0, 0)
    assert tuple(pixels[0, 29]) == (255, 255, 255)
    np.testing.assert_allclose(pixels[0, 15], [227, 127, 127], atol=1)


@pytest.mark.parametrize("mode", ["LA", "P", "L", "RGB"])
def test_other_kinds_of_transparency_are_blended_with_white(mode):
    if mode == "LA":
        data = encode(Image.new("LA", (9, 9), (0, 0)))
    else:
        color = (0, 0, 0) if mode == "RGB" else 0
        image = Image.new(mode, (9, 9), color)
        data = encode(image, transparency=color)
    np.testing.assert_array_equal(decoded(data).pixels, np.full((9, 9, 3), 255))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_tones(kind):
    ramp = np.tile(np.linspace(0, 65535, 60).astype(np.uint16), (20, 1))
    pixels = decoded(encode(Image.fromarray(ramp), kind)).pixels
    np.testing.assert_allclose(pixels[0, :, 0], np.linspace(0, 255, 60), atol=1)


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0, 1e6])
def test_float_tiff_keeps_its_tones(top):
    ramp = np.tile(np.linspace(0, top, 60, dtype=np.float32), (20, 1))
    pixels = decoded(encode(Image.fromarray(ramp), "TIFF")).pixels
    np.testing.assert_allclose(pixels[0, :, 1], np.linspace(0, 255, 60), atol=1)


def test_a_float_tiff_without_finite_values_is_decoded():
    data = encode(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF")
    assert decoded(data).pixels.shape == (9, 9, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(decoded(data).pixels[8, 8], [255, 0, 0])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_reduction_is_close_to_a_full_decode(kind):
    rng = np.random.default_rng(0)
    detail = picture(1500, 1100)
    noisy = np.asarray(detail) + rng.normal(0, 25, (1100, 1500, 3))
    data = encode(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), kind)
    with Image.open(io.BytesIO(data)) as image:
        size = target_size(*image.size, 128)
        expected = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
    assert psnr(decoded(data, side=128).pixels, expected) > 44


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "I;16"])
def test_bands_change_nothing(mode, monkeypatch):
    image = picture(601, 803, "L" if mode == "I;16" else mode)
    if mode == "RGBA":
        image.putalpha(picture(601, 803, "L"))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    data = encode(image, "TIFF" if mode == "CMYK" else "PNG")
    whole = decoded(data, side=50).pixels
    monkeypatch.setattr(module, "_BAND_BYTES", 1)
    np.testing.assert_array_equal(decoded(data, side=50).pixels, whole)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 300), st.integers(2, 300), st.integers(1, 200))
def test_shape_is_the_target_size(width, height, side):
    if max(width, height) > 50 * min(width, height):
        return
    result = decoded(encode(Image.new("RGB", (width, height))), side=side)
    shape = result.pixels.shape
    assert shape[:2] == target_size(width, height, side)[::-1]
    assert min(shape[:2]) == min(width, height, side)
    assert abs(shape[1] / shape[0] - width / height) <= 0.51 * (1 + width / height) / min(shape[:2])


def test_spread_is_the_standard_deviation_of_gray_levels_on_a_grid():
    image = picture(100, 80)
    gray = np.asarray(image, np.float64) @ [0.299, 0.587, 0.114]
    spread = decoded(encode(image), side=500).spread
    assert spread == pytest.approx(gray[::3, ::4].std())
    assert spread == pytest.approx(gray.std(), rel=0.05)
    assert decoded(encode(Image.new("RGB", (100, 80), "teal"))).spread == pytest.approx(0)


def test_a_decompression_bomb_is_rejected_by_its_header():
    with pytest.raises(RejectedFile, match="max_pixels"):
        decoded(header_only_png(12_000, 11_000))
    with pytest.raises(RejectedFile, match="max_pixels"):
        decoded(header_only_png(60_000, 60_000))  # over Pillow's own limit as well


@pytest.mark.parametrize(
    ("size", "limits", "named"),
    [
        ((100, 100), {"max_pixels": 9_999}, "max_pixels"),
        ((100, 1), {}, "min_side"),
        ((204, 4), {}, "max_aspect"),
        ((100, 100), {"max_decode_bytes": 10_000}, "max_decode_bytes"),
    ],
)
def test_the_reason_names_the_limit(size, limits, named):
    with pytest.raises(RejectedFile, match=named):
        decoded(encode(Image.new("RGB", size)), **limits)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_truncated_files_are_rejected(kind):
    rng = np.random.default_rng(1)
    data = encode(Image.fromarray(rng.integers(0, 256, (80, 80, 3), np.uint8)), kind)
    assert decoded(data).pixels.shape == (64, 64, 3)
    for share in (0.02, 0.3, 0.7):
        with pytest.raises(RejectedFile):
            decoded(data[: int(len(data) * share)])


def test_an_image_with_broken_exif_is_decoded():
    data = encode(picture(40, 30), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert decoded(data).pixels.shape == (30, 40, 3)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "empty"),
        (b"hello world", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF", "not an image"),
        (b"<svg xmlns=", "not an image"),
        (b"PK\x03\x04aaaa", "archive"),
        (b"\x1f\x8b\x08", "archive"),
    ],
)
def test_the_reason_names_other_contents(head, reason):
    with pytest.raises(RejectedFile, match=reason):
        sniff(head)


def test_heic_without_a_decoder_says_how_to_continue(monkeypatch):
    monkeypatch.setattr(module, "_heif_ready", lambda: False)
    with pytest.raises(RejectedFile, match="HEIC.*pillow-heif.*JPEG"):
        sniff(b"\0\0\0\x18ftypheic\0\0\0\0")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF87a", "GIF"),
        (b"GIF89a", "GIF"),
        (b"RIFF\1\2\3\4WEBPVP8 ", "WEBP"),
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        *((b"P%d\n" % n, "PPM") for n in range(1, 7)),
        (b"BM\1\2\3\4\0\0\0\0", "BMP"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"\0\0\0\x18ftypavis", "AVIF"),
    ],
)
def test_the_first_bytes_say_the_format(head, kind):
    assert sniff(head) == kind


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"])
def test_every_brand_of_heif_is_recognized(brand, monkeypatch):
    monkeypatch.setattr(module, "_heif_ready", lambda: True)
    assert sniff(b"\0\0\0\x18ftyp" + brand) == "HEIF"
    monkeypatch.setattr(module, "_heif_ready", lambda: False)
    with pytest.raises(RejectedFile) as refused:
        sniff(b"\0\0\0\x18ftyp" + brand)
    expected = "a HEIC image, which needs the package pillow-heif; or export it as JPEG"
    assert str(refused.value) == expected


@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xd8\xfe",
        b"\x89PNG\r\n\x1a\r",
        b"GIF88a",
        b"RIFF\1\2\3\4WAVE",
        b"RIFX\1\2\3\4WEBP",
        b"P7\n",
        b"P0\n",
        b"P6x",
        b"BM\1\2\3\4\1\0\0\0",
        b"BX\1\2\3\4\0\0\0\0",
        b"\0\0\0\x18ftypisom",
        b"\0\0\0\x18ftyqavif",
    ],
)
def test_what_only_looks_like_an_image_is_none(head):
    with pytest.raises(RejectedFile) as refused:
        sniff(head)
    expected = "not an image (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, AVIF)"
    assert str(refused.value) == expected


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b"])
def test_every_archive_is_named(head):
    with pytest.raises(RejectedFile) as refused:
        sniff(head)
    assert str(refused.value) == "an archive inside the source; extract it first"


@pytest.mark.parametrize(("name", "shown"), [("webp", "WEBP"), ("avif", "AVIF")])
def test_a_pillow_without_a_format_says_so(name, shown, monkeypatch):
    monkeypatch.setattr(module.features, "check", lambda feature: feature != name)
    heads = {"webp": b"RIFF\1\2\3\4WEBP", "avif": b"\0\0\0\x18ftypavif"}
    with pytest.raises(RejectedFile, match=f"^a {shown} image, which needs a Pillow build with"):
        sniff(heads.pop(name))
    ((other, head),) = heads.items()
    assert sniff(head) == other.upper()


def test_a_heif_decoder_is_registered_where_it_is_installed(monkeypatch):
    registered = []
    fake = type("fake", (), {"register_heif_opener": staticmethod(lambda: registered.append(1))})
    monkeypatch.setattr(
        module.importlib.util, "find_spec", lambda n: fake if n == "pillow_heif" else None
    )
    monkeypatch.setattr(module.importlib, "import_module", lambda name: {"pillow_heif": fake}[name])
    assert module._heif_ready() and registered == [1]
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert not module._heif_ready() and registered == [1]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("image file is truncated (3 bytes)"), "the file is truncated"),
        (EOFError("no more"), "the file is truncated"),
        (struct.error("x"), "the file is damaged"),
        (IndexError("x"), "the file is damaged"),
        (KeyError("x"), "the file is damaged"),
        (SyntaxError("x"), "the file is damaged"),
        (zlib.error("x"), "the file is damaged"),
        (OSError("bad\n  block"), "the file is damaged (bad block)"),
        (OSError(), "the file is damaged"),
        (OSError("a" * 101), f"the file is damaged ({'a' * 100})"),
        (MemoryError(), "decoding it needs more memory than is available"),
        (Image.DecompressionBombError("big"), "over the limit max_pixels = 120,000,000"),
    ],
)
def test_every_error_of_a_decoder_is_one_reason(error, reason, monkeypatch):
    def fail(*args):
        raise error

    data = encode(picture(20, 20))
    monkeypatch.setattr(module, "_decode", fail)
    with pytest.raises(RejectedFile) as refused:
        decoded(data)
    assert str(refused.value) == reason


def test_pillows_own_limit_is_named_where_it_is_lower(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(RejectedFile) as refused:
        decoded(encode(picture(20, 20)))
    assert str(refused.value) == "over the limit max_pixels = 200"


def test_a_broken_header_is_named_with_its_format():
    with pytest.raises(RejectedFile) as refused:
        decoded(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    assert "the file is damaged" in str(refused.value) or "PNG" in str(refused.value)
    with pytest.raises(RejectedFile, match="begins like a BMP image, but its header is broken"):
        decoded(b"BM\1\2\3\4\0\0\0\0")


@pytest.mark.parametrize(
    ("kind", "options", "per_pixel"),
    [
        ("PNG", {}, 5),
        ("BMP", {}, 5),
        ("PPM", {}, 5),
        ("GIF", {}, 9),
        ("TIFF", {}, 12),
        ("WEBP", {}, 16),
        ("AVIF", {}, 16),
        ("JPEG", {}, 4),
        ("JPEG", {"progressive": True}, 10),
    ],
)
def test_the_gate_is_given_the_memory_of_a_decode(kind, options, per_pixel):
    asked = []
    data = encode(picture(60, 40), kind, **options)
    decode(data, 64, Limits(), lambda size: asked.append(size) or nullcontext())
    assert asked == [per_pixel * 60 * 40]
    limit = per_pixel * 60 * 40
    assert decoded(data, max_decode_bytes=limit).pixels.shape == (40, 60, 3)
    with pytest.raises(RejectedFile, match=f"the limit max_decode_bytes = {limit - 1:,}"):
        decoded(data, max_decode_bytes=limit - 1)


@pytest.mark.parametrize(
    ("progressive", "expected"), [(False, 4 * 200 * 100), (True, 4 * 200 * 100 + 6 * 800 * 400)]
)
def test_a_large_jpeg_is_read_at_a_fraction_of_its_size(progressive, expected):
    """The cosine transform gives a quarter; a progressive file keeps all of its coefficients."""
    asked = []
    data = encode(picture(800, 400), "JPEG", progressive=progressive)
    found = decode(data, 50, Limits(), lambda size: asked.append(size) or nullcontext())
    assert asked == [expected] and found.pixels.shape == (50, 100, 3)
    assert (found.width, found.height, found.format) == (800, 400, "JPEG")


def test_bands_are_invisible(monkeypatch):
    data = encode(picture(640, 480, "RGBA"))
    whole = decoded(data, 32).pixels
    monkeypatch.setattr(module, "_BAND_BYTES", 1)
    np.testing.assert_array_equal(decoded(data, 32).pixels, whole)
    assert psnr(whole, np.asarray(picture(640, 480).resize((43, 32), Image.Resampling.BOX))) > 25


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("I;16", [0, 65535, 32768], [0, 255, 128]),
        ("I", [0, 255, 100], [0, 255, 100]),
        ("I", [0, 256, 65535], [0, 1, 255]),
        ("I", [-100, 100, 0], [0, 255, 128]),
        ("F", [0.0, 1.0, 0.5], [0, 255, 128]),
        ("F", [0.0, 255.0, 100.0], [0, 255, 100]),
        ("F", [-1.0, 1.0, 0.0], [0, 255, 128]),
        ("F", [0.25, 0.25, 0.25], [64, 64, 64]),
    ],
)
def test_more_than_eight_bits_are_scaled_by_their_range(mode, values, expected):
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    image = Image.fromarray(np.array([values] * 3, kind))
    assert image.mode == mode
    data = encode(image, "TIFF")
    np.testing.assert_array_equal(decoded(data).pixels[0], np.array([expected] * 3).T)


def test_values_that_are_no_numbers_are_black():
    data = encode(Image.fromarray(np.array([[0.0, np.nan], [1.0, 0.5]], np.float32)), "TIFF")
    assert decoded(data).pixels[0, 1].tolist() == [0, 0, 0]


def test_an_image_in_the_wanted_size_is_not_resampled():
    image = picture(64, 90)
    np.testing.assert_array_equal(decoded(encode(image)).pixels, np.asarray(image))
    assert target_size(3, 3000, 2) == (2, 2000) and target_size(1, 3000, 2) == (1, 3000)
    assert target_size(3000, 3, 1) == (1000, 1)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (np.uint16, [3, 255], (0, 255)),
        (np.uint16, [3, 300], (0, 4095)),
        (np.uint16, [3, 5000], (0, 65535)),
        (np.int32, [0, 255], (0, 255)),
        (np.int32, [0, 256], (0, 65535)),
        (np.int32, [0, 65535], (0, 65535)),
        (np.int32, [0, 65536], (0, 65536)),
        (np.int32, [1, 300], (0, 65535)),
        (np.int32, [-1, 5], (-1, 5)),
        (np.float32, [0, 1], (0, 1)),
        (np.float32, [0, 2], (0, 255)),
        (np.float32, [-1, 2], (-1, 2)),
        (np.float32, [-1, np.inf], (0, 255)),
        (np.float32, [-np.inf, 1], (0, 255)),
    ],
)
def test_the_range_of_tones(kind, values, expected):
    found = module._tone_range(Image.fromarray(np.array([values], kind)))
    assert found == expected and all(isinstance(v, float) for v in found)


def test_the_memory_that_a_rejected_image_would_need_is_named():
    data = header_only_png(2000, 1000)
    with pytest.raises(RejectedFile) as refused:
        decoded(data, max_decode_bytes=1_000)
    assert str(refused.value) == (
        "decoding it takes about 10 MB, over the limit max_decode_bytes = 1,000"
    )


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_alpha_lies_on_white(mode):
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0)).convert("LA" if mode == "La" else "RGBA")
    image = clear.convert(mode)
    assert module._rgb_of(image)(image).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("size", "wanted", "factor"),
    [
        ((400, 300), (40, 30), 5),  # 10 / REDUCING_GAP
        ((403, 301), (40, 30), 5),  # the last row and column of blocks are not whole
        ((400, 300), (100, 75), 2),
        ((400, 300), (101, 76), 1),  # less than twice the gap: in one step
        ((400, 1200), (40, 100), 5),  # the side that is reduced less decides
        ((1200, 400), (100, 40), 5),
    ],
)
def test_a_reduction_averages_whole_blocks_and_then_resizes(size, wanted, factor):
    g = np.random.default_rng(0)
    image = Image.fromarray(g.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    if factor == 1:
        expected = image.resize(wanted, Image.Resampling.BICUBIC)
    else:
        box = (0, 0, size[0] / factor, size[1] / factor)
        expected = image.reduce(factor).resize(wanted, Image.Resampling.BICUBIC, box=box)
    found = module._shrink(image, wanted)
    assert found.mode == "RGB" and found.size == wanted
    assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_the_bands_of_a_reduction_hold_so_many_bytes(monkeypatch):
    heights = []
    crop = Image.Image.crop
    monkeypatch.setattr(module, "_BAND_BYTES", 4 * 400 * 5 * 7 + 3)
    monkeypatch.setattr(
        Image.Image, "crop", lambda self, box: heights.append(box[3] - box[1]) or crop(self, box)
    )
    module._shrink(Image.new("RGB", (400, 300)), (40, 30))
    assert heights == [35] * 8 + [20]  # 7 rows of blocks of 5
    heights.clear()
    monkeypatch.setattr(module, "_BAND_BYTES", 1)
    module._shrink(Image.new("RGB", (400, 20)), (40, 2))
    assert heights == [5] * 4  # never less than one row of blocks


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_with_an_orientation_has_its_upright_size(orientation):
    data = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    g = np.random.default_rng(0)
    pixels = g.integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(data, "TIFF", exif=exif)
    found = decoded(data.getvalue(), 30)
    sideways = orientation >= 5
    assert (found.width, found.height) == ((60, 90) if sideways else (90, 60))
    assert found.pixels.shape == ((45, 30, 3) if sideways else (30, 45, 3))
    assert found.format == "TIFF"


def test_a_jpeg_is_drafted_at_no_less_than_twice_the_wanted_size(monkeypatch):
    asked = []
    draft = JpegImagePlugin.JpegImageFile.draft
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile,
        "draft",
        lambda self, mode, size: asked.append((mode, size)) or draft(self, mode, size),
    )
    data = io.BytesIO()
    Image.new("RGB", (401, 303)).save(data, "JPEG")
    decoded(data.getvalue(), 33)
    width, height = module.target_size(401, 303, 33)
    gap = module.REDUCING_GAP
    assert asked == [("RGB", (int(np.ceil(width * gap)), int(np.ceil(height * gap))))]
