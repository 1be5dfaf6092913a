"""`predict --parquet`: what it writes and says, killed in the middle, refused options."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.adapters import write_adapter
from tests.helpers.streams import image_bytes, write_folder, write_tar
from ueo_core.cli.main import main

pq = pytest.importorskip("pyarrow.parquet")
ROOT = Path(__file__).parents[2]


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
