"""The shell: one manager per process, notices of runs, and what pages import."""

import importlib
import os
import re
import subprocess
import sys
import threading
import time

import pytest

import ui.common
from tests.helpers.pages import ROOT
from tests.helpers.run_folders import write_run
from ueo_core.config.settings import Settings
from ueo_core.runs.create import create_run
from ueo_core.runs.notices import RECENT, mark_seen, notices
from ueo_core.runs.states import STATES
from ui.common import shell
from ui.common.text import markdown

POOL = {"n": 4, "set": "0" * 16, "store": "s", "name": "n", "fingerprint": "f"}


@pytest.fixture(autouse=True)
def ended():
    yield
    shell.shutdown()


def test_a_second_import_and_many_threads_share_one_manager():
    found = []
    threads = [threading.Thread(target=lambda: found.append(shell.manager())) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    kept = sys.modules.pop("ui.common.shell")
    try:
        found.append(importlib.import_module("ui.common.shell").manager())
    finally:
        sys.modules["ui.common.shell"] = ui.common.shell = kept
    assert len({id(m) for m in found}) == 1
    assert getattr(sys.modules["_ueo_studio_process"], "__file__", None) is None


def test_another_home_has_another_manager(monkeypatch, tmp_path):
    first = shell.manager()
    monkeypatch.setenv("UEO_STUDIO_HOME", str(tmp_path / "other"))
    assert shell.manager() is not first
    assert shell.manager().root == tmp_path / "other" / "runs"


def _succeeds(code: str) -> None:
    """Run code in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_first_paint_imports_no_torch():
    """Every module of Start and the shell, as the page imports and uses them."""
    code = (
        "import sys\n"
        "from ueo_core.runs.notices import notices\n"
        "from ueo_core.workspace.dataset import list_datasets\n"
        "from ui.common import shell\n"
        "from ui.start import overview_picture, page\n"
        "notices(shell.manager()); overview_picture.svg('#000000'); list_datasets(); shell.jobs()\n"
        "heavy = {'torch', 'open_clip', 'sklearn', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    _succeeds(code)


@pytest.mark.parametrize(
    "modules",
    [
        "ui.data import header, images, labels, names, report, sources, store",
        "ui.adapt import page, start",
        "ui.live import page, view_options",
        "ui.use import page",
    ],
)
def test_pages_load_without_torch_and_scikit_learn(modules):
    """Every module that the page file imports."""
    code = (
        f"import sys\nfrom {modules}\n"
        "heavy = {'torch', 'open_clip', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    _succeeds(code)


def test_notices_have_state_progress_and_whether_they_were_seen():
    manager = shell.manager()
    folder = create_run(manager.new_path(), Settings(), ["a", "b"], POOL, title="T")
    folder.set_state("finished", step=5, steps=10)
    (notice,) = notices(manager)
    assert (notice.title, notice.state, notice.share) == ("T", "finished", 0.5)
    assert not notice.seen and not notice.under_way
    time.sleep(0.02)
    mark_seen(folder)
    assert notices(manager)[0].seen
    time.sleep(0.02)
    folder.set_state("queued")  # a new state has not been seen yet
    assert not notices(manager)[0].seen and notices(manager)[0].under_way


def test_the_sidebar_shows_the_most_urgent_run_but_not_the_one_on_the_page(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        type(shell.manager()), "_work", lambda self: None
    )  # no worker executes them
    for name, state in (("a", "paused"), ("b", "finished"), ("c", "failed"), ("d", "finished")):
        write_run(name, state=state)
    mark_seen(shell.manager().folder("d"))
    shell.manager().submit(write_run("e", state="queued"))
    for shown in (None, "e", "c"):
        drawn.append([(n.run, n.state) for n in shell._notices(shown)])
    assert drawn[0] == [("e", "queued"), ("c", "failed"), ("a", "paused"), ("b", "finished")]
    assert drawn[1] == drawn[0][1:]
    assert drawn[2] == [drawn[0][0], *drawn[0][2:]]
    assert set(shell._STATES) == set(STATES)


def test_a_browser_is_recognized_under_every_mask_of_its_cookie():
    first, again, other = (
        "2|af09120f|225cb247ff988339791f061094827b5b|1795549917",
        "2|5ff65a28|d2a3fa600f67cb1e89e04e37647d337c|1795549917",
        "2|5ff65a28|d2a3fa600f67cb1e89e04e37647d337d|1795549917",
    )
    assert shell._browser(first) == shell._browser(again) == "8d55a04850919136d616141f3b8b6954"
    assert shell._browser(other) != shell._browser(first)
    for nothing in (None, "", "plain", "2|zz|00|0", "2|00||0", "a|b|c|d|e", "2||00|1"):
        assert shell._browser(nothing) is None


def test_a_damaged_run_hides_no_other():
    manager = shell.manager()
    good = create_run(manager.root / "good", Settings(), ["a", "b"], POOL)
    bad = create_run(manager.root / "bad", Settings(), ["a", "b"], POOL)
    (bad.path / "config.json").write_text("{")
    assert [n.run for n in notices(manager)] == [good.id]
    assert RECENT > 1


def test_untrusted_markdown_is_escaped():
    name = "![x](http://evil.example/a.png) **b** <img src=x> `c` [l](d) # e :smile: $f$ ~g~ 1. | -"
    shown = markdown(name)
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", shown)  # without the escaped characters
    assert not set(bare) & set("![]()*<>`#:$~|_-"), bare
    assert re.sub(r"\\(.)", r"\1", shown) == name
