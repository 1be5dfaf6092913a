"""What version 1.0.0 wrote still opens: a run folder, its image store, its adapter."""

import csv
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import ueo_core as ueo
from ueo_core.analysis.run_result import read_inspection
from ueo_core.cli.main import main
from ueo_core.report.html import html_report
from ueo_core.runs.folder import RunFolder
from ueo_core.runs.snapshot import read_snapshot

ARCHIVE = Path(__file__).parent / "version_1_0_0" / "run.zip"


@pytest.fixture
def old(tmp_path, own_home):
    """The folder with run/, store/ (also in the home) and test/, paths put right."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    config = tmp_path / "run" / "config.json"
    store = json.dumps(str(tmp_path / "store"))[1:-1]
    config.write_text(config.read_text(encoding="utf-8").replace("STORE", store), encoding="utf-8")
    shutil.copytree(tmp_path / "run", own_home / "runs" / "old")
    return tmp_path


def said(capsys, *words) -> dict:
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def rows(path: Path) -> list[dict]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_folder_opens_with_its_results(old):
    folder = RunFolder.open(old / "run")
    result = json.loads((folder.path / "result.json").read_text(encoding="utf-8"))
    now = read_snapshot(folder)
    assert (now.state, now.step, now.steps) == ("finished", 2, 2) and len(now.series) == 2
    assert folder.settings.lr == 0.6 and folder.checkpoints() == [0, 2]
    opened = read_inspection(folder)
    part = opened.parts["holdout"]
    assert opened.guard["share"] == result["guard"]["share"] == 0.5
    for side, which in (("before", "zero_shot"), ("after", "adapted")):
        found = ueo.evaluate_cosines(
            part.cosines[side], part.truth, opened.classes, opened.logit_scale
        )
        assert found == result["metrics"]["holdout"][which]
    page = html_report(folder)
    assert "fish" in page and "67" in page  # ACC 66.7 after


def test_its_adapter_and_folder_predict_and_score_as_then(old, capsys):
    then = json.loads((old / "run" / "result.json").read_text(encoding="utf-8"))
    found = said(capsys, "evaluate", old / "run", old / "test", "--store", old / "store")
    for which, before in then["metrics"]["holdout"].items():
        for name in ("acc", "auc", "hm", "fpr95"):
            assert found[which][name] == pytest.approx(before[name], abs=0.01), (which, name)
    assert found["recommended"] == found["guarded"]
    model = ueo.UEO.load(old / "run" / "delta.safetensors")
    assert list(model.classes_) == ["star", "house", "key"] and model.settings_.epochs == 1
    scores = model.evaluate(old / "test")
    assert scores["acc"] == pytest.approx(then["metrics"]["holdout"]["adapted"]["acc"])
    for source in ("run", "run/delta.safetensors"):
        said(
            capsys,
            "predict",
            old / source,
            old / "test",
            "--csv",
            old / "p.csv",
            "--store",
            old / "store",
        )
        assert [r["prediction"] for r in rows(old / "p.csv")] == list(
            model.predict(old / "test").label
        )
    words = ("predict", old / "run", old / "test", "--csv", old / "g.csv", "--store", old / "store")
    said(capsys, *words, "--guarded")
    guarded = rows(old / "g.csv")
    said(capsys, *words, "--recommended")
    assert rows(old / "g.csv") == guarded
    recommended = model.predict(old / "test", "recommended")
    np.testing.assert_allclose([float(r["score"]) for r in guarded], recommended.score, atol=1e-6)


def test_it_can_be_trained_longer(old, capsys):
    found = said(capsys, "resume", old / "run", "--epochs", 1)
    assert (found["state"], found["steps"]) == ("finished", 4)
    assert RunFolder.open(old / "run").checkpoints() == [0, 2, 4]


def test_inspect_compare_and_export_read_it(old, capsys):
    assert said(capsys, "inspect", old / "run")
    assert said(capsys, "compare", old / "run", old / "run")
    for what in ("delta", "adapter"):
        to = old / f"{what}.safetensors"
        said(capsys, "export", old / "run", "--what", what, "--to", to)
        assert to.read_bytes() == (old / "run" / "delta.safetensors").read_bytes()
    for what in ("snippet", "script"):
        said(capsys, "export", old / "run", "--what", what, "--to", old / f"{what}.py")
    assert (old / "snippet.py").read_text("utf-8").count("open_clip") > 0
