# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of the tests with real traffic, and HTTP servers for it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# Addresses of this process alone, so that two runs on one machine do not meet.
NETWORK = f"127.{100 + os.getpid() // 250 % 100}.{os.getpid() % 250}"
GRA, RBX, ADDITIONAL = f"{NETWORK}.1", f"{NETWORK}.2", f"{NETWORK}.3"
SOURCE = f"{NETWORK}.129"  # with which HAProxy of zone gra speaks to backends
CLIENT, STRANGER = f"{NETWORK}.10", f"{NETWORK}.11"
OFFSET = 10000
WEB = 8080


class Handler(BaseHTTPRequestHandler):
    """Answers what it was asked, as JSON."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Web)
        found = {"server": server.name, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
        body = json.dumps({**found, "client": self.client_address[0]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Web(ThreadingHTTPServer):
    def __init__(self, number: int) -> None:
        self.name = f"web{number}"
        self.address = f"{NETWORK}.{40 + number}"
        super().__init__((self.address, WEB), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A health check may end with a reset, and that is no news."""


@contextlib.contextmanager
def web(number: int, context: ssl.SSLContext | None = None) -> Iterator[Web]:
    """A web server that shows its requests; with TLS where a context is given."""
    server = Web(number)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        """What the web server saw."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def server(self) -> str:
        return str(self.seen["server"])


@dataclass
class Browser:
    """One client, which takes and sends cookies like a browser."""

    address: str = GRA
    client: str = CLIENT
    cookies: dict[str, str] = field(default_factory=dict)

    def get(
        self,
        path: str = "/",
        *,
        port: int = 80,
        host: str = "mail.example",
        tls: ssl.SSLContext | None = None,
        method: str = "GET",
        **headers: str,
    ) -> Answer:
        connection = self._connect(port, host, tls)
        try:
            sent = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
            if self.cookies:
                sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            connection.request(method, path, headers=sent)
            return self._answer(connection.getresponse())
        finally:
            connection.close()

    def _connect(self, port: int, host: str, tls: ssl.SSLContext | None) -> HTTPConnection:
        """The name is asked for in TLS, and the address of the balancer is where the connection goes."""
        plain = socket.create_connection((self.address, port + OFFSET), timeout=10, source_address=(self.client, 0))
        connection = HTTPSConnection(host, timeout=10) if tls else HTTPConnection(host, timeout=10)
        connection.sock = tls.wrap_socket(plain, server_hostname=host) if tls else plain
        return connection

    def _answer(self, response: HTTPResponse) -> Answer:
        for header in response.headers.get_all("Set-Cookie", []):
            name, value = header.partition(";")[0].split("=", 1)
            self.cookies[name] = value
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def trusting(*certificates: str) -> ssl.SSLContext:
    """A client that trusts these PEM certificates and checks names."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata="".join(certificates))
    return context


def serving(directory: Path, certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = directory / "server.pem"
    path.write_text(certificate + key)
    context.load_cert_chain(path)
    return context
