"""What the server refuses: frames, and changes that a page of another origin asks for."""

import importlib

import pytest

from tests.helpers.coroutines import run
from ui.common.origins import OwnOrigin

HOST = (b"host", b"localhost:8501")


def answered(**scope) -> list[dict]:
    """What the server sends for a request, through the middleware."""
    sent = []

    async def server(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})

    async def receive():
        return {}

    async def send(message):
        sent.append(message)

    run(OwnOrigin(server)({"headers": [HOST], "method": "GET", **scope}, receive, send))
    return sent


def from_page(origin: bytes) -> list:
    return [HOST, (b"origin", origin)]


def test_every_answer_forbids_frames():
    (start,) = answered(type="http")
    found = dict(start["headers"])
    assert found[b"x-frame-options"] == b"DENY" and found[b"a"] == b"b"
    assert found[b"content-security-policy"] == b"frame-ancestors 'none'"


@pytest.mark.parametrize(
    "origin",
    [b"http://localhost:9999", b"http://localhost", b"https://evil.example", b"null", b"x"],
)
def test_another_origin_changes_nothing_and_gets_no_connection(origin):
    (start, _) = answered(type="http", method="PUT", headers=from_page(origin))
    assert start["status"] == 403
    (closed,) = answered(type="websocket", headers=from_page(origin))
    assert closed["type"] == "websocket.close"
    assert answered(type="http", headers=from_page(origin))[0]["status"] == 200  # it only reads


@pytest.mark.parametrize("headers", [[HOST], from_page(b"http://localhost:8501")])
def test_the_page_itself_and_programs_are_let_through(headers):
    for scope in ({"type": "websocket"}, {"type": "http", "method": "POST"}):
        (start,) = answered(headers=headers, **scope)
        assert start["status"] == 200


def test_the_app_is_served_through_it():
    app = importlib.import_module("app").app
    assert [m.cls for m in app._user_middleware] == [OwnOrigin]
