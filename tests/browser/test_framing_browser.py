"""Another page cannot show the app in a frame and have its buttons clicked."""

import functools
import http.server
import threading

import pytest

from tests.browser.conftest import PATIENCE

pytestmark = pytest.mark.browser


def test_a_framed_app_shows_a_sentence_and_nothing_to_click(browser, app_url, tmp_path):
    (tmp_path / "index.html").write_text(
        f'<iframe src="{app_url}" width=1000 height=800></iframe>', encoding="utf-8"
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page = browser.new_page()
        try:
            page.goto(f"http://localhost:{other.server_port}/")
            framed = page.frame_locator("iframe")
            said = framed.get_by_text("not shown inside another page")
            said.wait_for(timeout=PATIENCE)
            assert framed.locator("body").inner_text().startswith("UEO Studio is not shown inside")
            assert framed.locator("button, a, input").count() == 0
            page.goto(app_url)  # by itself it is as ever
            page.get_by_text("without labels").first.wait_for(timeout=PATIENCE)
        finally:
            page.close()
            other.shutdown()
