"""`export`, `report`, and `predict` on a delta file: from a run to what one carries away."""

import csv
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ueo_core.cli.main import main
from ueo_core.utils.paths import ASSETS


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_files):
    """A finished run of the command line and its images. → folder of both"""
    folder = tmp_path_factory.mktemp("made")
    g = np.random.default_rng(0)
    for name in ("dog", "zebra"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(5):
            pixels = g.integers(0, 256, (48, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    config, weights = tiny_files["vit"]
    argv = [
        "adapt",
        folder / "photos",
        "--classes",
        "dog,cat",
        "--out",
        folder / "run",
        "--backbone",
        config,
        "--pretrained",
        weights,
        "--epochs",
        1,
        "--lr",
        0.05,
        "--store",
        folder / "store",
    ]
    assert main([str(a) for a in argv]) == 0
    return folder


@pytest.fixture
def call(made, capsys):
    """Runs a command on the run's store. → exit code, JSON of the last line or None, stderr"""

    def run(*argv):
        stored = [] if argv[0] == "report" else ["--store", made / "store"]
        code = main([str(a) for a in (*argv, *stored, "--json")])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if code == 0 else None, err

    return run


def table(path) -> list[dict]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_delta_predicts_what_its_run_predicts(made, call, tmp_path):
    code, told, _ = call("export", made / "run", "--what", "delta", "--to", tmp_path)
    assert code == 0 and told["to"] == str(tmp_path / "delta.safetensors")
    assert (tmp_path / "delta.safetensors").stat().st_size == told["bytes"]
    for name, model in (("run", made / "run"), ("delta", tmp_path / "delta.safetensors")):
        code, *_ = call("predict", model, made / "photos", "--csv", tmp_path / f"{name}.csv")
        assert code == 0
    assert (tmp_path / "run.csv").read_bytes() == (tmp_path / "delta.csv").read_bytes()
    # The file that the run itself wrote of the same images says the same.
    for a, b in zip(
        table(made / "run" / "predictions.csv"), table(tmp_path / "run.csv"), strict=True
    ):
        assert a["path"] == b["path"] and a["prediction"] == b["prediction"]
        assert float(a["score"]) == pytest.approx(float(b["score"]), abs=1e-6)
    _, scores, _ = call("evaluate", tmp_path / "delta.safetensors", made / "photos")
    _, same, _ = call("evaluate", made / "run", made / "photos")
    # Of a run, what its guard offers is scored as well, where that is another model.
    assert scores == {k: v for k, v in same.items() if k != "guarded"} and scores["n_ood"] == 5


def test_the_csv_and_the_folders_of_the_run(made, call, tmp_path):
    code, told, _ = call("export", made / "run", "--what", "csv", "--to", tmp_path)
    own = made / "run" / "predictions.csv"
    assert code == 0 and Path(told["to"]).read_bytes() == own.read_bytes()
    scores = sorted(float(r["score"]) for r in table(own))
    options = ["--threshold", (scores[3] + scores[4]) / 2, "--originals", made / "photos"]
    code, told, _ = call(
        "export", made / "run", "--what", "folders", "--to", tmp_path / "s.zip", *options
    )
    assert code == 0 and (told["images"], told["unknown"], told["originals"]) == (10, 4, 10)
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        names = archive.namelist()
    assert sum(n.startswith("unknown/") for n in names) == 4 and len(names) == 11


def test_folders_of_other_images_with_a_delta(made, call, tmp_path):
    adapter = made / "run" / "delta.safetensors"
    code, _, err = call("export", adapter, "--what", "csv", "--to", tmp_path / "x.csv")
    assert code == 2 and "--images" in err
    code, told, _ = call(
        "export",
        adapter,
        "--what",
        "folders",
        "--to",
        tmp_path / "out",
        "--images",
        made / "photos" / "zebra",
    )
    assert code == 0 and told["images"] == 5 and told["originals"] == 5
    assert len(list((tmp_path / "out").rglob("*.png"))) == 5


def test_formats_of_other_tools(made, call, tmp_path):
    run, photos = made / "run", made / "photos"
    code, told, _ = call("export", run, "--what", "coco", "--to", tmp_path, "--originals", photos)
    assert code == 0 and told["to"] == str(tmp_path / "coco.zip")
    assert (told["images"], told["originals"], told["failed"]) == (10, 10, [])
    with zipfile.ZipFile(tmp_path / "coco.zip") as archive:
        read = json.loads(archive.read("annotations.json"))
    assert len(read["annotations"]) == 10
    by_path = {i["id"]: i["path"] for i in read["images"]}
    own = {
        r["path"]: (r["prediction"], float(r["confidence"])) for r in table(run / "predictions.csv")
    }
    assert {
        by_path[a["image_id"]]: (a["prediction"], a["score"]) for a in read["annotations"]
    } == own
    code, *_ = call("export", run, "--what", "fiftyone", "--to", tmp_path / "f")
    samples = json.loads((tmp_path / "f" / "samples.json").read_text(encoding="utf-8"))["samples"]
    assert code == 0 and all("embedding" in s for s in samples) and len(samples) == 10
    code, told, _ = call("export", run, "--what", "parquet", "--to", tmp_path)
    assert code == 0 and (tmp_path / "predictions.parquet").read_bytes()[:4] == b"PAR1"
    code, told, _ = call("export", run, "--what", "onnx", "--to", tmp_path / "m.onnx")
    assert code == 0 and (tmp_path / "m.onnx").stat().st_size == told["bytes"] > 0


def test_sidecars_beside_the_photos(made, call, tmp_path):
    shutil.copytree(made / "photos" / "zebra", tmp_path / "zebra")
    (tmp_path / "zebra" / "0.png.xmp").write_text("<another program's/>", encoding="utf-8")
    there = tmp_path / "zebra"
    options = ("--what", "xmp", "--to", there, "--images", there)
    code, told, _ = call("export", made / "run" / "delta.safetensors", *options)
    assert code == 0 and [f["name"] for f in told["failed"]] == ["0.png"]
    assert len(list(there.glob("*.xmp"))) == 5
    assert (there / "0.png.xmp").read_text(encoding="utf-8") == "<another program's/>"


def test_the_snippet_holds_no_path_of_this_machine_and_says_what_it_needs(made, call, tmp_path):
    code, told, _ = call("export", made / "run", "--what", "snippet", "--to", tmp_path / "s.py")
    text = (tmp_path / "s.py").read_text(encoding="utf-8")
    assert code == 0 and str(made) not in text and str(ASSETS) not in text
    assert "delta.safetensors" in text and told["bytes"] == (tmp_path / "s.py").stat().st_size
    compile(text, "s.py", "exec")


def test_the_report_is_one_file(made, call, tmp_path):
    code, told, _ = call("report", made / "run", "--out", tmp_path / "r.html")
    assert code == 0 and told["bytes"] == (tmp_path / "r.html").stat().st_size
    assert "No labels, so improvement cannot be measured" in (tmp_path / "r.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("export", "run", "--what", "delta", "--to", "run/delta.safetensors"), "over itself"),
        (
            ("export", "run", "--what", "delta", "--to", "d", "--threshold", "0.5"),
            "concerns no images",
        ),
        (("export", "run", "--what", "everything", "--to", "d"), "everything"),
        (("export", "photos", "--what", "delta", "--to", "d"), "no run"),
        (("export", "run", "--what", "coco", "--to", "-"), "only csv goes to standard output"),
        (
            ("export", "run", "--what", "onnx", "--to", "d", "--images", "photos"),
            "concerns no images",
        ),
        (("export", "run", "--what", "folders", "--to", "photos/x.png/y.zip"), "cannot be written"),
        (("export", "run", "--what", "csv", "--to", "d.csv", "--threshold", "nan"), "no number"),
        (
            ("predict", "photos/dog/0.png", "photos", "--csv", "p.csv"),
            "not an adapter of UEO Studio",
        ),
        (("predict", "run", "photos", "--csv", "p.csv", "--pretrained", "gone.bin"), "gone.bin"),
        (("export", "run", "--what", "folders", "--to", "s.zip", "--originals", "gone"), "gone"),
        (("report", "photos", "--out", "r.html"), "no run"),
        (("report", "run", "--out", "photos"), "cannot be written"),
    ],
)
def test_bad_input_is_one_sentence(made, call, monkeypatch, argv, words):
    monkeypatch.chdir(made)
    (made / "photos" / "x.png").touch()
    code, _, err = call(*argv)
    assert code == 2 and words in err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err
