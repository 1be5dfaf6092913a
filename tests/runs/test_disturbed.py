"""What happens around a run: the clock is set back, images go, another process or no locks."""

import errno
import logging
import os
import shutil
import subprocess
import sys
import time

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from tests.helpers.pages import ROOT
from tests.helpers.run_folders import write_run
from tests.helpers.small_runs import (  # noqa: F401
    CLASSES,
    adapter_of,
    forget,
    make,
    manager,
    same,
    store,
    story,
    wait,
)
from ueo_core.cli.main import main
from ueo_core.runs.control import Control
from ueo_core.runs.create import reference
from ueo_core.runs.extend import queue_up
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.manager import Manager
from ueo_core.runs.notices import mark_seen, notices
from ueo_core.runs.worker import execute
from ueo_core.utils import files
from ueo_core.workspace.dataset import create_dataset, delete_dataset, unused_sets
from ui.common import shell


def test_a_clock_that_goes_back_changes_no_result(make, monkeypatch):  # noqa: F811
    whole, back = make("whole"), make("back")
    execute(whole)
    real, calls = time.time, [0]

    def earlier() -> float:
        calls[0] += 1
        return real() - 3600 * calls[0]

    with monkeypatch.context() as patch:
        patch.setattr(time, "time", earlier)
        execute(back, Control(until=3))
        queue_up(back)
        assert execute(back)["state"] == "finished"
    assert calls[0] > 3 and same(adapter_of(whole), adapter_of(back))
    assert story(whole) == story(back)


def test_a_run_is_seen_although_the_clock_was_set_back(own_home, monkeypatch):
    real = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: real() + 7200)
        folder = write_run("r")
    runs = Manager(own_home / "runs")
    assert not notices(runs)[0].seen
    mark_seen(folder)
    assert notices(runs)[0].seen
    folder.set_state("paused")  # earlier than the state before, and still another one
    assert not notices(runs)[0].seen


def test_images_that_go_in_mid_run_are_missed_in_a_sentence(make, store, tmp_path):  # noqa: F811
    whole, folder = make("whole"), make("run")
    execute(whole)
    objects, aside = store[0].root / "objects", tmp_path / "aside"

    def emit(event: dict) -> None:
        if event["kind"] == "step" and event["step"] == 4:
            objects.rename(aside)

    try:
        state = execute(folder, emit=emit)
        assert state["state"] == "failed" and "import the images again" in state["reason"]
        shutil.rmtree(objects, ignore_errors=True)
        store[0].ingest(store[0].root.parent / "pool")
        store[0].ingest(store[0].root.parent / "test")
        queue_up(folder)
        assert execute(folder)["state"] == "finished"
    finally:
        shutil.rmtree(objects, ignore_errors=True)
        aside.rename(objects)
    assert same(adapter_of(whole), adapter_of(folder)) and story(whole) == story(folder)


def test_a_dataset_that_is_deleted_in_mid_run_takes_nothing_along(make, store):  # noqa: F811
    pool = reference(store[0], store[1]["pool"])
    dataset = create_dataset("pets", pool, classes=CLASSES)
    folder, seen = make("run"), []

    def emit(event: dict) -> None:
        if event["kind"] == "step" and event["step"] == 2:
            delete_dataset(dataset.id)
            shutil.copytree(folder.path, os.environ["UEO_STUDIO_HOME"] + "/runs/run")
            seen.extend(info.id for info in unused_sets(store[0]))

    assert execute(folder, emit=emit)["state"] == "finished"
    assert pool["set"] not in seen


HOST = """
import sys, time
from pathlib import Path
from ueo_core.runs.manager import Manager
manager = Manager(Path(sys.argv[1]))
manager.act(sys.argv[2], "resume")
while manager.snapshot(sys.argv[2]).step < 5: time.sleep(0.01)
print("runs", flush=True)
sys.stdin.readline()
manager.shutdown()
"""


def test_two_apps_and_a_command_line_on_one_home(make, tmp_path, capsys):  # noqa: F811
    folder = make("runs/run", epochs=400)
    folder.set_state("paused", phase="", reason="")
    other = subprocess.Popen(
        [sys.executable, "-c", HOST, str(tmp_path / "runs"), "run"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    try:
        assert other.stdout.readline() == "runs\n"
        second = Manager(tmp_path / "runs")
        assert second.snapshot("run").state == "running"  # it is not taken for interrupted
        assert main(["resume", str(folder.path)]) == 2
        assert "another process is executing it" in capsys.readouterr().err
        with pytest.raises(files.UserError, match="another process is executing it"):
            second.act("run", "pause")
        names = {second.new_path(), Manager(tmp_path / "runs").new_path()}
        assert len(names) == 2
    finally:
        other.communicate("\n", timeout=60)
    assert folder.state["state"] == "paused"
    assert second.snapshot("run").state == "paused"


@pytest.fixture
def no_locks(monkeypatch):
    def refuse(self, *given, **named):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    monkeypatch.setattr(files, "_lockless", set())


def test_a_home_without_locks_is_said_once(own_home, no_locks, caplog):
    write_run("r", state="paused")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.session_state["ueo.opened"] = True
    try:
        with caplog.at_level(logging.WARNING, "ueo_core"):
            said = [[w.value for w in app.run().warning] for _ in range(3)]
    finally:
        shell.shutdown()
    assert len(said[0]) == 1 and "a disk without locks" in said[0][0] and said[1:] == [[], []]
    assert sum("without locks" in r.message for r in caplog.records) == 1


def test_a_command_without_locks_says_it_once(make, no_locks, caplog):  # noqa: F811
    folder = make()
    with caplog.at_level(logging.WARNING, "ueo_core"):
        assert main(["resume", str(folder.path)]) == 0
        assert main(["inspect", str(folder.path)]) == 0
    assert RunFolder(folder.path).state["state"] == "finished"
    assert sum("without locks" in r.message for r in caplog.records) == 1
