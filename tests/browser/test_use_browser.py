"""Use in a real browser: new images asked about, then everything taken away by a click."""

import csv
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

import ueo_core as core
from tests.deltas import CLASSES, write_delta
from ueo_core.jobs import Job

from .conftest import PATIENCE

pytestmark = pytest.mark.browser


def download(page, name: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name).click()
    return open(waiting.value.path(), "rb").read()


def test_from_a_delta_to_sorted_folders(page, fresh_url, tmp_path, monkeypatch):
    monkeypatch.setenv("UEO_STUDIO_HOME", str(tmp_path))  # the server's
    write_delta(tmp_path / "d.safetensors", "drawings-resnet")
    delta = (tmp_path / "d.safetensors").read_bytes()
    id = core.bring_in(Job("k", "t"), delta)
    g = np.random.default_rng(0)
    (tmp_path / "new").mkdir()
    for i in range(3):
        pixels = g.integers(0, 256, (80, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "new" / f"{i}.png")
    page.goto(f"{fresh_url}/Use?delta={id}")
    page.get_by_role("radio", name="Folder").click(timeout=3 * PATIENCE)  # the server's first page
    page.get_by_text("Drag a folder here").wait_for()
    page.get_by_test_id("stFileUploaderDropzoneInput").last.set_input_files(tmp_path / "new")
    page.locator(".ueo-thumb img").nth(2).wait_for()
    said = core.answers_of(core.brought_in()[id], core.asked(core.brought_in()[id])[0])
    limit = core.brought_in()[id].threshold
    rows = list(csv.reader(io.StringIO(download(page, "Download the CSV").decode(), newline="")))
    assert [tuple(r) for r in rows[1:]] == [tuple(map(str, r)) for r in said.rows(limit)]
    assert download(page, "Download the delta") == delta
    script = download(page, "Download the script").decode()
    assert "open_clip.create_model" in script and "ueo_core" not in script
    page.get_by_role("button", name="Make the zip").click()
    page.get_by_text("0 original files, 3 stored images").wait_for()
    with zipfile.ZipFile(io.BytesIO(download(page, "Download the zip"))) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
    assert folders <= {*CLASSES, "unknown", "predictions.csv"} and len(folders) > 1
