"""A real browser on a real server, each test session with a home folder of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ueo_core.export.formats import MODELS, PREDICTIONS

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("UEO_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000  # milliseconds a slow machine may take


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return s.getsockname()[1]


def press(page, key: str, button: str = "[data-testid=stMain]") -> None:
    """Press a key once the button of that shortcut is drawn and listens: a key before that is lost."""
    page.locator(button).first.wait_for()
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestIdleCallback(done)))"
    )
    page.keyboard.press(key)


def choose_format(page, title: str) -> None:
    """Choose an export; the page has its sentence when this returns."""
    option, tries = page.get_by_role("option", name=title), 0
    while not option.is_visible() and (tries := tries + 1) < 20:
        # The list closes when the page is drawn anew, and the same text does not open it again.
        page.get_by_role("combobox", name="Format").fill("")
        page.get_by_role("combobox", name="Format").fill(title)
        page.wait_for_timeout(500)
    option.click()
    about = next(f.about for f in (*PREDICTIONS.values(), *MODELS.values()) if f.title == title)
    page.get_by_text(about.partition("`")[0]).first.wait_for()


@contextlib.contextmanager
def serve(
    home: Path, port: int | None = None, **env: str
) -> Iterator[tuple[str, subprocess.Popen]]:
    """The app as a process: (address, process). It is ended cleanly when the block is left."""
    port = port or free_port()
    log = open(home / "server.log", "ab")  # noqa: SIM115 - closed below, after the process
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            str(ROOT / "app.py"),
            "--server.headless=true",
            f"--server.port={port}",
        ],
        cwd=ROOT,
        stdout=log,
        stderr=log,
        env={**os.environ, "UEO_STUDIO_HOME": str(home), "OMP_NUM_THREADS": "1", **env},
    )
    try:
        _wait_until_up(port, process)
        yield f"http://localhost:{port}", process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _wait_until_up(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended by itself"
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5).close()
            return
        time.sleep(0.2)
    raise AssertionError("the server did not come up")


@pytest.fixture(scope="session")
def browser():
    """Chromium; skipped, with the reason, where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; set UEO_CHROMIUM to run the browser tests")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as p:
        launched = p.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def app_url(browser, tmp_path_factory):
    """The address of a server with an empty home, shared by the session's tests."""
    with serve(tmp_path_factory.mktemp("home")) as (url, _):
        yield url


@pytest.fixture
def fresh_url(browser, tmp_path):
    """The address of a server of the test's own, with an empty home."""
    with serve(tmp_path) as (url, _):
        yield url


@pytest.fixture
def page(browser):
    """A new browser session; at the end, no request may have left this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    requested: set[str] = set()
    context.on("request", lambda r: requested.add(r.url))
    yield context.new_page()
    context.close()
    outside = [u for u in requested if u.startswith("http") and "//localhost:" not in u]
    assert not outside, f"requests left this machine: {outside}"
