"""Compare in a real browser: baselines are queued and added, and a link reproduces the view."""

import re

import pytest

from tests.analysis.test_compare import compared_run, run_of
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.paths import runs_root

from .conftest import PATIENCE, serve

pytestmark = pytest.mark.browser


def until_text(page, pattern: str, patience: int = PATIENCE) -> None:
    page.wait_for_function(f"/{pattern}/.test(document.body.innerText)", timeout=patience)


def fits(page) -> bool:
    main = "document.querySelector('[data-testid=stMain]')"
    return page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")


def test_queued_baselines_are_added_to_the_comparison_and_the_url_keeps_them(page, own_home):
    few = {"epochs": 1, "batch_size": 20}
    a = compared_run("a", settings=few, n=40, classes=["cat", "fish", "sun"])
    compared_run("b", run_of(a), few | {"method": "entmin"}, n=40, classes=["cat", "fish", "sun"])
    with serve(own_home) as (url, _):
        page.goto(f"{url}/Compare?runs=a,b")
        until_text(page, "Images with different predictions")
        page.get_by_role("button", name="Run baselines").click()
        page.get_by_role("button", name="Queue 1 run").dblclick()
        page.keyboard.press("Escape")
        page.wait_for_url(re.compile(r"runs=.*%2C.*%2C|runs=.*,.*,"))
        # A real run on 40 tiny images: it is shown in progress and added without a click when finished.
        until_text(page, "InfoMax · seed 0|InfoMax\\s+0", 4 * PATIENCE)
        made = [f for f in runs_root().iterdir() if f.name not in ("a", "b")]
        assert len(made) == 1
        assert RunFolder(made[0]).settings == run_of(a).settings.changed(method="infomax")
        second = page.context.new_page()
        second.goto(page.url)
        until_text(second, "InfoMax · seed 0|InfoMax\\s+0")
        second.locator(".ueo-thumb").first.wait_for()
        for width, height in ((1920, 1080), (1024, 768)):
            second.set_viewport_size({"width": width, "height": height})
            second.wait_for_timeout(500)
            assert fits(second), width
