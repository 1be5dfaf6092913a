"""Many viewers of a run in progress: memory and threads of the server, and how long a refresh takes.

    python -m tests.helpers.load --refreshes 200 --viewers 25 --seconds 600 → one JSON object

The server is the app; its viewers are those of `ui.load`, which measures how long their ticks take and what
they cost the training.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from tests.browser.conftest import free_port
from tests.browser.live import paused_run
from tests.helpers.pages import ROOT
from ui.load.viewers import Measured, watch

SERVE = """
import sys
from streamlit.web import cli
from ui.common import shell
shell.manager().act(sys.argv[1], "resume")
cli.main(["run", "app.py", "--server.headless=true", f"--server.port={sys.argv[2]}"])
"""


def figures(pid: int) -> dict[str, float]:
    """Resident memory in MB and the number of threads of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return {"mb": round(mb), "threads": len(list(Path(f"/proc/{pid}/task").iterdir()))}


def measure(port: int, pid: int, run: str, refreshes: int, viewers: int, seconds: float) -> dict:
    def watched(count: int, lasting: float) -> Measured:
        found = asyncio.run(watch(f"http://localhost:{port}", "Live", f"run={run}", count, lasting))
        assert not found.failures, found.failures
        return found

    def refresh() -> float:
        """Open the page as a new session, and close it. → seconds until it is drawn"""
        return watched(1, 0).opened[0]

    first = [refresh() for _ in range(10)]  # loads what a page needs once
    found: dict = {"warm": figures(pid), "first": round(first[0], 2)}
    took = [refresh() for _ in range(refreshes)]
    found["refreshed"] = figures(pid)
    found["refresh_seconds"] = [round(float(np.percentile(took, q)), 3) for q in (50, 95, 100)]
    found["watched"] = []
    watching = threading.Thread(target=watched, args=(viewers, seconds))
    watching.start()
    while watching.is_alive():
        watching.join(max(0.1, seconds / 5))
        found["watched"].append(figures(pid))
    time.sleep(2)
    return found | {"left": figures(pid)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--refreshes", type=int, default=200)
    parser.add_argument("--viewers", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=600)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["UEO_STUDIO_HOME"] = home
        run, port = paused_run(epochs=10_000), free_port()
        with open(Path(home) / "server.log", "wb") as log:
            server = subprocess.Popen(
                [sys.executable, "-c", SERVE, run.id, str(port)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            )
        try:
            deadline = time.monotonic() + 180
            while run.state["state"] != "running" or not any(run.path.glob("checkpoints/*")):
                assert server.poll() is None and time.monotonic() < deadline
                time.sleep(0.2)
            before = run.state["step"]
            found = measure(port, server.pid, run.id, args.refreshes, args.viewers, args.seconds)
            found["steps"] = run.state["step"] - before
        finally:
            server.terminate()
            server.wait(120)
        steps = [e["step"] for e in run.events() if e["kind"] == "step"]
        assert steps == list(range(1, len(steps) + 1)), "an event was lost or written twice"
        print(json.dumps(found))


if __name__ == "__main__":
    main()
