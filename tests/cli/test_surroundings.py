"""Files are read and written as UTF-8, whatever code page or locale surrounds the program."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.helpers.pages import ROOT

# What CPython does on a Windows code page: text files without an encoding are read in it.
AS_ON_WINDOWS = """
import builtins, io
real = io.open
def opened(file, mode="r", buffering=-1, encoding=None, *more, **named):
    if encoding in (None, "locale") and "b" not in mode:
        encoding = "cp1252"
    return real(file, mode, buffering, encoding, *more, **named)
builtins.open = io.open = opened
"""
GIVE = """
import json, sys
from ueo_core.cli.main import main
sys.exit(max(main(words) for words in json.loads(sys.argv[1])))
"""
SURROUNDINGS = {
    "C": {
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
    },
    "cp1252": {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
}


def give(name: str, *commands: tuple) -> list[str]:
    """Give commands in these surroundings, in one process. → the lines of standard output"""
    words = json.dumps([[str(w) for w in command] for command in commands])
    start = (AS_ON_WINDOWS if name == "cp1252" else "") + GIVE
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c", start, words],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **SURROUNDINGS[name], "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr.decode("latin-1")
    own = [w for w in done.stderr.splitlines() if b"EncodingWarning" in w and b"ueo_core" in w]
    assert not own, own
    return done.stdout.decode("cp1252" if name == "cp1252" else "ascii").splitlines()


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_names_survive_from_class_list_to_table_and_report(tmp_path, tiny_files, name):
    classes = ["Löwe", "Bär", "Straße"]
    (tmp_path / "classes.txt").write_text("\n".join(classes), encoding="utf-8")
    g = np.random.default_rng(0)
    for i in range(6):
        path = tmp_path / "photos" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    (tmp_path / "labels.csv").write_text("path,label\n0.png,Löwe\n1.png,椅子\n", encoding="utf-8")
    config, weights = tiny_files["vit"]
    run, store = tmp_path / "run", ("--store", tmp_path / "store")
    model = ("--backbone", config, "--pretrained", weights, "--lr", 0.01, "--epochs", 1)
    names = ("--classes", tmp_path / "classes.txt", "--labels", tmp_path / "labels.csv")
    table, page, script = (tmp_path / n for n in ("p.csv", "r.html", "use.py"))
    said = give(
        name,
        ("adapt", tmp_path / "photos", *names, *model, *store, "--out", run),
        ("inspect", run),
        ("resume", run, "--epochs", 1),
        ("report", run, "--out", page),
        ("export", run, "--what", "script", "--to", script),
        ("predict", run, tmp_path / "photos", "--csv", table, *store, "--json"),
    )
    assert json.loads(said[-1])["images"] == 6
    assert json.loads((run / "config.json").read_bytes())["classes"] == classes
    labels = json.loads((run / "labels.json").read_bytes())["pool"]
    assert labels[:3] == ["Löwe", "椅子", None]
    with open(table, encoding="utf-8", newline="") as file:
        assert {r["prediction"] for r in csv.DictReader(file)} <= {*classes, "unknown"}
    assert "Löwe" in page.read_text(encoding="utf-8") and script.read_text(encoding="utf-8")
