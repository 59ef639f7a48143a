# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The door in front of the API: request log and counter, faults, rate limit, headers of every answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import time
import uuid
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .call import Context
from .connections import Connections, refuse_connections
from .errors import ApiError
from .faults import Fault

PREFIXES = ("/1.0", "/v1")


@dataclass(eq=False)
class Entry:
    """One line of the request log. ``concurrency``: requests in flight while this one was, itself included."""

    method: str
    path: str
    query: str
    status: int | None = None
    concurrency: int = 1


class FrontDoor:
    def __init__(self, app: ASGIApp, context: Context) -> None:
        self.app = app
        self.context = context
        self.sim = context.sim
        self.faults: list[Fault] = []
        self.entries: list[Entry] = []
        self.calls: Counter[str] = Counter()
        self.in_flight: set[Entry] = set()
        self.arrivals: deque[float] = deque()

    def reset(self) -> None:
        self.faults.clear()
        self.arrivals.clear()
        self.forget()

    def forget(self) -> None:
        """Empties the log and the counter."""
        self.entries.clear()
        self.calls.clear()

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
        self.calls[f"{entry.method} {template(path)}"] += 1
        self.in_flight.add(entry)
        for other in self.in_flight:
            other.concurrency = max(other.concurrency, len(self.in_flight))
        try:
            await self._serve(entry, scope, receive, answered(entry, send))
        finally:
            self.in_flight.remove(entry)

    async def _serve(self, entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._take(entry)
        latency = self.sim.switches.number("latency_ms") / 1000
        if latency or (fault and fault.delay):
            await asyncio.sleep(latency + (fault.delay if fault else 0))
        if fault:
            await self._fail(fault, entry, scope, receive, send)
        elif self._too_many():
            body = {"class": "Client::TooManyRequests", "message": "Too many requests"}
            await answer(send, 429, body, {"Retry-After": str(math.ceil(self._window() / 10))})
        else:
            await self.app(scope, receive, send)

    def _take(self, entry: Entry) -> Fault | None:
        """The first fault whose turn it is; every one that fits counts the call."""
        due = [fault for fault in self.faults if fault.fits(entry.method, entry.path) and fault.counts_down()]
        if not due:
            return None
        due[0].use()
        return due[0]

    async def _fail(self, fault: Fault, entry: Entry, scope: Scope, receive: Receive, send: Send) -> None:
        client = tuple(scope["client"])
        self._prepare(fault, entry)
        if fault.acts_first:
            await self.app(scope, receive, discard)
        if fault.refuse:
            await refuse_connections(fault.refuse)
        elif fault.drop:
            Connections.cut(client)
        elif fault.hang:
            await disconnected(receive)
        elif fault.status is not None:
            await answer(send, fault.status, fault.body, fault.headers)
        elif fault.cut or fault.garbage:
            await self.app(scope, receive, damaged(send, fault, client))
        else:
            await self.app(scope, receive, send)

    def _prepare(self, fault: Fault, entry: Entry) -> None:
        """What happens elsewhere before the call is served."""
        if fault.skew is not None:
            self.sim.state.clock_skew = fault.skew
        if fault.expire:
            self.context.auth.expire(fault.expire)
        if fault.switches:
            self.sim.switches.update(fault.switches)
            self.sim.follow_switches()
        if fault.meanwhile.get("refresh"):
            with contextlib.suppress(ApiError):
                self.context.refresher.refresh(None)
        record = self.sim.state.staged.records.get(last_id(entry.path))
        if record and "set" in fault.meanwhile:
            record.values = {**record.values, **fault.meanwhile["set"]}
            self.sim.touch(record, self.sim.state.staged.zone_of(record))
        if record and fault.meanwhile.get("delete"):
            self.sim.touch(record, self.sim.state.staged.zone_of(record))
            self.sim.state.staged.remove(record)

    def _window(self) -> float:
        """The minute of the rate limit, in scaled seconds."""
        return 60 * self.sim.settings.time_scale

    def _too_many(self) -> bool:
        limit = self.sim.switches.number("requests_per_minute")
        if not limit:
            return False
        now = time.monotonic()
        while self.arrivals and self.arrivals[0] <= now - self._window():
            self.arrivals.popleft()
        if len(self.arrivals) >= limit:
            return True
        self.arrivals.append(now)
        return False


def template(path: str) -> str:
    """The path with parameters for names and ids: /ipLoadbalancing/{serviceName}/tcp/farm/{id}."""
    named = re.sub(r"^/(ipLoadbalancing|vrack)/[^/]+", r"/\1/{name}", path)
    named = re.sub(r"/(quota|zone|ipLoadbalancing)/(?!\{)[^/]+$", r"/\1/{name}", named)
    return re.sub(r"/\d+", "/{id}", named)


def last_id(path: str) -> int:
    """The id that a path ends with; 0 for none."""
    text = path.rpartition("/")[2]
    return int(text) if text.isdigit() else 0


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


async def disconnected(receive: Receive) -> None:
    """Waits until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def damaged(send: Send, fault: Fault, client: tuple[str, int]) -> Send:
    """``send`` that gives half of the answer and ends the connection, or makes its JSON invalid."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            return
        content = message.get("body", b"")
        half = content[: len(content) // 2]
        if fault.garbage:
            await send({**message, "body": half.ljust(len(content), b"{")})
            return
        await send({**message, "body": half, "more_body": True})
        Connections.end(client)

    return sending


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
