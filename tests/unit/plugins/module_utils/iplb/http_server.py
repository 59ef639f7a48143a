# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server on loopback that answers as a test tells it, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TIME_PATH = "/1.0/auth/time"
TOKEN_PATH = "/auth/oauth2/token"
TIME = 1700000000


@dataclass
class Answer:
    """``body`` is sent as JSON, or as it is if it is bytes. ``drop`` closes the connection instead; ``cut`` in it."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: bool = False


HTML = b"<html><body>502 Bad Gateway</body></html>"
DROP = Answer(drop=True)
CUT = Answer(body={"farmId": 1}, cut=True)


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str


class Server(ThreadingHTTPServer):
    """``answers`` are given in turn, then 200; ``setup_answers`` to the calls that python-ovh makes by itself."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.setup_answers: list[Answer] = []
        self.requests: list[Request] = []
        self.setup_requests: list[Request] = []
        self.connections = 0
        self.busy = 0
        self.most_busy = 0
        self.gate: threading.Barrier | None = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/1.0"

    def respond(self, request: Request) -> Answer:
        path = request.path
        with self.lock:
            if path in (TIME_PATH, TOKEN_PATH):
                self.setup_requests.append(request)
                usual = TIME if path == TIME_PATH else {"access_token": "fetched", "token_type": "Bearer"}
                return self.setup_answers.pop(0) if self.setup_answers else Answer(body=usual)
            self.requests.append(request)
            return self.answers.pop(0) if self.answers else Answer(body={"path": path})

    @contextmanager
    def counted(self) -> Iterator[None]:
        with self.lock:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            if self.gate:
                self.gate.wait(timeout=10)
            yield
        finally:
            with self.lock:
                self.busy -= 1


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        # Head and body are written apart; without this each answer would wait for the client's delayed ACK.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        request = Request(self.command, self.path, dict(self.headers), body)
        with self.server.counted():
            answer = self.server.respond(request)
        if answer.drop:
            self.close_connection = True
            return
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:3] if answer.cut else content)
        self.close_connection = self.close_connection or answer.cut

    do_GET = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at ``requests`` instead."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
