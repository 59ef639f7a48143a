# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One API for several simulators, with one rate limit over all of them, as a consumer key has it."""

from __future__ import annotations

import time
from collections import deque

import requests
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulator.launcher import TIMEOUT, Running


class Limiter:
    """At most ``limit`` calls in any ``window`` (seconds); more are answered with 429 and Retry-After."""

    def __init__(self, simulators: dict[str, Running], limit: int, window: float) -> None:
        self.simulators = simulators
        self.limit = limit
        self.window = window
        self.passed: deque[float] = deque()
        self.refused = 0

    def app(self) -> Starlette:
        path = "/1.0/ipLoadbalancing/{service}{rest:path}"
        return Starlette(routes=[Route(path, self.forward, methods=["GET", "PUT", "POST", "DELETE"])])

    async def forward(self, request: Request) -> Response:
        now = time.monotonic()
        while self.passed and self.passed[0] < now - self.window:
            self.passed.popleft()
        if len(self.passed) >= self.limit:
            self.refused += 1
            return JSONResponse({"message": "Too many requests"}, 429, {"Retry-After": "1"})
        self.passed.append(now)
        simulator = self.simulators.get(request.path_params["service"])
        if simulator is None:
            return JSONResponse({"class": "Client::NotFound", "message": "This service does not exist"}, 404)
        return await run_in_threadpool(self.ask, simulator, request, await request.body())

    def ask(self, simulator: Running, request: Request, body: bytes) -> Response:
        url = simulator.base + request.url.path + (f"?{request.url.query}" if request.url.query else "")
        headers = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        answer = requests.request(request.method, url, data=body, headers=headers, timeout=TIMEOUT)
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
