"""Another page cannot show the app in a frame, nor connect to it from another port."""

import functools
import http.server
import threading

import pytest

from tests.browser.conftest import PATIENCE

pytestmark = pytest.mark.browser
CONNECT = """url => new Promise(done => {
  const socket = new WebSocket(url, ["streamlit"]);
  socket.onopen = () => done("open");
  socket.onerror = () => done("refused");
})"""


def test_a_page_of_another_port_can_neither_frame_the_app_nor_connect(browser, app_url, tmp_path):
    (tmp_path / "index.html").write_text(
        f'<iframe src="{app_url}" width=1000 height=800></iframe>', encoding="utf-8"
    )
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    stream = app_url.replace("http://", "ws://") + "/_stcore/stream"
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page = browser.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        try:
            page.goto(f"http://localhost:{other.server_port}/")
            page.wait_for_timeout(500)
            assert any("X-Frame-Options" in text or "frame-ancestors" in text for text in said)
            assert page.frames[1].locator("button, a, input").count() == 0
            assert page.evaluate(CONNECT, stream) == "refused"
            page.goto(app_url)  # by itself it is as ever
            page.get_by_text("without labels").first.wait_for(timeout=PATIENCE)
            assert page.evaluate(CONNECT, stream) == "open"
        finally:
            page.close()
            other.shutdown()
