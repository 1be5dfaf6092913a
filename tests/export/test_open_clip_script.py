"""The snippet, run exactly as printed in a process that cannot see this project."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.helpers.adapters import CLASSES, THRESHOLD, write_adapter
from ueo_core.data.store import Store
from ueo_core.export.open_clip_script import open_clip_script
from ueo_core.inference.predict import cosines, load_model
from ueo_core.inference.predictions import Predictions
from ueo_core.runs.run_adapter import adapter_of_run
from ueo_core.utils.paths import store_root

SIZES = ((70, 90), (64, 64), (88, 61))  # below what the store reduces, so that pixels are the same


@pytest.fixture
def photos(tmp_path):
    g = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i, (height, width) in enumerate(SIZES * 2):
        pixels = g.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((width, height)).save(folder / f"{i}.png")
    return folder


def run_as_printed(folder, photos) -> list[list[str]]:
    """The lines that the script prints; -P and the folder keep the project out of its sight."""
    files = sorted(str(p) for p in photos.iterdir())
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "use_delta.py", *files],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def check(folder, photos, backbone, pretrained=None):
    write_adapter(folder / "delta.safetensors", backbone, pretrained)
    adapter_file = adapter_of_run(folder / "delta.safetensors")
    text = open_clip_script(adapter_file)
    assert "ueo_core" not in text
    (folder / "use_delta.py").write_text(text)
    model = load_model(adapter_file, "cpu")
    store = Store(store_root(), model.backbone.store_side)
    images = store.open(store.ingest(photos).set_id)
    said = Predictions(images.names, cosines(model, images), CLASSES, model.logit_scale)
    printed = run_as_printed(folder, photos)
    assert len(printed) == len(images)
    for line, row in zip(printed, said.rows(THRESHOLD), strict=True):
        assert line[0].endswith(row[0]) and line[1] == row[1]
        assert float(line[2]) == pytest.approx(float(row[2]), abs=2e-4)  # times the logit scale
        assert float(line[3]) == pytest.approx(float(row[3]), abs=2e-6)
        if abs(float(row[3]) - THRESHOLD) > 1e-5:
            assert int(line[4]) == row[4]
    assert len(set(said.score)) > 1 and 0 < said.unknown(float(np.median(said.score))).sum() < 6


@pytest.mark.parametrize("name", ["drawings-resnet", "drawings-vit"])
def test_of_a_teaching_model(name, tmp_path, photos):
    check(tmp_path, photos, name)


def test_of_a_model_from_a_config_file(tmp_path, photos, tiny_files):
    config, weights = tiny_files["vit"]
    for path in (*photos.iterdir(),):  # a 32-pixel model keeps 52
        Image.open(path).resize((50, 44)).save(path)
    check(tmp_path, photos, str(config), str(weights))


def test_of_a_named_open_clip_model(tmp_path, photos, real_checkpoint):
    check(tmp_path, photos, "ViT-S-32-alt", str(real_checkpoint("ViT-S-32-alt")))


def test_a_title_cannot_end_the_comment_it_stands_in(tmp_path, tiny_files):
    config, weights = tiny_files["vit"]
    title = '"""\nimport os; os.abort()\n\\"""'
    write_adapter(tmp_path / "d.safetensors", str(config), str(weights), title=title)
    text = open_clip_script(adapter_of_run(tmp_path / "d.safetensors"), adapter='a"b\\.safetensors')
    names = compile(text, "snippet", "exec").co_names
    assert "os" not in names and "abort" not in names and 'a"b\\\\.safetensors' in text
