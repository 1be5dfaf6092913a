"""Watching a run for long does not increase the memory of server and tab. UEO_SOAK_SECONDS=600: ten minutes."""

import os
from pathlib import Path

import pytest

from .conftest import serve
from .live import charts_kept, keep_charts, paused_run, press, until_step

pytestmark = [pytest.mark.browser, pytest.mark.long]
SAMPLES, FEW = 13, 4


def memory(chrome, server: int) -> tuple[float, float, float]:
    """→ resident memory of the server, JavaScript heap of the tab after a collection, both in MB, and
    the number of its DOM nodes"""
    chrome.send("HeapProfiler.collectGarbage")
    found = {m["name"]: m["value"] for m in chrome.send("Performance.getMetrics")["metrics"]}
    pages = int(Path(f"/proc/{server}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, found["JSHeapUsedSize"] / 1e6, found["Nodes"]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system tells no memory here")
@pytest.mark.timeout(1800)
def test_memory_does_not_grow_while_a_run_is_watched(page, own_home):
    seconds = float(os.environ.get("UEO_SOAK_SECONDS", "45"))
    run = paused_run(epochs=20_000 // 4)
    with serve(own_home) as (url, process):
        page.goto(f"{url}/Live?run={run.id}")
        press(page, "Resume")
        until_step(page, 20)  # loaded, and everything drawn a few times
        keep_charts(page)
        chrome = page.context.new_cdp_session(page)
        chrome.send("Performance.enable")
        found = []
        for i in range(SAMPLES):
            if i:
                page.wait_for_timeout(1000 * seconds / (SAMPLES - 1))
            found.append(memory(chrome, process.pid))
            print(f"{i * seconds / (SAMPLES - 1):5.0f} s, server, tab, nodes:", *found[-1])
        assert charts_kept(page)
    # Of some samples the least: while a picture is replaced, its old nodes are there, too.
    first, last = (
        [min(each) for each in zip(*part, strict=True)] for part in (found[:FEW], found[-FEW:])
    )
    server, tab, nodes = (after - before for before, after in zip(first, last, strict=True))
    # The curves reach their largest number of points in the first minutes; then nothing may grow.
    minutes = seconds / 60
    assert server < 40 + 4 * minutes
    assert tab < 10 + 0.5 * minutes
    assert nodes < 0.1 * first[2] + 200
