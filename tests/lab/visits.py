# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Visit mail and web services as their users do: with TLS that is verified, and the name in SNI.

Runs in the client's place. Each target is ``PORT:NAME/PATH``; without a name none is sent, and the chain alone is
verified. Visits all of them once, or with ``--clients`` by so many clients at once until the input is closed. Prints
one JSON object, of each target a Report.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any

TLS, WEB = (443, 465), (80, 443)
TIMEOUT = 20  # seconds
PAUSE = 0.02


@dataclass
class Report:
    """``certificates``: serial numbers, as they were first seen; ``failures``: what a visit ended with too early."""

    visits: int = 0
    certificates: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)


class Visitor:
    def __init__(self, options: argparse.Namespace, target: str) -> None:
        address, dummy, self.path = target.partition("/")
        port, dummy, self.name = address.partition(":")
        self.host, self.source, self.port = options.host, options.source, int(port)
        self.context = ssl.create_default_context(cafile=options.authority)
        self.context.check_hostname = bool(self.name)
        self.report = Report()
        self._lock = threading.Lock()

    def visit(self) -> None:
        begun = time.monotonic()
        try:
            certificate, answer = self._visit()
        except (OSError, HTTPException) as error:
            self._note(failure=f"{type(error).__name__} after {time.monotonic() - begun:.1f} s: {error}")
        else:
            self._note(certificate=certificate, answer=answer)

    def _note(self, certificate: str = "", answer: dict[str, Any] | None = None, failure: str = "") -> None:
        with self._lock:
            self.report.visits += 1
            if certificate and certificate not in self.report.certificates:
                self.report.certificates.append(certificate)
            if failure:
                self.report.failures.append(failure)
            self.report.answer = answer or self.report.answer

    def _visit(self) -> tuple[str, dict[str, Any]]:
        with socket.create_connection((self.host, self.port), TIMEOUT, (self.source, 0)) as plain:
            if self.port not in TLS:
                return "", self._speak(plain)
            with self.context.wrap_socket(plain, server_hostname=self.name or None) as connection:
                shown: dict[str, Any] = dict(connection.getpeercert() or {})
                return str(shown["serialNumber"]), self._speak(connection)

    def _speak(self, connection: socket.socket) -> dict[str, Any]:
        if self.port not in WEB:
            return _greeting(connection)
        request = f"GET /{self.path} HTTP/1.1\r\nHost: {self.name}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        with HTTPResponse(connection) as response:
            response.begin()
            return {"status": response.status, "location": response.getheader("Location"), "body": _text(response)}


def _text(response: HTTPResponse) -> str:
    return response.read().decode().strip()


def _greeting(connection: socket.socket) -> dict[str, Any]:
    with connection.makefile("rw", newline="") as smtp:
        greeting = smtp.readline()
        if not greeting:
            raise ConnectionError("no greeting")
        smtp.write("QUIT\r\n")
        smtp.flush()
        return {"status": int(greeting[:3]), "bye": smtp.readline()[:3]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--source", required=True, help="address of the client")
    parser.add_argument("--authority", required=True, help="file with the certificates that are trusted")
    parser.add_argument("--clients", type=int, default=0, help="of each target, at a time, until the input is closed")
    parser.add_argument("targets", nargs="+", metavar="PORT:NAME[/PATH]")
    options = parser.parse_args()
    visitors = {target: Visitor(options, target) for target in options.targets}
    ended = threading.Event()

    def keep_visiting(visitor: Visitor) -> None:
        while not ended.is_set():
            visitor.visit()
            time.sleep(PAUSE)

    with ThreadPoolExecutor(max(1, len(visitors) * options.clients)) as pool:
        for visitor in visitors.values():
            if not options.clients:
                visitor.visit()
            for _client in range(options.clients):
                pool.submit(keep_visiting, visitor)
        if options.clients:
            sys.stdin.read()
            ended.set()
    print(json.dumps({target: asdict(visitor.report) for target, visitor in visitors.items()}))


if __name__ == "__main__":
    main()
