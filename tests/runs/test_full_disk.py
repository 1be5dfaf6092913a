"""No space left: one sentence, everything readable, and a resumed run ends as if nothing had been."""

import errno

import numpy as np
import pytest
from PIL import Image

from tests.helpers.small_disk import mounted
from tests.helpers.small_runs import adapter_of, make, maker, same, store, story  # noqa: F401
from ueo_core.cli.main import main
from ueo_core.data.limits import Limits
from ueo_core.data.store import Store
from ueo_core.runs.extend import queue_up
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.runs.snapshot import read_snapshot
from ueo_core.runs.worker import execute
from ueo_core.utils import files
from ueo_core.utils.errors import UserError

FULL = OSError(errno.ENOSPC, "No space left on device")
STEPS = pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", 32) as found:
        yield found


def unhurt(folder: RunFolder, whole: RunFolder) -> None:
    """A run that a full disk has stopped is readable, and its resumption ends as `whole`."""
    assert read_snapshot(folder).title and folder.state["state"] in ("failed", "running", "queued")
    for step in folder.checkpoints():
        folder.checkpoint(step)
    assert not list(folder.path.rglob(f"*{files.TEMPORARY}"))
    Manager(folder.path.parent)  # as the next start of the app does
    queue_up(folder)
    assert execute(folder)["state"] == "finished"
    assert same(adapter_of(folder), adapter_of(whole)) and story(folder) == story(whole)


@STEPS
def test_a_run_on_a_disk_that_fills_at_any_page(disk, make, store, every):  # noqa: F811
    whole = make("whole")
    execute(whole)
    for pages in range(0, 1000, every):
        folder = make(f"run{pages}", root=disk.root)
        disk.leave(pages)
        state = execute(folder)
        disk.empty()
        if state["state"] == "finished":
            assert same(adapter_of(folder), adapter_of(whole))
            assert pages >= 8  # else the disk was never full
            return
        assert state["state"] == "failed" and "free some space and resume" in state["reason"]
        unhurt(folder, whole)
    raise AssertionError("the disk is never large enough")


@STEPS
def test_a_run_in_which_any_write_fails(make, store, monkeypatch, every):  # noqa: F811
    """The same where no small disk can be mounted: the n-th write of a whole file or an event."""
    whole, left = make("whole"), [0]
    execute(whole)

    def counted(real):
        def write(*given, **named):
            left[0] -= 1
            if left[0] < 0:
                raise FULL
            return real(*given, **named)

        return write

    for n in range(0, 1000, every):
        folder = make(f"run{n}")
        with monkeypatch.context() as patch:
            left[0] = n
            patch.setattr(files.os, "fsync", counted(files.os.fsync))
            patch.setattr(RunFolder, "append", counted(RunFolder.append))
            state = execute(folder)
        if state["state"] == "finished":
            assert n > 12
            return
        assert state["state"] == "failed" and "free some space and resume" in state["reason"]
        unhurt(folder, whole)
    raise AssertionError("a write fails for ever")


@STEPS
def test_an_import_on_a_disk_that_fills_at_any_page(disk, tmp_path, every):
    g = np.random.default_rng(0)
    for i in range(12):
        pixels = g.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i:02d}.png")
    small = Limits(min_free_bytes=1)
    for pages in range(0, 100, every):
        disk.leave(pages)
        try:
            report = Store(disk.root / str(pages), 64).ingest(tmp_path / "photos", limits=small)
            skipped = report.skipped
        except UserError as error:
            assert "free disk space" in str(error) or "choose another folder" in str(error)
            skipped = ["all"]
        disk.empty()
        if not skipped:
            assert pages > 12
            return
        again = Store(disk.root / str(pages), 64)
        images = again.open(again.ingest(tmp_path / "photos", limits=small).set_id)
        assert len(images) == 12
        for i, name in enumerate(images.names):
            original = np.asarray(Image.open(tmp_path / "photos" / name))
            assert np.array_equal(images.pixels(i), original)
        assert again.prune() >= 0
    raise AssertionError("the disk is never large enough")


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "RUN", "PHOTOS", "--csv", "OUT/p.csv"),
        ("report", "RUN", "--out", "OUT/r.html"),
        ("export", "RUN", "--what", "adapter", "--to", "OUT/a.safetensors"),
        ("export", "RUN", "--what", "script", "--to", "OUT/a.py"),
        ("export", "RUN", "--what", "csv", "--to", "OUT/p.csv"),
        ("export", "RUN", "--what", "folders", "--to", "OUT/sorted"),
        ("export", "RUN", "--what", "folders", "--to", "OUT/sorted.zip"),
        ("sample", "OUT/sample"),
        ("adapt", "PHOTOS", "--classes", "dog,cat", "--backbone", "MODEL", "--out", "OUT/run"),
        ("ingest", "PHOTOS", "--store", "OUT/store"),
    ],
    ids=lambda words: f"{words[0]} {words[-1]}",
)
def test_a_command_on_a_full_disk(disk, make, store, tiny_files, tmp_path, words, capsys):  # noqa: F811
    run = make()
    execute(run)
    config, weights = tiny_files["vit"]
    names = {
        "RUN": str(run.path),
        "PHOTOS": str(store[0].root.parent / "pool"),
        "MODEL": str(config),
    }
    words = [names.get(w, w.replace("OUT", str(disk.root / "out"))) for w in words]
    words += ["--pretrained", str(weights), "--epochs", "1"] if words[0] == "adapt" else []
    for pages in (0, 1, 2):
        disk.leave(pages)
        code, said = main(words), capsys.readouterr()
        if code == 0:
            assert pages  # an empty file needs none
            break
        assert code == 2 and said.err.strip().splitlines()[-1].endswith("."), said.err
        left = [p for p in disk.root.rglob("*") if p.is_file() and p.name != "ballast"]
        assert not [p for p in left if p.suffix in (".csv", ".html", ".zip", ".py", ".part")], left
    disk.empty()
    if code == 2:
        assert main(_elsewhere(words)) == 0


def _elsewhere(words: list[str]) -> list[str]:
    """Folders of runs and drawings are used once, so a second try takes others."""
    return [w.replace("/out/run", "/out/again").replace("/sample", "/again") for w in words]
