"""A process that is killed loses nothing: the run resumes to the same end."""

import json
import os
import subprocess
import sys

import pytest

from tests.pages import ROOT
from tests.small_runs import delta_of, forget, make, same, store, story  # noqa: F401

pytestmark = pytest.mark.long


def python(*argv, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *map(str, argv)], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}, **options,
    )  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
def test_killed_twenty_times_it_ends_bit_for_bit_the_same(make, store):  # noqa: F811
    whole, killed = make("whole", epochs=60), make("killed", epochs=60)
    done, told = [], []
    for kills, folder in ((0, whole), (20, killed)):
        forget(store)
        host = python("-m", "tests.kill_host", folder.path, 7, kills)
        out, error = host.communicate(timeout=500)
        assert host.returncode == 0, error
        told.append(json.loads(out.splitlines()[-1]))
        done.append(folder)
    assert (told[0]["kills"], told[1]["kills"]) == (0, 20), told
    assert len(set(told[1]["steps"])) > 5 and told[1]["state"] == "finished"
    assert same(delta_of(whole), delta_of(killed))
    assert story(whole) == story(killed)
    assert (whole.path / "predictions.csv").read_bytes() == (
        killed.path / "predictions.csv"
    ).read_bytes()
