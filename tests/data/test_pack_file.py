"""Packs: complete images are read back, incomplete ones are ignored."""

import numpy as np
import pytest

from ueo_core.data import pack_file
from ueo_core.data.decode import Decoded
from ueo_core.data.pack_file import INDEX, PIXELS, ROW_BYTES, PackWriter, read_pixels, read_rows


def image(seed: int, width: int = 8, height: int = 6) -> Decoded:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Decoded(pixels, width, height, "PNG", 12.346)


def sha(i: int) -> str:
    return f"{i:064x}"


def write(root, n: int) -> str:
    with PackWriter(root) as writer:
        for i in range(n):
            writer.add(sha(i), image(i), 100)
    return writer.pack


def test_images_are_read_back_in_order(tmp_path):
    pack = write(tmp_path / "made", 3)
    rows = list(read_rows(tmp_path / "made", pack))
    assert [row.sha for row in rows] == [sha(0), sha(1), sha(2)]
    assert [row.offset for row in rows] == [0, 144, 288]
    assert {(r.width, r.height, r.side, r.spread, r.format) for r in rows} == {
        (8, 6, 6, 12.35, "PNG")
    }
    for i, row in enumerate(rows):
        np.testing.assert_array_equal(read_pixels(tmp_path / "made", row), image(i).pixels)
    assert [row.sha for row in read_rows(tmp_path / "made", pack, start=2)] == [sha(2)]


def test_a_writer_without_images_creates_no_file(tmp_path):
    write(tmp_path / "made", 0)
    assert not list(tmp_path.iterdir())


def test_truncation_keeps_the_complete_images_before_it(tmp_path):
    pack = write(tmp_path, 3)
    for kind, size in ((INDEX, ROW_BYTES), (PIXELS, 144)):
        path = tmp_path / f"{pack}{kind}"
        whole = path.read_bytes()
        for length in range(0, len(whole), 7):
            path.write_bytes(whole[:length])
            found = [row.sha for row in read_rows(tmp_path, pack)]
            assert found == [sha(i) for i in range(length // size)]
        path.write_bytes(whole)


def test_a_changed_byte_of_the_index_loses_only_its_image(tmp_path):
    pack = write(tmp_path, 3)
    path = tmp_path / f"{pack}{INDEX}"
    whole = path.read_bytes()
    for at in range(ROW_BYTES, 2 * ROW_BYTES):
        broken = bytearray(whole)
        broken[at] ^= 0xFF
        path.write_bytes(broken)
        assert [row.sha for row in read_rows(tmp_path, pack)] == [sha(0), sha(2)]


def test_a_full_disk_leaves_the_pack_unchanged(tmp_path, monkeypatch):
    real, full = pack_file._write_all, []

    def write_all(file, view):
        if full:
            real(file, view[:50])
            raise OSError(28, "No space left on device")
        real(file, view)

    monkeypatch.setattr(pack_file, "_write_all", write_all)
    with PackWriter(tmp_path) as writer:
        writer.add(sha(0), image(0), 100)
        full.append(True)
        with pytest.raises(OSError, match="No space"):
            writer.add(sha(1), image(1), 100)
        full.clear()
        writer.add(sha(2), image(2), 100)
    rows = list(read_rows(tmp_path, writer.pack))
    assert [row.sha for row in rows] == [sha(0), sha(2)]
    np.testing.assert_array_equal(read_pixels(tmp_path, rows[1]), image(2).pixels)
