# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The door in front of the API: request log, faults, rate limit, headers of every answer."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .state import Simulator

PREFIXES = ("/1.0", "/v1")


class Connections(H11Protocol):
    """uvicorn's HTTP protocol, which also remembers the open connections so that a fault can cut one."""

    transports: ClassVar[dict[tuple[str, int], asyncio.BaseTransport]] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transports[transport.get_extra_info("peername")] = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transports.pop(self.transport.get_extra_info("peername"), None)
        super().connection_lost(exc)

    @classmethod
    def cut(cls, client: tuple[str, int]) -> None:
        """The client sees a connection that ends without an answer."""
        transport = cls.transports.get(client)
        if isinstance(transport, asyncio.Transport):
            transport.abort()


@dataclass
class Fault:
    """Happens to the next ``count`` requests (None: all) of a method and a path (regex on what follows /1.0).

    ``status`` answers instead of the API. ``delay`` (seconds) comes first. ``drop`` closes the connection without an
    answer, "before" or "after" the API did what was asked.
    """

    path: str = ".*"
    method: str | None = None
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    count: int | None = 1
    delay: float = 0.0
    drop: str | None = None

    def __post_init__(self) -> None:
        re.compile(self.path)
        if self.drop not in (None, "before", "after"):
            raise ValueError('drop is "before" or "after"')

    def fits(self, method: str, path: str) -> bool:
        return self.count != 0 and self.method in (None, method) and bool(re.fullmatch(self.path, path))


@dataclass
class Entry:
    """One line of the request log. ``concurrency``: requests in flight while this one was, itself included."""

    method: str
    path: str
    query: str
    status: int | None = None
    concurrency: int = 1


class FrontDoor:
    def __init__(self, app: ASGIApp, sim: Simulator) -> None:
        self.app = app
        self.sim = sim
        self.faults: list[Fault] = []
        self.entries: list[Entry] = []
        self.in_flight: list[Entry] = []
        self.arrivals: list[float] = []

    def reset(self) -> None:
        self.faults.clear()
        self.entries.clear()
        self.arrivals.clear()

    def log(self) -> dict[str, Any]:
        most = max((entry.concurrency for entry in self.entries), default=0)
        return {"max_concurrency": most, "requests": [asdict(entry) for entry in self.entries]}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = api_path(scope)
        if path is None:
            await self.app(scope, receive, send)
            return
        entry = Entry(scope["method"], path, scope["query_string"].decode())
        self.entries.append(entry)
        self.in_flight.append(entry)
        for other in self.in_flight:
            other.concurrency = max(other.concurrency, len(self.in_flight))
        try:
            await self._serve(entry, scope, receive, answered(entry, send))
        finally:
            self.in_flight.remove(entry)

    async def _serve(self, entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._take(entry)
        await asyncio.sleep(fault.delay + self.sim.switches.number("latency_ms") / 1000)
        if fault.drop == "after":
            await self.app(scope, receive, discard)
        if fault.drop:
            Connections.cut(tuple(scope["client"]))
        elif fault.status is not None:
            await answer(send, fault.status, fault.body, fault.headers)
        elif self._too_many():
            body = {"class": "Client::TooManyRequests", "message": "Too many requests"}
            await answer(send, 429, body, {"Retry-After": str(math.ceil(self._window() / 10))})
        else:
            await self.app(scope, receive, send)

    def _take(self, entry: Entry) -> Fault:
        for fault in self.faults:
            if fault.fits(entry.method, entry.path):
                fault.count = None if fault.count is None else fault.count - 1
                return fault
        return Fault()

    def _window(self) -> float:
        """The minute of the rate limit, in scaled seconds."""
        return 60 * self.sim.settings.time_scale

    def _too_many(self) -> bool:
        limit = self.sim.switches.number("requests_per_minute")
        now = time.monotonic()
        self.arrivals = [moment for moment in self.arrivals if moment > now - self._window()]
        if limit and len(self.arrivals) >= limit:
            return True
        self.arrivals.append(now)
        return False


def api_path(scope: Scope) -> str | None:
    """What follows /1.0 or /v1; None for other paths."""
    if scope["type"] != "http":
        return None
    for prefix in PREFIXES:
        if scope["path"].startswith(prefix + "/"):
            return str(scope["path"][len(prefix) :])
    return None


def answered(entry: Entry, send: Send) -> Send:
    """``send`` that notes the status and adds the headers which every answer of the API has."""
    extra = [
        (b"x-ovh-queryid", f"EU.ext-1.00000000.0.{uuid.uuid4()}".encode()),
        (b"cache-control", b"no-cache, no-store"),
    ]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
            message["headers"] = [*message.get("headers", []), *extra]
        await send(message)

    return sending


async def discard(message: Message) -> None:
    """Takes an answer that nobody gets."""


async def answer(send: Send, status: int, body: Any, headers: dict[str, str]) -> None:
    """A text body is sent as it is, as HTML: what a proxy in front of the API would say."""
    is_text = isinstance(body, str)
    content = body if is_text else json.dumps(body)
    kind = "text/html" if is_text else "application/json; charset=utf-8"
    pairs = {"content-type": kind, **{name.lower(): value for name, value in headers.items()}}
    pairs["content-length"] = str(len(content.encode()))
    encoded = [(name.encode(), value.encode()) for name, value in pairs.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": content.encode()})
