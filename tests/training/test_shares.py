"""Rows of a protocol shared out among processes: the same rows, a process that dies, another number."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.torchrun import ROOT, environment, process_of_rank, torchrun
from ueo_core.training.shares import ENDED, shares


@given(st.dictionaries(st.integers(0, 99), st.integers(1, 50)), st.integers(1, 5))
def test_every_piece_is_in_one_share_and_no_share_is_far_dearer(costs, size):
    found = shares(costs, size)
    assert len(found) == size and sorted(i for own in found for i in own) == sorted(costs)
    loads = [sum(costs[i] for i in own) for own in found]
    assert max(loads) - min(loads) <= max(costs.values(), default=0)


def test_the_dearest_piece_is_alone_where_the_others_weigh_less():
    assert shares({0: 1, 1: 9, 2: 2, 3: 3}, 2) == [[1], [0, 2, 3]]


@pytest.fixture
def photos(tmp_path):
    """A folder of three classes and one that is none."""
    g = np.random.default_rng(0)
    for name in ("dog", "cat", "house", "tree"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(5):
            pixels = g.integers(0, 256, (48, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path


def start(folder, tiny_files, processes: int, out: str, epochs: int = 1) -> subprocess.Popen:
    config, weights = tiny_files["vit"]
    options = {
        "--classes": "dog,cat,house",
        "--out": folder / out,
        "--backbone": config,
        "--pretrained": weights,
        "--epochs": epochs,
        "--batch-size": 4,
        "--lr": 0.01,
        "--device": "cpu",
        "--seeds": 2,
        "--methods": "zero-shot,infomax,ueo",
        "--shift": "open-partial",
        "--store": folder / "store",
    }
    pairs = [str(part) for pair in options.items() for part in pair]
    given = [*torchrun(processes), "ueo_core", "protocol", str(folder / "photos"), *pairs, "--json"]
    return subprocess.Popen(
        given,
        cwd=ROOT,
        env=environment(UEO_STUDIO_HOME=str(folder / "home")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(started: subprocess.Popen) -> list[dict]:
    out, told = started.communicate(timeout=300)
    assert started.returncode == 0, told[-2000:]
    answers = [line for line in out.splitlines() if line.startswith("{")]
    assert len(answers) == 1  # the first process alone
    return json.loads(answers[0])["rows"]


def figures(rows: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.long
def test_two_processes_give_the_rows_of_one_also_after_one_of_them_has_died(photos, tiny_files):
    alone = finished(start(photos, tiny_files, 1, "one"))
    assert len(alone) == 6
    assert figures(finished(start(photos, tiny_files, 2, "two"))) == figures(alone)
    table = json.loads((photos / "two" / "table.json").read_text(encoding="utf-8"))
    assert figures(table["rows"]) == figures(alone)

    long = start(photos, tiny_files, 2, "died", epochs=150)
    rows, deadline = photos / "died" / "rows", time.monotonic() + 200
    while not list(rows.glob("*.json")):
        assert time.monotonic() < deadline and long.poll() is None
        time.sleep(0.1)
    os.kill(process_of_rank(long.pid, 1), signal.SIGKILL)
    _, told = long.communicate(timeout=120)
    assert long.returncode != 0 and ENDED in told
    kept = {path.name: path.read_bytes() for path in rows.glob("*.json")}
    assert 0 < len(kept) < 6
    again = start(photos, tiny_files, 1, "died", epochs=150)
    while len(list(rows.glob("*.json"))) == len(kept):
        assert time.monotonic() < deadline + 200 and again.poll() is None, again.communicate()
        time.sleep(0.1)
    again.kill()
    again.communicate()
    assert {name: (rows / name).read_bytes() for name in kept} == kept


@pytest.mark.long
def test_bad_input_is_told_once(photos, tiny_files):
    finished(start(photos, tiny_files, 1, "one"))
    other = start(photos, tiny_files, 2, "one", epochs=2)
    _, told = other.communicate(timeout=200)
    assert other.returncode != 0 and told.count("rows of two must not be mixed") == 1
    assert ENDED not in told
