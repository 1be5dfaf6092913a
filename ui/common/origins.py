"""What the server refuses to browsers: being framed, and requests that another page makes."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# No page may show the app in a frame, lay something over it and have its buttons clicked.
HEADERS = (
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
_READING = ("GET", "HEAD", "OPTIONS")


class OwnOrigin:
    """An ASGI middleware around the whole server.

    Streamlit takes every port of an allowed host for the same origin; here, what changes something,
    and the connection of a page, must come from a page of this very server.
    """

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]):
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif _from_elsewhere(scope):
            await _refuse(scope, receive, send)
        else:
            await self.app(scope, receive, _with_headers(send))


def _from_elsewhere(scope: Message) -> bool:
    """Whether a page of another host or port asks for more than to read."""
    if scope["type"] == "http" and scope["method"] in _READING:
        return False
    named = dict(scope["headers"])
    origin = named.get(b"origin", b"").decode("latin-1")
    return bool(origin) and urlsplit(origin).netloc != named.get(b"host", b"").decode("latin-1")


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
        await send(message)

    return sent


async def _refuse(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # the request to connect
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": []})
    await send({"type": "http.response.body", "body": b"Requests of other pages are refused.\n"})
