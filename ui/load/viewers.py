"""Viewers of a page over the app's websocket: each loads the page, then ticks as a browser would."""

import asyncio
import time
from dataclasses import dataclass, field

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

OPENING = 120.0  # seconds that loading the page may take
KEPT = 200  # messages that a viewer keeps
FIRST = 0.2  # seconds between two viewers that open the page


@dataclass
class Measured:
    """What all viewers saw."""

    opened: list[float] = field(default_factory=list)  # seconds until the page was drawn
    ticks: list[float] = field(default_factory=list)  # seconds from the request to the last message
    received: int = 0  # bytes during the ticks
    failures: list[str] = field(default_factory=list)  # exceptions that a page showed

    def percentile(self, share: float) -> float | None:
        """Seconds within which this share of the ticks ended; None without a tick."""
        found = sorted(self.ticks)
        return found[min(len(found) - 1, int(share * len(found)))] if found else None


async def watch(address: str, page: str, query: str, viewers: int, seconds: float) -> Measured:
    """Open a page for so many viewers, and let each tick for so long.

    address: of the server, http://localhost:8501; page: its name in the address, Live.
    OSError where no server answers.
    """
    measured = Measured()
    await asyncio.gather(
        *(_viewer(address, page, query, k * FIRST, seconds, measured) for k in range(viewers))
    )
    return measured


async def _viewer(
    address: str, page: str, query: str, delay: float, seconds: float, measured: Measured
) -> None:
    await asyncio.sleep(delay)
    socket = address.replace("http", "ws", 1) + "/_stcore/stream"
    async with websockets.connect(
        socket, origin=address, subprotocols=["streamlit"], max_size=None
    ) as ws:
        timers: dict[str, float] = {}  # fragment → seconds between two of its ticks
        known: dict[str, None] = {}  # messages that are kept, as a browser keeps them, newest last
        began = time.monotonic()
        await asyncio.wait_for(_ask(ws, page, query, timers, known, measured), OPENING)
        measured.opened.append(time.monotonic() - began)
        due = {fragment: time.monotonic() + every for fragment, every in timers.items()}
        end = time.monotonic() + seconds
        while due and min(due.values()) < end:
            fragment = min(due, key=lambda f: due[f])
            await asyncio.sleep(max(0.0, due[fragment] - time.monotonic()))
            began = time.monotonic()
            await asyncio.wait_for(
                _ask(ws, page, query, timers, known, measured, fragment), OPENING
            )
            measured.ticks.append(time.monotonic() - began)
            due = {f: due.get(f, began + every) for f, every in timers.items()}
            if fragment in due:
                due[fragment] = began + timers[fragment]


async def _ask(
    ws,
    page: str,
    query: str,
    timers: dict[str, float],
    known: dict[str, None],
    measured: Measured,
    fragment: str = "",
) -> None:
    """One run of the page, or of a fragment of it, until its last message."""
    message = BackMsg()
    state = message.rerun_script
    state.query_string, state.page_name = query, page
    state.cached_message_hashes.extend(known)
    state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
    await ws.send(message.SerializeToString())
    told: dict[str, float] = {}
    while True:
        data = await ws.recv()
        if fragment:
            measured.received += len(data)
        found = ForwardMsg.FromString(data)
        kind = found.WhichOneof("type")
        if found.metadata.cacheable:
            known[found.hash] = None
            for old in list(known)[:-KEPT]:
                del known[old]
        if kind == "new_session":
            told = {}
        elif kind == "delta" and found.delta.new_element.WhichOneof("type") == "exception":
            measured.failures.append(found.delta.new_element.exception.message)
        elif kind == "auto_rerun":
            told[found.auto_rerun.fragment_id] = found.auto_rerun.interval
        elif kind == "script_finished":
            if found.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                timers.clear()  # the whole page ran: only the timers that it told are left
            timers.update(told)
            if found.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return
