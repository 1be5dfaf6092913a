"""`predict --parquet`: what it writes and says, killed in the middle, on several processes, refused options."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.adapters import write_adapter
from tests.helpers.streams import image_bytes, write_folder, write_tar
from tests.helpers.torchrun import ROOT, environment, process_of_rank, torchrun
from ueo_core.cli.main import main
from ueo_core.training.shares import ENDED

pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def adapter(tmp_path, tiny_files):
    write_adapter(tmp_path / "d.safetensors", *map(str, tiny_files["vit"]))
    return tmp_path / "d.safetensors"


def predict(*words, code: int = 0) -> None:
    assert main(["predict", *map(str, words)]) == code


def test_the_csv_and_the_parts_are_of_one_mind(adapter, tmp_path, capsys):
    photos = write_folder(tmp_path / "photos", 12)
    store = ("--store", tmp_path / "store")
    predict(adapter, photos, "--csv", tmp_path / "p.csv", "--json", *store)
    plain = json.loads(capsys.readouterr().out.splitlines()[-1])
    out = tmp_path / "out"
    options = ("--top", 2, "--images-per-part", 5, "--processes", 1, "--features", "float16")
    predict(adapter, photos, "--parquet", out, "--json", *options)
    data = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert data["files"] == 14 and data["skipped"] == len(plain["skipped"]) == 2
    assert (data["unknown"], data["threshold"]) == (plain["unknown"], plain["threshold"])
    table = {row["path"]: row for row in pq.read_table(out).to_pylist()}
    lines = (tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()[1:]
    for line in lines:
        name, label, *_ = line.split(",")
        assert table[name]["prediction"] == label
    assert len(lines) == 12 and data["parts"][-1] == "part-00002.parquet"
    predict(adapter, photos, "--parquet", out, *options)
    assert "(14 of them from before)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--csv", "x.csv", "--top", "3"), "--top: it belongs to --parquet"),
        (("--csv", "x.csv", "--precision", "auto"), "--precision: it belongs to --parquet"),
        (("--parquet", "out", "--excel"), "--excel: it belongs to --csv"),
        (("--parquet", "out", "--negatives", "screenshot"), "--negatives: its threshold"),
        (("--parquet", "out", "--top", "0"), "too few"),
        (("--parquet", "out", "--csv", "x.csv"), "not allowed with"),
        ((), "is required"),
    ],
)
def test_options_that_do_not_fit_are_sentences(
    adapter, tmp_path, capsys, monkeypatch, words, reason
):
    monkeypatch.chdir(tmp_path)
    predict(adapter, write_folder(tmp_path / "photos", 2), *words, code=2)
    error = capsys.readouterr().err
    assert reason in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_killed_in_the_middle_it_ends_as_one_that_was_not(adapter, tmp_path):
    members = [(f"{i:04d}.png", image_bytes(i)) for i in range(400)]
    shard = write_tar(tmp_path / "photos.tar", members)
    words = [sys.executable, "-m", "ueo_core", "predict", str(adapter), str(shard)]
    words += ["--images-per-part", "64", "--processes", "1", "--parquet"]

    def start(out: Path) -> subprocess.Popen:
        return subprocess.Popen([*words, str(out)], cwd=ROOT, stdout=subprocess.DEVNULL)

    assert start(tmp_path / "whole").wait(120) == 0
    killed = start(tmp_path / "out")
    while not any((tmp_path / "out").glob("part-*.parquet")) and killed.poll() is None:
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    left = {p.name for p in (tmp_path / "out").glob("part-*.parquet")}
    assert 1 <= len(left) < 7
    assert start(tmp_path / "out").wait(120) == 0
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole").glob("part-*")}
    assert whole == {p.name: p.read_bytes() for p in (tmp_path / "out").glob("part-*")}
    assert len(whole) == 7 and pq.read_table(tmp_path / "out").num_rows == 400


def start(processes: int, *words: object) -> subprocess.Popen:
    given = [
        *torchrun(processes),
        "ueo_core",
        "predict",
        *map(str, words),
        "--device",
        "cpu",
        "--json",
    ]
    return subprocess.Popen(
        given,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(started: subprocess.Popen) -> dict:
    out, told = started.communicate(timeout=300)
    assert started.returncode == 0, told[-2000:]
    (answer,) = [line for line in out.splitlines() if line.startswith("{")]  # the first one alone
    return json.loads(answer)


def parts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*.parquet"))}


@pytest.mark.long
@pytest.mark.parametrize(("kind", "processes"), [("folder", 2), ("tar", 3)])
def test_several_processes_write_the_files_of_one(adapter, tmp_path, kind, processes):
    source = write_folder(tmp_path / "photos", 24)
    if kind == "tar":
        files = sorted(source.rglob("*.png"))
        source = tmp_path / "photos.tar"
        write_tar(source, [(f.name, f.read_bytes()) for f in files])
    words = (adapter, source, "--images-per-part", 4, "--features", "float32", "--parquet")
    alone = finished(start(1, *words, tmp_path / "one"))
    assert len(alone["parts"]) == (7 if kind == "folder" else 6)
    shared = finished(start(processes, *words, tmp_path / "several"))
    for name in ("files", "skipped", "unknown", "parts"):
        assert shared[name] == alone[name]
    assert parts(tmp_path / "several") == parts(tmp_path / "one")
    if kind == "folder":  # a further call has nothing to do
        again = finished(start(processes, *words, tmp_path / "several"))
        assert again["resumed"] == alone["files"]


@pytest.mark.long
def test_parts_are_kept_when_a_process_dies_and_another_number_of_them_goes_on(adapter, tmp_path):
    source, out = tmp_path / "photos.tar", tmp_path / "out"
    write_tar(source, [(f"{i}.png", image_bytes(i)) for i in range(150)])
    words = (adapter, source, "--images-per-part", 1, "--parquet", out)
    running, deadline = start(2, *words), time.monotonic() + 200
    while len(parts(out)) < 4:
        assert time.monotonic() < deadline and running.poll() is None, running.communicate()
        time.sleep(0.05)
    os.kill(process_of_rank(running.pid, 1), signal.SIGKILL)
    _, told = running.communicate(timeout=120)
    assert running.returncode != 0 and told.count(ENDED) == 1
    kept = parts(out)
    assert 0 < len(kept) < 150
    named = len(json.loads((out / "_manifest.json").read_bytes())["parts"])
    done = finished(start(1, *words))
    assert done["files"] == 150 and done["resumed"] == named >= len(kept) - 2
    after = parts(out)
    assert not list(out.glob("part-*.part"))
    assert len(after) == 150 and {name: after[name] for name in kept} == kept


@pytest.mark.long
def test_what_is_wrong_is_told_once(adapter, tmp_path):
    words = (adapter, write_folder(tmp_path / "photos", 4), "--parquet", tmp_path / "out")
    finished(start(1, *words))
    running = start(2, *words, "--top", 1)
    _, told = running.communicate(timeout=200)
    assert running.returncode != 0 and told.count("it was begun with top") == 1
    assert ENDED not in told
