"""Seeded fuzzing: mutated images and archives give a report, no exception and no extra file."""

import io
import random
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from ueo_core.data.limits import Limits
from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # by Pillow, about broken metadata
SECONDS = 6  # per test; a slow machine tries fewer files
LIMITS = Limits(max_pixels=300_000, max_decode_bytes=20 * 10**6)
KINDS = {
    "JPEG": {},
    "PNG": {},
    "GIF": {"save_all": True},
    "WEBP": {"save_all": True},
    "TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
    "PPM": {},
}


def pictures():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    found = []
    for kind, options in KINDS.items():
        file = io.BytesIO()
        if options.get("save_all"):
            options = options | {"append_images": [image.rotate(90)]}
        if kind in ("JPEG", "PNG", "WEBP"):
            options = options | {"exif": exif}
        image.save(file, kind, **options)
        found.append(file.getvalue())
    progressive, alpha, deep = io.BytesIO(), io.BytesIO(), io.BytesIO()
    image.save(progressive, "JPEG", progressive=True)
    image.convert("P").save(alpha, "PNG", transparency=3)
    Image.fromarray(rng.integers(0, 65535, (24, 32)).astype(np.uint16)).save(deep, "TIFF")
    return [*found, *(file.getvalue() for file in (progressive, alpha, deep))]


def mutated(data, chance):
    data = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        kind, at = chance.randrange(5), chance.randrange(len(data))
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:  # sizes and counts are near the beginning
            data[chance.randrange(min(64, len(data)))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif kind == 2:
            del data[at : at + chance.randint(1, 20)]
        elif kind == 3:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 20)))
        else:
            data = data[: max(1, at)]
        if not data:
            break
    return bytes(data)


def check(store, report, count):
    assert report.usable + report.duplicates + len(report.skipped) == count
    assert all(s.reason and "\n" not in s.reason and len(s.reason) < 300 for s in report.skipped)
    if report.set_id:
        images = store.open(report.set_id)
        for i in range(len(images)):
            pixels = images.pixels(i)
            assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
            width, height = images.size(i)
            assert min(pixels.shape[:2]) == min(width, height, store.short_side)
            assert width * height <= LIMITS.max_pixels


def test_mutated_images(tmp_path):
    store, originals, chance = Store(tmp_path, 20), pictures(), random.Random(0)
    end, usable, rejected = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end:
        files = [(f"{i}.jpg", mutated(chance.choice(originals), chance)) for i in range(50)]
        good = [(f"good {i}.png", data) for i, data in enumerate(originals)]
        report = store.ingest_files([*files, *good], limits=LIMITS)
        check(store, report, len(files) + len(good))
        kept = set(store.open(report.set_id).names) | {name for name, _ in report.duplicate_names}
        assert kept >= {name for name, _ in good}  # bad files have no effect on good ones
        usable += report.usable - len(good)
        rejected += len(report.skipped)
    assert usable > 0 and rejected > 0  # both cases occur


def archive(chance, originals):
    file, count = io.BytesIO(), chance.randint(1, 8)
    with zipfile.ZipFile(file, "w") as built:
        for i in range(count):
            start = chance.choice(
                ["", "a/", "../", "/", "C:\\", "__MACOSX/", ".h/", "a\\b\\", "é/"]
            )
            info = zipfile.ZipInfo(f"{start}{i}.png")
            info.compress_type = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
            info.external_attr = chance.choice([0, 0o100644 << 16, 0o120777 << 16, 0o010644 << 16])
            built.writestr(info, chance.choice([*originals, b"", b"text", b"PK\x03\x04"]))
    return file.getvalue(), count


def test_generated_and_mutated_archives(tmp_path):
    store, originals, chance = Store(tmp_path / "store", 20), pictures(), random.Random(1)
    path, end, accepted, rejected = tmp_path / "in.zip", time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end:
        data, count = archive(chance, originals)
        path.write_bytes(data)
        check(store, store.ingest(path, limits=LIMITS), count)
        path.write_bytes(mutated(data, chance))
        try:
            report = store.ingest(path, limits=LIMITS)
        except UserError as error:
            assert str(path) in str(error)
            rejected += 1
        else:
            listed = report.usable + report.duplicates + len(report.skipped)
            check(store, report, listed)
            accepted += 1
    assert accepted > 0 and rejected > 0
    assert {p.name for p in tmp_path.iterdir()} == {"store", "in.zip"}


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"P6 ", b"RIFF"])
def test_headers_without_data(tmp_path, data):
    report = Store(tmp_path).ingest_files([("a.png", data), ("b.png", data + b"\xff" * 999)])
    assert report.usable == 0 and len(report.skipped) == 2
