"""The script for plain open_clip, run as exported in a process that cannot import this project."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.adapters import CLASSES, THRESHOLD, write_adapter
from tests.helpers.model_families import shrunk, write_model
from tests.helpers.wide_gamut import PROFILES, save_wide
from ueo_core.data.store import Store
from ueo_core.export.open_clip_script import open_clip_script, weights_file
from ueo_core.inference.predict import cosines, load_model
from ueo_core.inference.predictions import Predictions
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.utils.paths import store_root

SIZES = ((70, 90), (64, 64), (88, 61))  # the store does not reduce them, so pixels are the same
ORIENTATION = 0x0112  # EXIF


@pytest.fixture
def photos(tmp_path):
    g = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, (height, width) in enumerate(SIZES * 2):
        pixels = g.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((width, height)).save(folder / f"{i}.png")
    return folder


def run_script(folder, photos) -> list[list[str]]:
    """The lines that the script prints; with -P and in this folder it cannot import the project."""
    files = sorted(str(p) for p in photos.iterdir())
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-P", str(folder / "use_delta.py"), *files],
        cwd=photos,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def check(folder, photos, backbone, pretrained=None, **changes) -> Predictions:
    """Compare the predictions of the script with the studio's. → the studio's"""
    write_adapter(folder / "delta.safetensors", backbone, pretrained, **changes)
    adapter_file = adapter_of_run(folder / "delta.safetensors")
    text = open_clip_script(adapter_file)
    assert "ueo_core" not in text
    for path in (folder, Path(__file__).parents[2], store_root()):
        assert str(path) not in text  # no path of the machine that made it
    shutil.copyfile(weights_file(adapter_file), folder / weights_file(adapter_file).name)
    (folder / "use_delta.py").write_text(text, encoding="utf-8")
    model = load_model(adapter_file, "cpu")
    store = Store(store_root(), model.backbone.store_side, adapter_file.srgb)
    images = store.open(store.ingest(photos).set_id)
    predicted = Predictions(images.names, cosines(model, images), CLASSES, model.logit_scale)
    printed = run_script(folder, photos)
    assert len(printed) == len(images)
    for line, row in zip(printed, predicted.rows(THRESHOLD), strict=True):
        assert line[0].endswith(row[0]) and line[1] == row[1]
        assert float(line[2]) == pytest.approx(float(row[2]), abs=2e-4)  # times the logit scale
        assert float(line[3]) == pytest.approx(float(row[3]), abs=2e-6)
        if abs(float(row[3]) - THRESHOLD) > 1e-5:
            assert int(line[4]) == row[4]
    return predicted


def check_different_scores(predicted) -> None:
    assert len(set(predicted.score)) > 1
    assert 0 < predicted.unknown(float(np.median(predicted.score))).sum() < len(predicted)


@pytest.mark.parametrize("name", ["drawings-resnet", "drawings-vit"])
def test_of_a_teaching_model(name, tmp_path, photos):
    check_different_scores(check(tmp_path, photos, name))


def test_the_script_applies_exif_orientation(tmp_path, photos):
    for path in list(photos.iterdir()):  # a copy with the tag and one without it
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        with Image.open(path) as image:
            image.load()
        image.save(path, exif=exif)
        image.save(path.with_name(f"untagged {path.name}"))
    predicted = check(tmp_path, photos, "drawings-resnet")
    by_name = dict(zip(predicted.names, predicted.score, strict=True))
    # The tag makes a difference, so the script had to read it.
    assert all(abs(by_name[f"{i}.png"] - by_name[f"untagged {i}.png"]) > 2e-5 for i in range(6))


@pytest.mark.parametrize("srgb", [False, True])
def test_the_script_reads_colors_as_the_model_did(tmp_path, photos, srgb):
    for name in ("0.png", "1.png", "2.png"):
        save_wide(Image.open(photos / name), photos / f"wide {name}")
    with Image.open(photos / "3.png") as image:
        image.load()
    image.save(photos / "3.png", icc_profile=b"damaged")
    image.save(photos / "4.png", icc_profile=PROFILES["sRGB"])
    predicted = check(tmp_path, photos, "drawings-resnet", srgb=srgb)
    by_name = dict(zip(predicted.names, predicted.score, strict=True))
    assert by_name["3.png"] == by_name["4.png"]
    moved = max(abs(by_name[f"{i}.png"] - by_name[f"wide {i}.png"]) for i in range(3))
    assert moved < 5e-4 if srgb else moved > 2e-3


def reduce(photos) -> None:
    """To what the store keeps for a 32-pixel model: 52 pixels."""
    for path in (*photos.iterdir(),):
        Image.open(path).resize((50, 44)).save(path)


def test_of_a_model_from_a_config_file(tmp_path, photos, tiny_files):
    config, weights = tiny_files["vit"]
    reduce(photos)
    check_different_scores(check(tmp_path, photos, str(config), str(weights)))


def test_of_a_captioning_model(tmp_path, photos):
    """Its features are normalized unless told not to be, and its texts end with a class token."""
    config, weights = write_model(tmp_path / "model", shrunk("coca_ViT-B-32"))
    reduce(photos)
    check_different_scores(check(tmp_path, photos, str(config), str(weights)))


@pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
@pytest.mark.parametrize("name", ["mt5-base-ViT-B-32", "roberta-ViT-B-32"])
def test_of_an_encoder_of_hugging_face(name, tmp_path, photos):
    cfg = shrunk(name)
    config, weights = write_model(tmp_path / "model", cfg)
    # The script reads the files where the config says that they are.
    cfg["text_cfg"] |= {"hf_tokenizer_name": str(tmp_path / "model")}
    cfg["text_cfg"] |= {"hf_model_name": str(tmp_path / "model" / "text")}
    config.write_text(json.dumps(cfg), encoding="utf-8")
    reduce(photos)
    check_different_scores(check(tmp_path, photos, str(config), str(weights)))


def test_of_a_named_open_clip_model(tmp_path, photos, real_checkpoint):
    checkpoint = real_checkpoint("ViT-S-32-alt")
    check_different_scores(check(tmp_path, photos, "ViT-S-32-alt", str(checkpoint)))


def test_a_title_cannot_end_the_docstring_of_the_script(tmp_path, tiny_files):
    config, weights = tiny_files["vit"]
    title = '"""\nimport os; os.abort()\n\\"""'
    write_adapter(tmp_path / "d.safetensors", str(config), str(weights), title=title)
    text = open_clip_script(adapter_of_run(tmp_path / "d.safetensors"), adapter='a"b\\.safetensors')
    names = compile(text, "script", "exec").co_names
    assert "os" not in names and "abort" not in names and 'a"b\\\\.safetensors' in text


def test_missing_files_are_named_and_options_name_others(tmp_path, photos, tiny_files):
    config, weights = tiny_files["vit"]
    write_adapter(tmp_path / "mine.safetensors", str(config), str(weights))
    text = open_clip_script(adapter_of_run(tmp_path / "mine.safetensors"))
    script = tmp_path / "apart" / "use.py"
    script.parent.mkdir()
    script.write_text(text, encoding="utf-8")

    def run(*options):
        command = [sys.executable, "-P", str(script), *options, str(photos / "0.png")]
        return subprocess.run(command, capture_output=True, text=True)

    done = run()
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert str(script.parent / "delta.safetensors") in done.stderr and "no such file" in done.stderr
    done = run("--adapter", str(tmp_path / "mine.safetensors"), "--weights", str(weights))
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1, done.stderr
