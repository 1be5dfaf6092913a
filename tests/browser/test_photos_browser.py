"""Photos in a real browser: from a folder to sorted photos, without leaving the page."""

import re
import shutil
import zipfile
from pathlib import Path

import pytest

from .conftest import PATIENCE, choose_format, serve

pytestmark = pytest.mark.browser
SHARED = Path(__file__).resolve().parents[3] / "shared"
CLASSES = ("camera", "chair", "laptop", "pizza", "sunflower")
PER_CLASS = 8


def groups(page) -> dict[str, int]:
    """The size of every group of the wall."""
    titles = page.locator(".wall h4").all_inner_texts()
    return {title.rpartition(" ")[0]: int(title.rpartition(" ")[2]) for title in titles}


def test_the_sample_on_the_wall(page, fresh_url):
    page.goto(f"{fresh_url}/Photos")
    page.get_by_role("button", name="Draw the built-in sample").click(timeout=3 * PATIENCE)
    page.locator(".wall h4.unknown").wait_for(timeout=3 * PATIENCE)
    photos = page.locator(".photo")
    assert photos.count() == sum(groups(page).values()) == 288
    assert photos.first.locator("img").get_attribute("src").startswith("data:image/jpeg")
    before = groups(page)["unknown"]
    page.get_by_role("slider", name="Threshold between unknown and known").press("End")
    assert groups(page)["unknown"] > before
    page.get_by_role("button", name="Back to the unsupervised threshold").click()
    assert groups(page)["unknown"] == before
    # Fewer names: the photos find other groups.
    page.get_by_role("textbox", name="Class names").fill("apple\nboat")
    page.get_by_role("button", name="Show predictions").click()
    page.get_by_text("butterfly").wait_for(state="detached")
    page.locator(".wall h4.unknown").wait_for()
    assert set(groups(page)) == {"apple", "boat", "unknown"} and sum(groups(page).values()) == 288
    photos.first.click()
    page.get_by_text("Zero-shot: ").wait_for()


@pytest.mark.long
def test_from_a_folder_to_the_result_with_a_model_of_ones_own(page, browser, tmp_path):
    caltech, model = SHARED / "data" / "caltech", SHARED / "models" / "standin"
    if not caltech.is_dir() or not model.is_dir():
        pytest.skip("the shared photos or the stand-in model are not here")
    for name in (*CLASSES, "ant", "crab"):
        (tmp_path / "pile" / name).mkdir(parents=True)
        for file in sorted((caltech / name).iterdir())[:PER_CLASS]:
            shutil.copy(file, tmp_path / "pile" / name)
    with serve(tmp_path) as (url, _):
        page.goto(f"{url}/Photos")
        page.get_by_text("Drag a folder here").wait_for(timeout=3 * PATIENCE)
        page.locator("input[webkitdirectory]").set_input_files(tmp_path / "pile")
        page.locator(".photo").nth(7 * PER_CLASS - 1).wait_for()
        assert groups(page) == {"Photos": 7 * PER_CLASS}
        page.get_by_role("textbox", name="Class names").fill("\n".join(CLASSES))
        page.get_by_role("button", name="Show predictions").click()
        page.get_by_role("radio", name="My own model").click()
        page.get_by_role("textbox", name="Config or folder of the model").fill(
            str(next(model.glob("*.json")))
        )
        page.get_by_role("textbox", name="Config or folder of the model").press("Enter")
        page.get_by_role("textbox", name="Checkpoint").fill(str(next(model.glob("*.safetensors"))))
        page.get_by_role("textbox", name="Checkpoint").press("Enter")
        page.get_by_text("Model: standin-mnv2-256").wait_for()
        page.locator(".wall h4.unknown").wait_for(timeout=3 * PATIENCE)
        assert sum(groups(page).values()) == 7 * PER_CLASS
        page.get_by_text("Model: standin-mnv2-256").click()
        page.get_by_role("spinbutton", name="Epochs").fill("2")
        page.get_by_role("spinbutton", name="Epochs").press("Enter")
        page.get_by_role("button", name="Adapt", exact=True).click()
        page.get_by_text("Export and film", exact=True).wait_for(timeout=10 * PATIENCE)
        assert sum(groups(page).values()) == 7 * PER_CLASS
        page.get_by_text("Export and film", exact=True).click()
        choose_format(page, "Images sorted into class folders")
        page.get_by_role("button", name="Export", exact=True).click()
        with page.expect_download() as waiting:
            page.get_by_role("button", name=re.compile(r"Download \(")).click()
        with zipfile.ZipFile(waiting.value.path()) as found:
            sorted_into = [name.split("/")[0] for name in found.namelist() if name.endswith(".jpg")]
        counts = {name: sorted_into.count(name) for name in sorted_into}
        assert counts == {name: n for name, n in groups(page).items() if n}
        assert page.url.startswith(f"{url}/Photos")
