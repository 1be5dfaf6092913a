"""Many viewers of a run in progress: memory and threads of the server, and how long a refresh takes.

    python -m tests.helpers.load --refreshes 200 --viewers 25 --seconds 600 → one JSON object

The server is the app; viewers speak its websocket as a browser does: a page, then a rerun of every
fragment at its own pace.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from tests.browser.conftest import free_port
from tests.browser.live import paused_run
from tests.helpers.pages import ROOT

SERVE = """
import sys
from streamlit.web import cli
from ui.common import shell
shell.manager().act(sys.argv[1], "resume")
cli.main(["run", "app.py", "--server.headless=true", f"--server.port={sys.argv[2]}"])
"""


class Viewer:
    """A tab that shows a run on Live."""

    def __init__(self, port: int, run: str):
        url = f"ws://localhost:{port}/_stcore/stream"
        origin = f"http://localhost:{port}"
        self.query = f"run={run}"
        self._open = contextlib.ExitStack()
        self.socket: ClientConnection = self._open.enter_context(
            connect(url, subprotocols=["streamlit"], origin=origin, max_size=None, open_timeout=60)
        )
        self.paces: dict[str, float] = {}  # fragment → seconds between its reruns
        self.failures: list[str] = []

    def close(self) -> None:
        self._open.close()

    def rerun(self, fragment: str = "") -> None:
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = "Live"
        message.rerun_script.fragment_id = fragment
        self.socket.send(message.SerializeToString())

    def until_done(self, seconds: float = 120) -> None:
        """Read until the script has run."""
        deadline = time.monotonic() + seconds
        while not self.read(deadline - time.monotonic()):
            pass

    def read(self, seconds: float) -> bool:
        """Read one message. → whether a run of the script has ended"""
        message = ForwardMsg()
        message.ParseFromString(self.socket.recv(timeout=max(0.0, seconds)))
        kind = message.WhichOneof("type")
        if kind == "auto_rerun":
            self.paces[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        if kind == "delta" and message.delta.new_element.WhichOneof("type") == "exception":
            self.failures.append(message.delta.new_element.exception.message)
        return kind == "script_finished"

    def watch(self, until: float) -> None:
        """Rerun every fragment at its pace, as a browser does."""
        due: dict[str, float] = {}
        while (now := time.monotonic()) < until:
            for fragment, pace in self.paces.items():
                if due.setdefault(fragment, now + pace) <= now:
                    self.rerun(fragment)
                    due[fragment] = now + pace
            try:
                self.read(0.1)
            except TimeoutError:
                continue


def figures(pid: int) -> dict[str, float]:
    """Resident memory in MB and the number of threads of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return {"mb": round(mb), "threads": len(list(Path(f"/proc/{pid}/task").iterdir()))}


def refresh(port: int, run: str) -> float:
    """Open the page as a new session, and close it. → seconds until it is drawn"""
    began = time.monotonic()
    viewer = Viewer(port, run)
    viewer.rerun()
    viewer.until_done()
    viewer.close()
    assert not viewer.failures and viewer.paces, viewer.failures
    return time.monotonic() - began


def measure(port: int, pid: int, run: str, refreshes: int, viewers: int, seconds: float) -> dict:
    first = [refresh(port, run) for _ in range(10)]  # loads what a page needs once
    found: dict = {"warm": figures(pid), "first": round(first[0], 2)}
    took = [refresh(port, run) for _ in range(refreshes)]
    found["refreshed"] = figures(pid)
    found["refresh_seconds"] = [round(float(np.percentile(took, q)), 3) for q in (50, 95, 100)]
    watching = [Viewer(port, run) for _ in range(viewers)]
    for viewer in watching:
        viewer.rerun()
        viewer.until_done()
    found["watched"] = []
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=v.watch, args=(until,)) for v in watching]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        time.sleep(max(0.1, min(seconds / 5, until - time.monotonic())))
        found["watched"].append(figures(pid))
    for thread in threads:
        thread.join()
    assert not any(v.failures for v in watching)
    for viewer in watching:
        viewer.close()
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
