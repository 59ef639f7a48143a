# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have many conversations at once and print, as JSON, the answers to each. Runs in the client's or balancer's place.

The argument is a JSON list of ``{"source": …, "host": …, "port": …, "words": […]}``. Each word is sent after the
answer to the one before it, with ``\\r\\n`` and ``\\xNN`` as in Python. Of a word with ``<pause>`` in it, the parts
are sent apart, and ``<garbage>`` is 64 kB of it. An empty word sends nothing and waits. At ``<tls>`` TLS begins, at
``<reset>`` the connection is reset, and a word that ends with ``<unanswered>`` has no answer of its own.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import random
import re
import select
import socket
import ssl
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PATIENCE = 1  # seconds
COMPLETE = re.compile(rb"(?:^|\n)\d{3} [^\n]*\n\Z")


def main() -> None:
    with ThreadPoolExecutor(24) as pool:
        print(json.dumps(list(pool.map(attack, json.loads(sys.argv[1])))))


def attack(order: dict[str, Any]) -> list[str]:
    answers = []
    try:
        with contextlib.ExitStack() as opened:
            connection = opened.enter_context(
                socket.create_connection((order["host"], order["port"]), 30, (order["source"], 0))
            )
            connection.settimeout(20)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for word in order["words"]:
                if word == "<reset>":
                    # Closed with nothing to linger for, a connection ends with a reset (socket(7)).
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                if word == "<tls>":
                    connection = opened.enter_context(_context().wrap_socket(connection))
                    continue
                _say(connection, word.removesuffix("<unanswered>"))
                if word.endswith("<unanswered>"):
                    continue
                answer = _hear(connection)
                answers.append(answer.decode(errors="replace"))
                if not answer:
                    break
    except OSError as error:
        answers.append(f"({type(error).__name__})")
    return answers


def _context() -> ssl.SSLContext:
    """The hosts of the lab have Debian's snakeoil certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _say(connection: socket.socket, word: str) -> None:
    for number, part in enumerate(word.split("<pause>")):
        if number:
            # Postfix takes what it gets first for all of the header, and says so; else it gets the rest in time.
            select.select([connection], [], [], PATIENCE)
        connection.sendall(_bytes(part))


def _bytes(part: str) -> bytes:
    if part == "<garbage>":
        return random.Random(25).randbytes(65536)
    return codecs.decode(part, "unicode_escape").encode("latin-1")


def _hear(connection: socket.socket) -> bytes:
    """A whole answer; nothing where the server hung up."""
    heard = b""
    while not COMPLETE.search(heard):
        more = connection.recv(65536)
        if not more:
            break
        heard += more
    return heard


if __name__ == "__main__":
    main()
