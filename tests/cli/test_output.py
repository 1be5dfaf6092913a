"""Standard output in other encodings, as a table, and closed early."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_export import made  # noqa: F401
from ueo_core.cli.main import main

ROOT = Path(__file__).parents[2]
SURROUNDINGS = {
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
}


def program(*argv, **env) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "ueo_core", *map(str, argv)],
        capture_output=True,
        cwd=ROOT,
        env=os.environ | env,
    )


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_names_that_stdout_cannot_say(tmp_path, name):
    options = ("--per-class", 1, "--classes", "star", "--size", 40)
    for flags in ((), ("--json",)):
        out = tmp_path / f"λ 椅子 {len(flags)}"
        done = program("drawings", out, *options, *flags, **SURROUNDINGS[name])
        assert done.returncode == 0, done.stderr
        last = done.stdout.decode("ascii").splitlines()[-1]
        # A home of another encoding may give the path with escaped bytes, but never a traceback.
        assert json.loads(last)["images"] == 1 if flags else "1 images in" in last
    if name == "cp1252":
        assert json.loads(last)["out"] == str(out)


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_help_is_said_in_any_encoding(name):
    for argv in (("--help",), ("adapt", "--help")):
        done = program(*argv, **SURROUNDINGS[name])
        assert done.returncode == 0 and b"usage:" in done.stdout and done.stderr == b""


def test_a_closed_pipe_is_a_quiet_end():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "ueo_core", "backbones", "--all"],
            stdout=closed,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("flags", [(), ("--json",), ("--excel",)])
def test_the_table_on_standard_output(made, tmp_path, capfdbinary, flags):  # noqa: F811
    for argv in (
        ("predict", made / "run", made / "photos", "--csv", "-"),
        ("export", made / "run", "--what", "csv", "--to", "-"),
    ):
        capfdbinary.readouterr()
        assert main([str(a) for a in (*argv, "--store", made / "store", *flags)]) == 0
        out, err = capfdbinary.readouterr()
        assert out.startswith("\ufeff".encode()) == ("--excel" in flags)
        lines = out.decode("utf-8-sig").splitlines()
        if "--json" in flags:
            assert json.loads(lines.pop())["images"] == 10
        else:
            assert b"10 images" in err
        rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
        assert [r["path"] for r in rows][:2] == ["dog/0.png", "dog/1.png"] and len(rows) == 10
