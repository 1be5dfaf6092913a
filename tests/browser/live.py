"""Shared by the browser tests of the Live page: a run to control, and functions that wait for it."""

from ueo_core.config.settings import Settings
from ueo_core.data.store import Store
from ueo_core.drawings import sample
from ueo_core.runs.create import create_run, reference
from ueo_core.runs.folder import RunFolder
from ueo_core.utils.paths import runs_root, store_root

from .conftest import PATIENCE

STEP = "() => Number((document.body.innerText.match(/step ([\\d,]+) of/) || [0, '0'])[1].replaceAll(',', ''))"
CHARTS = "[...document.querySelectorAll('[class*=st-key-live] canvas')]"


def paused_run(epochs: int = 2000) -> RunFolder:
    """A paused run on a small built-in problem; by default it does not finish within a test."""
    problem = sample.problem(seed=11)
    store, files = Store(store_root(), 105), {"pool": [], "test": []}
    for part, name, png in problem.files():
        if len(files[part]) < 120:
            files[part].append((name, png))
    sets = {k: store.open(store.ingest_files(v, name=k).set_id) for k, v in files.items()}
    folder = create_run(
        runs_root() / "run",
        Settings.for_backbone("drawings-resnet", epochs=epochs, batch_size=30, device="cpu"),
        list(problem.classes),
        reference(store, sets["pool"]),
        holdout=reference(store, sets["test"]),
        holdout_labels=[name.split("/")[0] for name in sets["test"].names],
    )
    # One thread, so that the server and the command line give the same result on any machine.
    folder.set_state("paused", reason="Ready.", threads=1)
    return folder


def press(page, label: str) -> None:
    """Press a button as soon as it can be pressed."""
    page.get_by_role("button", name=label).and_(page.locator(":enabled")).first.click()


def until_step(page, least: int) -> int:
    """Wait for a step. → the step shown then, which may be a later one"""
    page.wait_for_function(f"({STEP})() >= {least}", timeout=PATIENCE)
    return page.evaluate(STEP)


def until_text(page, pattern: str) -> None:
    page.wait_for_function(f"/{pattern}/.test(document.body.innerText)", timeout=PATIENCE)


def keep_charts(page) -> None:
    """Remember the page's charts; see `charts_kept`."""
    page.wait_for_function(f"{CHARTS}.length >= 5", timeout=PATIENCE)
    page.evaluate(f"window.kept = {CHARTS}")


def charts_kept(page) -> bool:
    """Whether all the charts remembered are still the same elements."""
    return page.evaluate("window.kept.every((canvas) => canvas.isConnected)")


def until_ticks(page, count: int) -> None:
    """Wait until the step counter has changed so many times; each time, the charts were drawn again."""
    page.evaluate(
        f"""() => {{
          window.moves = 0; window.last = ({STEP})(); clearInterval(window.counting);
          window.counting = setInterval(() => {{
            const step = ({STEP})();
            if (step !== window.last) {{ window.last = step; window.moves += 1; }}
          }}, 100);
        }}"""
    )
    page.wait_for_function(f"window.moves >= {count}", timeout=2 * PATIENCE)
