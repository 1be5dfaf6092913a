"""The command line as scripts use it: JSON on the last line, exit codes, one sentence."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from tests.helpers.wide_gamut import save_wide
from ueo_core.cli.main import main
from ueo_core.data.store import Store
from ueo_core.evaluation.thresholds import mixture_threshold
from ueo_core.inference.predict import cosines, load_model
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.utils.paths import store_root

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Class-per-folder images with two images of no class, a hidden file and a text file."""
    folder = tmp_path_factory.mktemp("photos")
    g = np.random.default_rng(0)
    for name in ("dog", "cat", "house", "zebra", "tree"):
        (folder / name).mkdir()
        for i in range(4):
            Image.fromarray(g.integers(0, 256, (48, 40, 3), dtype=np.uint8)).save(
                folder / name / f"{i}.png"
            )
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "dog" / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def run(capsys):
    """Runs a command in this process. → exit code, JSON of the last line or None, stderr"""

    def call(*argv):
        code = main([str(a) for a in argv])
        out, err = capsys.readouterr()
        return (
            code,
            json.loads(out.splitlines()[-1]) if code == 0 and "--json" in argv else None,
            err,
        )

    return call


def adapt_options(tiny_files, out, kind="vit", **changes):
    config, weights = tiny_files[kind]
    options = {
        "--classes": "dog,cat,house",
        "--out": out,
        "--backbone": config,
        "--pretrained": weights,
        "--epochs": 1,
        "--batch-size": 8,
        "--lr": 0.01,
        "--device": "cpu",
    } | changes
    return [part for pair in options.items() for part in pair]


def test_adapt_evaluate_predict_from_end_to_end(run, photos, tiny_files, tmp_path):
    code, made, _ = run("adapt", photos, *adapt_options(tiny_files, tmp_path / "run"), "--json")
    assert code == 0
    assert {
        "run",
        "state",
        "steps",
        "seconds",
        "images_per_second",
        "peak_memory_mb",
        "images",
        "skipped",
    } <= set(made)
    assert (made["state"], made["steps"], made["images"], made["skipped"]) == ("finished", 3, 20, 2)

    code, scores, _ = run("evaluate", tmp_path / "run", photos, "--json")
    assert code == 0 and (scores["n_id"], scores["n_ood"], scores["score"]) == (12, 8, "mcm")
    for which in ("zero_shot", "adapted"):
        assert {"acc", "auc", "hm", "fpr95", "per_class"} <= set(scores[which])
        assert set(scores[which]["per_class"]) == {"dog", "cat", "house"}

    code, told, _ = run("predict", tmp_path / "run", photos, "--csv", tmp_path / "p.csv", "--json")
    with open(tmp_path / "p.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert code == 0 and len(rows) == told["images"] == 20
    assert sum(int(r["unknown"]) for r in rows) == told["unknown"]
    assert all(int(r["unknown"]) == (float(r["score"]) < told["threshold"]) for r in rows)
    # The table and `evaluate` must tell the same: accuracy and AUC recomputed from the CSV.
    folder = [Path(r["path"]).parts[0] for r in rows]
    known = [f in ("dog", "cat", "house") for f in folder]
    recall = [
        np.mean([r["prediction"] == c for r, f in zip(rows, folder, strict=True) if f == c])
        for c in ("dog", "cat", "house")
    ]
    assert 100 * np.mean(recall) == pytest.approx(scores["adapted"]["acc"])
    assert 100 * roc_auc_score(known, [float(r["score"]) for r in rows]) == pytest.approx(
        scores["adapted"]["auc"], abs=0.5
    )


def test_images_of_a_model_made_with_converted_colors_are_converted(run, tiny_files, tmp_path):
    folder = tmp_path / "wide"
    folder.mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        save_wide(Image.fromarray(pixels).resize((48, 40)), folder / f"{i}.png")
    scores = {}
    for name, more in (("plain", []), ("srgb", ["--srgb"])):
        out = tmp_path / name
        adapted = run("adapt", folder, *adapt_options(tiny_files, out), *more, "--json")
        assert adapted[0] == 0
        adapter_file = adapter_of_run(out)
        assert adapter_file.srgb is (name == "srgb")
        assert run("predict", out, folder, "--csv", tmp_path / "p.csv", "--json")[0] == 0
        model = load_model(adapter_file)
        store = Store(store_root(), model.backbone.store_side, adapter_file.srgb)
        expected = cosines(model, store.open(store.ingest(folder).set_id))
        with open(tmp_path / "p.csv", encoding="utf-8") as file:
            scores[name] = [float(r["score"]) for r in csv.DictReader(file)]
        mcm = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
        assert scores[name] == pytest.approx(mcm.max(1).tolist(), abs=1e-6)
    code, report, _ = run("ingest", folder, "--short-side", "52", "--srgb", "--json")
    assert code == 0 and report["srgb"] and report["decoded"] == 0  # as `adapt` has stored them


def test_negative_words_make_neglabel_of_the_score(run, photos, tiny_files, tmp_path):
    run("adapt", photos, *adapt_options(tiny_files, tmp_path / "run"))
    predict = ("predict", tmp_path / "run", photos, "--csv", tmp_path / "p.csv", "--json")
    code, told, _ = run(*predict, "--negatives", "screenshot, document")
    with open(tmp_path / "p.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert code == 0 and (told["score"], told["negatives"]) == (
        "neglabel",
        ["screenshot", "document"],
    )
    model = load_model(adapter_of_run(tmp_path / "run"))
    text = torch.cat([model.encode_text(), model.encode_words(["screenshot", "document"])])
    store = Store(store_root(), model.backbone.store_side)
    images = store.open(store.ingest(photos).set_id)
    z = np.exp(model.logit_scale * cosines(model, images, text=text).astype(np.float64))
    expected = dict(zip(images.names, z[:, :3].sum(1) / z.sum(1), strict=True))
    assert {r["path"]: float(r["score"]) for r in rows} == pytest.approx(expected, abs=1e-5)
    assert told["threshold"] == pytest.approx(mixture_threshold(list(expected.values())), abs=1e-3)
    _, given, _ = run(*predict, "--negatives", "screenshot", "--threshold", 0.25)
    assert given["threshold"] == 0.25
    _, mined, _ = run(*predict, "--negatives", "common-nouns")
    assert len(mined["negatives"]) > 50 and "dog" not in mined["negatives"]
    code, _, said = run(*predict, "--negatives", "screenshot, dog")
    assert code == 2 and said.startswith("Negative words: “dog” is the same text as “dog”")


def test_evaluate_without_unknown_images_gives_null(run, photos, tiny_files, tmp_path):
    run("adapt", photos, *adapt_options(tiny_files, tmp_path / "run", "resnet"))
    only = tmp_path / "only"
    for name in ("dog", "cat"):
        (only / name).mkdir(parents=True)
        for i in range(2):
            (only / name / f"{i}.png").write_bytes((photos / name / f"{i}.png").read_bytes())
    _, scores, _ = run("evaluate", tmp_path / "run", only, "--json")
    assert scores["adapted"]["auc"] is None and scores["adapted"]["hm"] is None
    assert scores["adapted"]["acc"] is not None and scores["n_ood"] == 0


def test_zero_shot_does_not_depend_on_the_run(run, photos, tiny_files, tmp_path):
    run("adapt", photos, *adapt_options(tiny_files, tmp_path / "a"))
    run("adapt", photos, *adapt_options(tiny_files, tmp_path / "b", **{"--lr": 0.05}))
    (_, a, _), (_, b, _) = (run("evaluate", tmp_path / n, photos, "--json") for n in "ab")
    assert a["zero_shot"] == b["zero_shot"]


def test_ingest_reports(run, photos):
    code, report, _ = run("ingest", photos, "--json")
    assert code == 0 and report["usable"] == 20 and report["duplicates"] == 0
    assert report["classes"] == dict.fromkeys(("dog", "cat", "house", "zebra", "tree"), 4)
    assert {s["name"] for s in report["skipped"]} == {".hidden.png", "dog/notes.txt"}
    assert all(s["reason"] for s in report["skipped"])


def test_drawings_and_sample(run, tmp_path):
    code, made, _ = run(
        "drawings",
        tmp_path / "d",
        "--domain",
        "sketch",
        "--per-class",
        2,
        "--classes",
        "cat,star",
        "--size",
        40,
        "--json",
    )
    assert code == 0 and made["images"] == 4
    assert len(list((tmp_path / "d").glob("*/*.png"))) == 4
    code, made, _ = run("backbones", "--json")
    assert {"name", "pretrained", "available"} <= set(made["backbones"][0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--classes": ""}, "name"),
        ({"--classes": "dog"}, "only one name"),
        ({"--classes": "dog,cat,Dog"}, "dog"),
        ({"--classes": "dog," + "very " * 40 + "long name"}, "tokens"),
        ({"--backbone": "ViT-Z"}, "ViT-Z"),
        ({"--epochs": 0}, "Epochs: 0 is out of range"),
        ({"--epochs": "many"}, "many"),
        ({"--method": "magic"}, "magic"),
        ({"--lr": "nan"}, "Learning rate (lr): nan"),
        ({"--bogus": 1}, "bogus"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(run, photos, tiny_files, tmp_path, changes, message):
    code, _, err = run("adapt", photos, *adapt_options(tiny_files, tmp_path / "run", **changes))
    assert code == 2 and message in err
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_bad_sources_are_one_sentence(run, tiny_files, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    (tmp_path / "file.doc").write_text("x")
    for source in ("empty", "texts", "missing", "file.doc"):
        code, _, err = run("adapt", tmp_path / source, *adapt_options(tiny_files, tmp_path / "run"))
        assert code == 2 and source in err and len(err.strip().splitlines()) == 1


def test_a_checkpoint_that_does_not_match(run, photos, tiny_files, tmp_path):
    options = adapt_options(
        tiny_files, tmp_path / "run", **{"--pretrained": tiny_files["resnet"][1]}
    )
    code, _, err = run("adapt", photos, *options)
    assert code == 2 and "does not fit" in err and len(err.strip().splitlines()) == 1


def test_commands_on_what_is_no_run(run, photos, tmp_path):
    for argv in (
        ["resume"],
        ["evaluate", photos],
        ["predict", photos, "--csv", tmp_path / "x.csv"],
    ):
        code, _, err = run(argv[0], tmp_path / "none", *argv[1:])
        assert code == 2 and "no run" in err


def test_an_existing_run_is_not_overwritten_and_a_finished_one_not_resumed(
    run, photos, tiny_files, tmp_path
):
    options = adapt_options(tiny_files, tmp_path / "run")
    assert run("adapt", photos, *options)[0] == 0
    before = (tmp_path / "run" / "delta.safetensors").read_bytes()
    assert run("adapt", photos, *options)[0] == 2
    assert run("resume", tmp_path / "run")[0] == 2
    assert (tmp_path / "run" / "delta.safetensors").read_bytes() == before


def test_as_a_program_with_a_broken_option():
    done = subprocess.run(
        [sys.executable, "-m", "ueo_core", "nonsense"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.strip().splitlines()) == 1


def test_every_command_has_help_and_a_function():
    from ueo_core.cli.main import MODULES, command
    from ueo_core.cli.parser import build

    (choices,) = [a.choices for a in build()._actions if a.dest == "command"]
    assert len(choices) == 19 and set(MODULES) <= set(choices)
    for name in choices:
        assert callable(command(name))
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0


def test_a_finished_run_is_trained_on(run, photos, tiny_files, tmp_path):
    run("adapt", photos, *adapt_options(tiny_files, tmp_path / "run"))
    code, made, _ = run("resume", tmp_path / "run", "--epochs", 2, "--json")
    assert code == 0 and (made["state"], made["steps"]) == ("finished", 3 + 6)
    code, _, told = run("resume", tmp_path / "run", "--epochs", 0)
    assert code == 2 and "Further epochs: 0 is out of range" in told
    state = json.loads((tmp_path / "run" / "state.json").read_text(encoding="utf-8"))
    assert (state["state"], state["step"], state["extensions"]) == ("finished", 9, [[3, 2]])


def test_a_large_pool_is_sampled_and_says_so(run, photos, tiny_files, tmp_path):
    options = adapt_options(tiny_files, tmp_path / "run", **{"--most-images": 9})
    code, made, err = run("adapt", photos, *options, "--json")
    assert code == 0 and made["images"] == 9 and "9 of 20 images" in err
    config = json.loads((tmp_path / "run" / "config.json").read_bytes())
    assert config["pool"]["n"] == 9 and config["pool"]["sample"] == made["sample"]
    assert made["sample"]["usable"] == 20
    code, _, _ = run("report", tmp_path / "run", "--out", tmp_path / "r.html")
    assert code == 0
    assert "a sample of 20 images" in (tmp_path / "r.html").read_text(encoding="utf-8")
    code, _, err = run(
        "adapt", photos, *adapt_options(tiny_files, tmp_path / "b", **{"--most-images": 1})
    )
    assert code == 2 and "give 2 or more" in err
