"""A file's own description of its pixels is followed, and a refusal names the true reason."""

import contextlib
import io
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

from ueo_core.data.decode import decode
from ueo_core.data.limits import Limits, RejectedFile
from ueo_core.data.store import Store

RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)
GRAY = (RAMP * 255).astype(np.uint8)


def gray_of(data: bytes) -> np.ndarray:
    found = decode(data, 64, Limits(), lambda n: contextlib.nullcontext())
    assert (found.width, found.height) == (64, 48)
    return found.pixels.astype(float).mean(2)


def tiff(values: np.ndarray, bits: int, photometric: int = 1, kind: int = 1, big: bool = False):
    """A TIFF, little-endian, without compression. values (H, W) or (H, W, 3); kind: SampleFormat"""
    high, wide = values.shape[:2]
    samples = 1 if values.ndim == 2 else values.shape[2]
    if kind == 3:
        body = values.astype("<f4").tobytes()
    elif bits == 12:
        pairs = values.reshape(-1, 2).astype(int)
        a, b = pairs[:, 0], pairs[:, 1]
        body = np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], 1).astype(np.uint8).tobytes()
    else:
        body = values.astype(f"<u{bits // 8}").tobytes()
    count, offset, long = ("<Q", "<Q", 16) if big else ("<H", "<L", 4)
    head = b"II+\0\x08\0\0\0" if big else b"II*\0"
    start = len(head) + struct.calcsize(offset)
    fields = {256: (4, wide), 257: (4, high), 258: (3, bits), 259: (3, 1), 262: (3, photometric)}
    fields |= {273: (long, start), 277: (3, samples), 278: (4, high), 279: (long, len(body))}
    fields |= {339: (3, kind)}
    entries = b""
    for tag, (size, value) in fields.items():
        plain = struct.pack({3: "<H", 4: "<L", 16: "<Q"}[size], value)
        n = struct.pack("<HH", tag, size) + struct.pack("<Q" if big else "<L", 1)
        entries += n + plain.ljust(8 if big else 4, b"\0")
    end = struct.pack(offset, 0)
    return (
        head
        + struct.pack(offset, start + len(body))
        + body
        + struct.pack(count, len(fields))
        + entries
        + end
    )


def test_16_bit_gray_with_a_transparent_value():
    values = np.round(RAMP * 65000).astype(np.uint16)
    values[:, :8] = 65535
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", transparency=65535)
    found = gray_of(file.getvalue())
    np.testing.assert_allclose(found[:, 8:], RAMP[:, 8:] * 65000 / 257, atol=1)
    assert (found[:, :8] == 255).all()


def test_a_transparent_value_that_is_not_white():
    values = np.full((48, 64), 30_000, np.uint16)
    values[:, :8] = 500
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", transparency=500)
    found = gray_of(file.getvalue())
    assert (found[:, :8] == 255).all() and np.abs(found[:, 8:] - 30_000 / 257).max() < 1


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    ("bits", "photometric"), [(8, 1), (8, 0), (12, 1), (12, 0), (16, 1), (16, 0)]
)
def test_bits_and_direction_of_a_tiff(bits, photometric, big):
    levels = RAMP if photometric else 1 - RAMP
    data = tiff(np.round(levels * (2**bits - 1)), bits, photometric, big=big)
    if bits == 12 and photometric == 0:
        with pytest.raises(RejectedFile, match="a kind that is not read .12 bits, whole numbers"):
            gray_of(data)
        return
    np.testing.assert_allclose(gray_of(data), GRAY, atol=1.5)


def test_12_bits_that_are_not_used_are_refused_with_the_depth():
    with pytest.raises(RejectedFile, match="12 bits per sample, but its brightest value is 255"):
        gray_of(tiff(GRAY, 12))


def test_a_float_tiff_in_color_is_refused_for_its_numbers():
    with pytest.raises(RejectedFile, match="not read .32 bits, floating-point numbers"):
        gray_of(tiff(np.dstack([RAMP] * 3), 32, 2, kind=3))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_with_the_brand_of_its_container():
    file = io.BytesIO()
    Image.fromarray(GRAY).convert("RGB").save(file, "AVIF", quality=95)
    data = file.getvalue()
    assert data[8:12] == b"avif" and b"avif" in data[16:32]
    np.testing.assert_allclose(gray_of(data[:8] + b"mif1" + data[12:]), GRAY, atol=8)


def test_heic_is_still_told_from_avif():
    box = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(64)
    with pytest.raises(RejectedFile, match="a HEIC image|damaged|broken"):
        gray_of(box)


@pytest.mark.parametrize("what", ["zTXt", "iTXt", "iCCP", "tEXt"])
def test_a_png_with_megabytes_of_notes_is_read(what):
    plain = io.BytesIO()
    about = PngImagePlugin.PngInfo()
    text = "x" * 3_000_000
    if what == "iTXt":
        about.add_itxt("XML:com.adobe.xmp", text, zip=True)
    elif what != "iCCP":
        about.add_text("note", text, zip=what == "zTXt")
    Image.fromarray(GRAY).save(plain, "PNG", pnginfo=about)
    data = plain.getvalue()
    if what == "iCCP":
        body = b"ICC\0\0" + zlib.compress(random.Random(0).randbytes(3_000_000))
        crc = struct.pack(">L", zlib.crc32(b"iCCP" + body))
        chunk = struct.pack(">L", len(body)) + b"iCCP" + body + crc
        data = data[:33] + chunk + data[33:]
    np.testing.assert_array_equal(gray_of(data), GRAY)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a", "JPEG XL"),
    ],
)
def test_formats_that_are_not_read_are_named(head, name):
    with pytest.raises(RejectedFile, match=f"a {name} image, which is not read"):
        gray_of(head + bytes(64))


@pytest.mark.parametrize(("most", "white"), [(255, 255), (256, 4095), (4095, 4095), (4096, 65535)])
def test_few_significant_bits_in_16_are_stretched_with_a_warning(most, white, tmp_path):
    levels = np.linspace(0, most, 64).round().astype(np.uint16)
    values = np.repeat(levels[None], 48, 0)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    expected = np.floor(values * (255 / white) + 0.5)
    assert np.abs(gray_of(file.getvalue()) - expected).max() <= 1
    assert np.abs(gray_of(tiff(values, 16)) - expected).max() <= 1
    report = Store(tmp_path / "store", 64).ingest_files([("a.png", file.getvalue())])
    said = [w.reason for w in report.warnings if "stretched" in w.reason]
    assert len(said) == (white < 65535)


def test_a_big_endian_bigtiff_is_refused_by_its_name():
    with pytest.raises(RejectedFile, match="a big-endian BigTIFF image, which is not read"):
        gray_of(b"MM\0+\0\x08\0\0" + bytes(100))
