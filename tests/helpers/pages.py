"""The app without a browser, for the tests of the pages."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.common import shell

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small_sample(monkeypatch):
    """The built-in problem with two images a class: drawn in a blink."""
    monkeypatch.setattr("ueo_core.drawings.sample.PER_POOL_CLASS", 2)
    monkeypatch.setattr("ueo_core.drawings.sample.PER_TEST_CLASS", 1)


@pytest.fixture
def app(own_home):
    """The app at its Start page, with a home of its own; its runs end with the test."""
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    shell.shutdown()


def at(app: AppTest, page: str, **query: str) -> AppTest:
    """The app at a page, run once."""
    app.run()
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    return clean(app.run())


def clean(app: AppTest) -> AppTest:
    """The same app, unless its script raised."""
    assert not app.exception, [e.value for e in app.exception]
    return app


def wait_for_job(key: str, seconds: float = 60) -> None:
    """Until a background job has ended; one that is not there has, and was shown."""
    deadline = time.monotonic() + seconds
    while (job := shell.jobs().get(key)) and job.running:
        assert time.monotonic() < deadline, f"job {key} has not ended"
        time.sleep(0.01)


def errors(app: AppTest) -> list[str]:
    """The sentences shown as errors, without the escapes that keep names from being Markdown."""
    return [e.value.replace("\\", "") for e in app.error]


def button(app: AppTest, label: str):
    """The one button of that label."""
    found = [b for b in app.button if b.label == label]
    assert len(found) == 1, [b.label for b in app.button]
    return found[0]
