"""Drawing by several processes: the same images in the same order, whatever becomes of a process."""

import dataclasses
import subprocess

from ueo_core.drawings import parallel
from ueo_core.drawings.parallel import drawn_files
from ueo_core.drawings.sample import problem


def few():
    chosen = problem()
    return dataclasses.replace(chosen, pool=chosen.pool[:7], test=chosen.test[:4])


def test_the_same_images_in_the_same_order(monkeypatch):
    started = []
    real = subprocess.Popen

    def counted(*args, **more):
        started.append(real(*args, **more))
        return started[-1]

    monkeypatch.setattr(parallel.subprocess, "Popen", counted)
    drawn = []
    monkeypatch.setattr(
        type(few()), "image", lambda self, part, index: drawn.append(index) or b"drawn here"
    )
    found = list(drawn_files(few(), processes=2))
    assert len(started) == 2 and all(p.poll() is not None for p in started)
    monkeypatch.undo()
    assert found == list(few().files()) and not drawn


def test_what_a_process_does_not_deliver_is_drawn_here(monkeypatch):
    expected = list(few().files())

    class Ended(subprocess.Popen):
        def __init__(self, command, **more):
            super().__init__([command[0], "-c", "pass"], **more)

    monkeypatch.setattr(parallel.subprocess, "Popen", Ended)
    assert list(drawn_files(few(), processes=2)) == expected

    def refuse(*args, **more):
        raise OSError("no more processes")

    monkeypatch.setattr(parallel.subprocess, "Popen", refuse)
    assert list(drawn_files(few(), processes=2)) == expected


def test_leaving_early_ends_the_processes(monkeypatch):
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(
        parallel.subprocess, "Popen", lambda *a, **m: started.append(real(*a, **m)) or started[-1]
    )
    files = drawn_files(problem(), processes=2)
    next(files)
    files.close()
    assert [p.poll() is not None for p in started] == [True, True]
