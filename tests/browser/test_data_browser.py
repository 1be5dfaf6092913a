"""Data in a real browser: a folder with very many files."""

import json

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

MANY = 300  # more than are given to the uploader one by one


def folder_of(path, n: int) -> None:
    g = np.random.default_rng(0)
    for i in range(n):
        place = path / f"kind {i % 3}" / f"ä{i:04d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(g.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(place)
    (path / "kind 0" / "empty.png").touch()
    (path / "notes.txt").write_text("not an image", encoding="utf-8")


def choose_folder(page, url: str) -> None:
    page.goto(f"{url}/Data")
    page.get_by_test_id("stButtonGroup").get_by_role("radio", name="Folder").click()
    page.get_by_text("Drag a folder here").wait_for()
    page.wait_for_function("() => window.ueoPack?.listening")  # it may be drawn before it listens


def dataset(home) -> tuple[dict, list[str]]:
    """The only dataset and the names of its images."""
    (path,) = [p for p in (home / "datasets").glob("*.json") if ".labels" not in p.name]
    found = json.loads(path.read_text(encoding="utf-8"))
    manifest = home / "store" / "sets" / f"{found['pool']['set']}.json"
    return found, [
        image["name"] for image in json.loads(manifest.read_text(encoding="utf-8"))["images"]
    ]


def test_a_folder_of_many_files_is_sent_completely_in_one_request(page, fresh_url, tmp_path):
    folder_of(tmp_path / "My pictures", MANY)
    sent = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "PUT" else None)
    choose_folder(page, fresh_url)
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        tmp_path / "My pictures"
    )
    page.get_by_text("Usable images").wait_for()
    values = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert values[:3] == [str(MANY), "2", "0"]  # usable, skipped, duplicates
    assert len(sent) == 1
    found, names = dataset(tmp_path)
    assert found["title"] == "My pictures"
    assert set(names) == {f"kind {i % 3}/ä{i:04d}.png" for i in range(MANY)}
    page.get_by_role("button", name="Use the names of the 3 subfolders").wait_for()


def test_a_dropped_folder_keeps_its_subfolders(page, fresh_url, tmp_path):
    folder_of(tmp_path / "dropped", 6)
    choose_folder(page, fresh_url)
    box = page.get_by_test_id("stFileUploaderDropzone").first.bounding_box()
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send(
            "Input.dispatchDragEvent",
            {
                "type": kind,
                "x": box["x"] + 60,
                "y": box["y"] + 30,
                "data": {
                    "items": [],
                    "files": [str(tmp_path / "dropped")],
                    "dragOperationsMask": 1,
                },
            },
        )
    page.get_by_text("Usable images").wait_for()
    found, names = dataset(tmp_path)
    assert found["title"] == "dropped"
    assert set(names) == {f"kind {i % 3}/ä{i:04d}.png" for i in range(6)}
