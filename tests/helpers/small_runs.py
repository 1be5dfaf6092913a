"""Runs of a tiny model on a dozen images: real ones, over in a blink."""

import shutil
import time

import numpy as np
import pytest
from PIL import Image

from ueo_core.config.settings import Settings
from ueo_core.data.labels import folder_labels
from ueo_core.data.store import Store
from ueo_core.models.adapted_clip import read_adapter
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.runs.snapshot import Snapshot

CLASSES = ["dog", "cat", "house"]


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A store with a pool of 12 images and a labeled holdout of 9. → store, {"pool", "test"}"""
    folder = tmp_path_factory.mktemp("images")
    g = np.random.default_rng(0)
    for part, names in (("pool", ["p"] * 12), ("test", [*CLASSES * 2, "zebra", "zebra", "dog"])):
        for i, name in enumerate(names):
            path = folder / part / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    store = Store(folder / "store", 52)
    return store, {p: store.open(store.ingest(folder / p).set_id) for p in ("pool", "test")}


def forget(store) -> None:
    """Whoever runs next measures its images anew."""
    shutil.rmtree(store[0].root / "features", ignore_errors=True)


@pytest.fixture
def make(store, tiny_files, tmp_path):
    """Makes a queued run of six steps; keyword arguments change its settings."""
    return maker(store, tiny_files, tmp_path)


def maker(store, tiny_files, default_root):
    """What `make` gives, for fixtures of any scope."""
    images, sets = store
    forget(store)
    config, weights = tiny_files["vit"]
    base = {
        "backbone": str(config),
        "pretrained": str(weights),
        "epochs": 2,
        "batch_size": 5,
        "lr": 1e-2,
        "device": "cpu",
    }

    def build(name="run", labels=True, root=default_root, **changes) -> RunFolder:
        folder = create_run(
            root / name,
            Settings(**base | changes),
            CLASSES,
            reference(images, sets["pool"]),
            holdout=reference(images, sets["test"]),
            holdout_labels=folder_labels(sets["test"]) if labels else None,
        )
        folder.update(threads=1)  # the same sums here, in a manager's thread and in a process
        return folder

    return build


@pytest.fixture
def manager(tmp_path):
    """The runs of a process; they end with the test."""
    made = Manager(tmp_path / "runs")
    yield made
    made.shutdown()


def adapter_of(folder: RunFolder) -> dict:
    """The adapted parameters that a finished run leaves."""
    return read_adapter(folder.path / "delta.safetensors")[0]


def same(a: dict, b: dict) -> bool:
    """Bit for bit."""
    return a.keys() == b.keys() and all(bool((a[k] == b[k]).all()) for k in a)


def story(folder: RunFolder) -> list[dict]:
    """A run's events, but for what depends on the machine's mood."""
    timed = ("elapsed", "seconds", "peak_memory_mb")
    return [{k: v for k, v in e.items() if k not in timed} for e in folder.events()]


def until(manager: Manager, run: str, true, seconds: float = 60) -> Snapshot:
    """Wait on content, not on time. → the first snapshot that it is true of"""
    deadline = time.monotonic() + seconds
    while not true(manager.snapshot(run)):
        assert time.monotonic() < deadline, manager.snapshot(run)
        time.sleep(0.01)
    return manager.snapshot(run)


def wait(manager: Manager, run: str, state: str) -> Snapshot:
    """The first snapshot in a state."""
    return until(manager, run, lambda now: now.state == state)
