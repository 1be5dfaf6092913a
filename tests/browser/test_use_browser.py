"""Use in a real browser: new images are classified, then everything is downloaded."""

import csv
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.helpers.adapters import CLASSES, write_adapter
from ueo_core.utils.background_jobs import Job
from ueo_core.workspace.imported_adapters import import_adapter, imported_adapters
from ueo_core.workspace.prediction_history import classified_sets, predictions_of

from .conftest import PATIENCE, choose_format

pytestmark = pytest.mark.browser


def download(page, name: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name).click()
    return open(waiting.value.path(), "rb").read()


def test_from_an_adapter_to_sorted_folders(page, fresh_url, tmp_path, monkeypatch):
    monkeypatch.setenv("UEO_STUDIO_HOME", str(tmp_path))  # the server's
    write_adapter(tmp_path / "d.safetensors", "drawings-resnet")
    adapter = (tmp_path / "d.safetensors").read_bytes()
    id = import_adapter(Job("k", "t"), adapter)
    g = np.random.default_rng(0)
    (tmp_path / "new").mkdir()
    for i in range(3):
        pixels = g.integers(0, 256, (80, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "new" / f"{i}.png")
    page.goto(f"{fresh_url}/Use?adapter={id}")
    page.get_by_role("radio", name="Folder").click(timeout=3 * PATIENCE)  # the server's first page
    page.get_by_text("Drag a folder here").wait_for()
    page.locator("input[webkitdirectory]").set_input_files(tmp_path / "new")
    page.locator(".ueo-thumb img").nth(2).wait_for()
    predicted = predictions_of(imported_adapters()[id], classified_sets(imported_adapters()[id])[0])
    limit = imported_adapters()[id].threshold
    rows = list(csv.reader(io.StringIO(download(page, "Download").decode(), newline="")))
    assert [tuple(r) for r in rows[1:]] == [tuple(map(str, r)) for r in predicted.rows(limit)]
    page.get_by_text("For Excel", exact=True).click()
    page.get_by_role("checkbox", name="For Excel").and_(page.locator(":checked")).wait_for()
    marked = download(page, "Download")
    assert marked.startswith("\ufeff".encode()) and marked.decode("utf-8-sig").count("\n") > 2
    choose_format(page, "Adapter (safetensors)")
    assert download(page, "Download") == adapter
    choose_format(page, "Script for plain open_clip")
    page.get_by_text("Save it beside the adapter").wait_for()
    script = download(page, "Download").decode()
    assert "open_clip.create_model" in script and "ueo_core" not in script
    choose_format(page, "Images sorted into class folders")
    page.get_by_role("button", name="Export", exact=True).click()
    page.get_by_text("0 original files, 3 stored images").wait_for()
    with zipfile.ZipFile(io.BytesIO(download(page, "Download (0"))) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
    assert folders <= {*CLASSES, "unknown", "predictions.csv"} and len(folders) > 1
