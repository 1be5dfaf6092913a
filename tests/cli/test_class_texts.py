"""Further names and templates, from the command line to all that a run leaves behind."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ueo_core.cli.main import main
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.run_adapter import adapter_of_run

TEMPLATES = "a photo of a {}.|the {}, seen at night"


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_files):
    """A finished run with further names and two templates. → folder of run and photos"""
    folder = tmp_path_factory.mktemp("texts")
    g = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for i in range(8):
        pixels = g.integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{i}.png")
    assert adapt(folder, tiny_files, "dog: puppy, old_hound; cat", "run", TEMPLATES) == 0
    return folder


def adapt(folder, files, classes: str, out: str, templates: str = "") -> int:
    config, weights = files["vit"]
    argv = ["adapt", folder / "photos", "--classes", classes, "--out", folder / out]
    argv += ["--backbone", config, "--pretrained", weights, "--epochs", 2, "--lr", 1.0]
    argv += ["--store", folder / "store", "--templates", templates, "--device", "cpu", "--json"]
    return main([str(a) for a in argv])


def rows(folder, model) -> list[dict]:
    table = folder / "out.csv"
    argv = ["predict", model, folder / "photos", "--csv", table, "--store", folder / "store"]
    assert main([str(a) for a in argv]) == 0
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_and_its_adapter_tell_the_texts(made):
    assert RunFolder.open(made / "run").config["synonyms"] == {"dog": ["puppy", "old_hound"]}
    about = adapter_of_run(made / "run")
    assert about.synonyms == {"dog": ["puppy", "old_hound"]} and about.classes == ["dog", "cat"]
    assert about.metadata["templates"] == TEMPLATES.split("|")
    assert about.settings.templates == TEMPLATES


def test_predictions_are_those_of_the_run(made):
    own = (made / "run" / "predictions.csv").read_text(encoding="utf-8").splitlines()
    found = rows(made, made / "run" / "delta.safetensors")
    assert [r["score"] for r in found] == [line.split(",")[3] for line in own[1:]]
    assert main(["inspect", str(made / "run"), "--step", "0"]) == 0


def test_the_report_names_them(made):
    assert main(["report", str(made / "run"), "--out", str(made / "report.html")]) == 0
    html = (made / "report.html").read_text(encoding="utf-8")
    assert "dog (puppy, old_hound), cat" in html and "the {}, seen at night" in html


def test_the_script_gives_the_same_predictions(made, tiny_files):
    script = made / "use_adapter.py"
    argv = ["export", str(made / "run"), "--what", "script", "--to", str(script)]
    assert main(argv) == 0
    photos = [str(made / "photos" / f"{i}.png") for i in range(8)]
    done = subprocess.run(
        [sys.executable, "-P", script.name, *photos, "--adapter", made / "run/delta.safetensors"]
        + ["--weights", tiny_files["vit"][1]],
        cwd=made,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    printed = [line.split("\t") for line in done.stdout.splitlines()]
    for line, row in zip(printed, rows(made, made / "run"), strict=True):
        assert line[1] == row["prediction"]
        assert float(line[2]) == pytest.approx(float(row["confidence"]), abs=2e-4)
        assert float(line[3]) == pytest.approx(float(row["score"]), abs=2e-6)


def test_other_texts_are_another_model(made, tiny_files, capsys):
    assert adapt(made, tiny_files, "# mine\ndog\ncat", "plain") == 0
    data = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert data["remarks"] == [
        "Class names: 1 line that begins with # was left out as a note.",
    ]
    one, several = (rows(made, made / name) for name in ("plain", "run"))
    assert [r["score"] for r in one] != [r["score"] for r in several]


@pytest.mark.parametrize(
    ("classes", "templates", "message"),
    [
        ("dog: puppy; cat: puppy", "", "“puppy” is a name of both “dog” and “cat”"),
        ("ﬁsh ﬁnger: x; fish finger", "", "are the same name|are the same text"),
        ("schön: x; schÃ¶n", "", "“schön” and “schÃ¶n” are the same text for"),
        ("dog,cat", "a photo", "Template “a photo”: it has no {}"),
        ("dog: " + "very " * 20 + "old; cat", "", "reads at most 16"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_before_the_run(
    made, tiny_files, capsys, classes, templates, message
):
    assert adapt(made, tiny_files, classes, "never", templates) == 2
    error = capsys.readouterr().err
    assert any(m in error for m in message.split("|")) and len(error.strip().splitlines()) == 1
    assert not (made / "never").exists()
