"""The store: one copy of every image, shared sizes, deleting, and recovery after a kill."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ueo_core.data.intake import MemoryGate
from ueo_core.data.intake_report import IntakeReport
from ueo_core.data.store import Store
from ueo_core.utils.errors import UserError

ROOT = Path(__file__).parents[2]


def save(path, seed, size=(60, 40), age=60):
    """Write a lossless random image, `age` seconds old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    os.utime(path, (time.time() - age,) * 2)
    return pixels


@pytest.fixture
def photos(tmp_path):
    """Six files: four images, two of them twice."""
    folder = tmp_path / "photos"
    for seed, name in enumerate(["dog/a.png", "dog/b.png", "cat/a.png", "top.png"]):
        save(folder / name, seed)
    save(folder / "dog/copy of a.png", 0)
    save(folder / "zoo/deep/same as b.png", 1)
    return folder


def all_files(root):
    return {p.relative_to(root) for p in root.rglob("*") if p.is_file()}


def test_ingesting_a_folder_keeps_its_images(photos, tmp_path):
    store = Store(tmp_path / "store")
    report = store.ingest(photos)
    assert (report.usable, report.duplicates, report.skipped) == (4, 2, [])
    assert report.folders == {"cat": 1, "dog": 2}
    assert report.duplicate_names == [
        ("dog/copy of a.png", "dog/a.png"),
        ("zoo/deep/same as b.png", "dog/b.png"),
    ]
    assert [w.name for w in report.warnings] == ["zoo/deep/same as b.png"]
    images = store.open(report.set_id)
    assert images.names == ["cat/a.png", "dog/a.png", "dog/b.png", "top.png"]
    assert len(images) == 4 and images.name == "photos"
    for i, seed in enumerate([2, 0, 1, 3]):
        expected = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), np.uint8)
        np.testing.assert_array_equal(images.pixels(i), expected)
        assert images.size(i) == (60, 40)
        with Image.open(io.BytesIO(images.thumbnail(i))) as thumbnail:
            assert (thumbnail.format, thumbnail.size) == ("JPEG", (60, 40))
    assert images.original(1).aliases == ("dog/copy of a.png",)
    assert not any(isinstance(value, np.ndarray) for value in vars(images).values())


def test_the_report_as_json(photos, tmp_path):
    (photos / "notes.txt").write_text("no image", encoding="utf-8")
    store = Store(tmp_path / "store")
    report = store.ingest(photos, name="My photos")
    data = json.loads(json.dumps(report.to_json()))
    assert data["usable"] == 4 and data["duplicates"] == 2
    assert data["classes"] == {"cat": 1, "dog": 2}
    [skipped] = data["skipped"]
    assert skipped["name"] == "notes.txt" and skipped["reason"].startswith("not an image")
    assert store.report(report.set_id) == IntakeReport.from_json(data)
    assert store.open(report.set_id).name == "My photos"


def test_the_fingerprint_depends_only_on_names_and_bytes(photos, tmp_path):
    first = Store(tmp_path / "one", short_side=20).ingest(photos, workers=1)
    second = Store(tmp_path / "two").ingest(photos, workers=4)
    assert first.set_id == second.set_id
    save(photos / "top.png", 99)
    assert Store(tmp_path / "one").ingest(photos).set_id != first.set_id
    (photos / "top.png").rename(photos / "summit.png")
    third = Store(tmp_path / "one").open(Store(tmp_path / "one").ingest(photos).set_id)
    assert third.names[-1] == "summit.png"


def test_adding_again_decodes_nothing(photos, tmp_path):
    store = Store(tmp_path / "store")
    first, again = store.ingest(photos), store.ingest(photos)
    assert (first.decoded, again.decoded) == (4, 0)
    assert again.set_id == first.set_id and len(store.sets()) == 1


def test_unchanged_files_are_recognized_by_their_time_stamps(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("ueo_core.data.hash_cache._SETTLED_NS", -(10**12))
    store = Store(tmp_path / "store")
    first = store.ingest(photos)

    def never(*args):
        raise AssertionError("a known file was read")

    monkeypatch.setattr("ueo_core.data.intake.read_entry", never)
    assert store.ingest(photos).set_id == first.set_id
    monkeypatch.undo()
    pixels = save(photos / "top.png", 77)
    changed = store.open(store.ingest(photos).set_id)
    np.testing.assert_array_equal(changed.pixels(3), pixels)


def test_several_sizes_of_the_same_image(tmp_path):
    pixels = save(tmp_path / "in/a.png", 5, size=(300, 200))
    save(tmp_path / "in/small.png", 6, size=(40, 30))
    small, large = Store(tmp_path / "s", 50), Store(tmp_path / "s", 150)
    set_id = large.ingest(tmp_path / "in").set_id
    assert large.open(set_id).pixels(0).shape == (150, 225, 3)
    reduced = small.open(set_id)  # not ingested at 50: reduced from 150
    assert reduced.stored_sides == [150] and reduced.pixels(0).shape == (50, 75, 3)
    assert small.ingest(tmp_path / "in").decoded == 1  # the small image is the same at every size
    exact = small.open(set_id)
    assert exact.stored_sides == [50, 150]
    full = np.asarray(Image.fromarray(pixels).resize((75, 50), Image.Resampling.BICUBIC))
    for result in (exact, reduced):
        assert np.corrcoef(result.pixels(0).ravel(), full.ravel())[0, 1] > 0.95
    larger = Store(tmp_path / "s", 180).open(set_id)  # not stored: the largest one, unchanged
    assert larger.pixels(0).shape == (150, 225, 3)


def test_delete_and_prune_free_unused_images(photos, tmp_path):
    store = Store(tmp_path / "store")
    both = store.ingest(photos)
    only = store.ingest(photos / "dog")
    assert {info.id for info in store.sets()} == {both.set_id, only.set_id}
    assert store.prune() == 0
    store.delete(both.set_id)
    assert store.usage().unreferenced > 2 * 60 * 40 * 3
    before = store.usage().total
    freed = store.prune()
    assert freed > 2 * 60 * 40 * 3
    assert store.usage().total == before - freed
    kept = store.open(only.set_id)
    assert kept.pixels(0).shape == (40, 60, 3)
    with pytest.raises(UserError, match="not in the store"):
        store.open(both.set_id)
    with pytest.raises(UserError, match="not in the store"):
        store.delete(both.set_id)


def test_the_list_of_sets(photos, tmp_path):
    store = Store(tmp_path / "store")
    first = store.ingest(photos / "dog")
    second = store.ingest(photos / "cat")
    time.sleep(0.02)
    Store(tmp_path / "store").open(first.set_id)
    infos = Store(tmp_path / "store").sets()
    assert [info.id for info in infos] == [first.set_id, second.set_id]
    assert [info.n for info in infos] == [2, 1]
    pixels = sum(p.stat().st_size for p in (tmp_path / "store/objects").iterdir())
    assert infos[0].bytes + infos[1].bytes == pixels
    assert infos[0].last_used >= infos[0].created


@pytest.mark.parametrize("set_id", ["", "x", "../../etc/passwd", "0" * 16, "0" * 17, None])
def test_an_unknown_set_is_an_error(tmp_path, set_id):
    with pytest.raises(UserError, match="not in the store"):
        Store(tmp_path).open(set_id)


def test_deleted_pixels_are_an_error(photos, tmp_path):
    store = Store(tmp_path / "store")
    images = store.open(store.ingest(photos).set_id)
    store.delete(images.id)
    store.prune()
    with pytest.raises(UserError, match="import the images again"):
        images.pixels(0)
    with pytest.raises(UserError, match="import the images again"):
        images.thumbnail(0)


def test_the_next_intake_repairs_damage(photos, tmp_path):
    store = Store(tmp_path / "store")
    images = store.open(store.ingest(photos).set_id)
    expected = [images.pixels(i) for i in range(4)]
    [pixels] = (tmp_path / "store/objects").glob("*.pixels")
    pixels.write_bytes(pixels.read_bytes()[:-5])  # a power failure: the last image is incomplete
    [index] = (tmp_path / "store/objects").glob("*.index")
    rows = bytearray(index.read_bytes())
    rows[100] ^= 1  # in the second row
    index.write_bytes(rows + b"torn")
    (tmp_path / "store/hashes").joinpath("0" * 32 + ".json").write_text("{", encoding="utf-8")
    (tmp_path / "store/sets").joinpath("0" * 16 + ".json").write_text("[1]", encoding="utf-8")
    assert len(store.sets()) == 1
    assert store.ingest(photos).decoded == 2
    for i in range(4):
        np.testing.assert_array_equal(images.pixels(i), expected[i])


def test_a_canceled_intake_keeps_its_images_and_continues(tmp_path):
    n = 800  # workers get small files in batches; with few files, all are done before the cancel
    for i in range(n):
        save(tmp_path / f"in/{i:03}.png", i)
    store, seen = Store(tmp_path / "store"), []
    report = store.ingest(
        tmp_path / "in", progress=seen.append, cancelled=lambda: len(seen) >= 5, workers=1
    )
    assert report.cancelled and 5 <= report.usable < n
    assert len(store.open(report.set_id)) == report.usable
    rest = store.ingest(tmp_path / "in")
    assert not rest.cancelled and rest.usable == n
    assert rest.decoded == n - report.usable
    nothing = store.ingest(tmp_path / "in", cancelled=lambda: True)
    assert nothing.cancelled and nothing.set_id is None and nothing.usable == 0


def test_progress_counts_every_file_in_the_callers_thread(photos, tmp_path):
    seen, threads = [], set()

    def progress(step):
        seen.append(step)
        threads.add(threading.current_thread())

    Store(tmp_path / "store").ingest(photos, progress=progress)
    assert [step.done for step in seen] == [1, 2, 3, 4, 5, 6]
    assert {step.total for step in seen} == {6}
    assert threads == {threading.current_thread()}
    last = seen[-1]
    assert last.seconds_left == 0
    assert last.images_per_second == pytest.approx(6 / last.seconds)


def test_the_store_works_after_an_exception_in_progress(photos, tmp_path):
    store = Store(tmp_path / "store")

    def leave(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.ingest(photos, progress=leave)
    assert store.sets() == []
    assert store.prune() > 0  # the store is not locked
    assert store.ingest(photos).usable == 4


def test_prune_is_rejected_during_an_intake(photos, tmp_path):
    store, other = Store(tmp_path / "store"), Store(tmp_path / "store")
    rejected = []

    def progress(step):
        with pytest.raises(UserError, match="being imported"):
            other.prune()
        rejected.append(step)

    report = store.ingest(photos, progress=progress)
    assert len(rejected) == 6
    assert store.open(report.set_id).pixels(0).shape == (40, 60, 3)
    assert other.prune() == 0


def test_simultaneous_intakes_give_the_same_set(photos, tmp_path):
    stores = [Store(tmp_path / "store", side) for side in (20, 20, 30, 366)] * 2
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda store: store.ingest(photos), stores))
    assert len({report.set_id for report in reports}) == 1
    for store in stores[:4]:
        images = store.open(reports[0].set_id)
        assert [images.pixels(i).shape[0] for i in range(4)] == [min(40, store.short_side)] * 4
    assert not list((tmp_path / "store").rglob("*.part"))


# Exits without any clean-up at the n-th file operation: like kill -9, but at a known moment.
KILLED = """
import itertools, os, sys
from pathlib import Path
from ueo_core.data import pack_file as packs
from ueo_core.data.store import Store
source, root, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
count, replace, write = itertools.count(), os.replace, packs._write_all
def dying_replace(*names):
    if next(count) == at:
        os.truncate(names[0], 10)
        os._exit(9)
    replace(*names)
    if next(count) == at:
        os._exit(9)
def dying_write(file, view):
    if next(count) == at:
        write(file, view[: len(view) // 2])
        os._exit(9)
    write(file, view)
    if next(count) == at:
        os._exit(9)
os.replace, packs._write_all = dying_replace, dying_write
Store(Path(root)).ingest(Path(source), workers=2)
"""


def test_the_store_opens_after_a_kill_at_any_moment(tmp_path):
    for i in range(10):
        save(tmp_path / f"in/{i}.png", i)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    # Two writes per image, one for the hashes, one for the manifest; two moments for each.
    for at in [0, 1, 2, 3, 21, 38, 40, 41, 42, 43]:
        root = tmp_path / f"store {at}"
        command = [sys.executable, "-c", KILLED, str(tmp_path / "in"), str(root), str(at)]
        assert subprocess.run(command, env=environment).returncode == 9
        store = Store(root)
        assert len(store.sets()) == (at == 43)
        report = store.ingest(tmp_path / "in")
        assert report.usable == 10 and report.skipped == []
        # An image is kept once its row is complete.
        assert report.decoded == 10 - min(10, (at + 1) // 4)
        images = store.open(report.set_id)
        for i in range(10):
            expected = np.random.default_rng(i).integers(0, 256, (40, 60, 3), np.uint8)
            np.testing.assert_array_equal(images.pixels(i), expected)
        store.prune()  # also deletes partial files and locks of killed processes
        assert not list(root.rglob("*.part")) and not list((root / "working").iterdir())
        assert store.usage().unreferenced == 0
        assert images.pixels(9).shape == (40, 60, 3)


def test_a_store_inside_its_source_is_not_ingested(photos):
    store = Store(photos / "store")
    first = store.ingest(photos)
    assert store.ingest(photos).set_id == first.set_id
    assert [s.name for s in first.skipped] == ["store"]
    assert len(all_files(photos / "store")) > 4


def test_invalid_places_and_sizes(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be created there"):
        Store(tmp_path / "file")
    with pytest.raises(UserError, match="Short side"):
        Store(tmp_path / "store", 0)


def test_the_memory_gate_limits_the_bytes_in_use():
    gate, inside, peak = MemoryGate(100), [], []
    lock = threading.Lock()

    def work(size):
        with gate(size):
            with lock:
                inside.append(size)
                peak.append(list(inside))
            time.sleep(0.002)
            with lock:
                inside.remove(size)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [30, 80, 500, 60, 10, 100, 40, 70] * 4))
    assert all(sum(state) <= 100 or len(state) == 1 for state in peak)
    assert [500] in peak and any(len(state) > 1 for state in peak)
