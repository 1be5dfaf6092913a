"""The object store: shared between readers and writers, and pruned."""

import numpy as np
import pytest

from tests.data.test_pack_file import image, sha
from ueo_core.data.object_store import ObjectStore
from ueo_core.data.pack_file import ROW_BYTES


def store(root, shas, side=100, size=(8, 6)) -> ObjectStore:
    objects = ObjectStore(root)
    with objects.writer() as writer:
        for i in shas:
            objects.added(writer.add(sha(i), image(i, *size), side))
    return objects


def test_a_reader_finds_what_another_has_written(tmp_path):
    other = ObjectStore(tmp_path)
    assert other.known(sha(0)) is None
    store(tmp_path, [0])
    np.testing.assert_array_equal(other.pixels(sha(0), 8, 6, 100), image(0).pixels)
    assert other.known(sha(0)).format == "PNG" and other.has(other.known(sha(0)), 6)
    assert not other.has(other.known(sha(0)), 5)
    with pytest.raises(FileNotFoundError):
        other.pixels(sha(1), 8, 6, 100)


def test_pruning_rewrites_packs_with_used_and_unused_images(tmp_path):
    objects, reader = store(tmp_path, range(4)), ObjectStore(tmp_path)
    store(tmp_path, [3, 4])  # a second copy of 3
    reader.pixels(sha(1), 8, 6, 100)  # has read where it is
    used = {sha(1), sha(3)}
    before = sum(p.stat().st_size for p in tmp_path.iterdir())
    assert objects.wasted(used) == before - 2 * (144 + ROW_BYTES)
    objects.prune(used)
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) == 2 * (144 + ROW_BYTES)
    assert objects.wasted(used) == 0
    for one in (objects, reader, ObjectStore(tmp_path)):  # also those that know the old place
        for i in (1, 3):
            np.testing.assert_array_equal(one.pixels(sha(i), 8, 6, 100), image(i).pixels)
        with pytest.raises(FileNotFoundError):
            one.pixels(sha(0), 8, 6, 100)
    objects.prune(())
    assert not list(tmp_path.iterdir())


def test_a_failed_rewrite_loses_nothing(tmp_path, monkeypatch):
    objects = store(tmp_path, [0, 1])

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ueo_core.data.pack_file.PackWriter.append", full)
    objects.prune({sha(0)})
    np.testing.assert_array_equal(objects.pixels(sha(0), 8, 6, 100), image(0).pixels)
    assert {path.suffix for path in tmp_path.iterdir()} == {".pixels", ".index"}


@pytest.mark.parametrize("lost", [".pixels", ".index"])
def test_pruning_deletes_incomplete_packs(tmp_path, lost):
    store(tmp_path, [0])
    next(tmp_path.glob(f"*{lost}")).unlink()
    for kind in (".pixels", ".index"):  # by a process that was killed before its first image
        (tmp_path / f"{'0' * 32}{kind}").touch()
    objects = ObjectStore(tmp_path)
    assert objects.wasted({sha(0)}) > 0
    objects.prune({sha(0)})
    assert not list(tmp_path.iterdir())
