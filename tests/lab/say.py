# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say some bytes to a port from a given source address and print, as JSON, each answer. Runs in the client's place.

Every argument after the options is sent, with ``\\r\\n`` and ``\\xNN`` read as in Python, after the answer to the one
before it has arrived. The first is sent before anything is awaited, as a PROXY header is.
"""

from __future__ import annotations

import argparse
import codecs
import json
import socket


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--source", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, default=25)
    parser.add_argument("words", nargs="+")
    options = parser.parse_args()
    print(json.dumps(_talk(options)))


def _talk(options: argparse.Namespace) -> list[str]:
    answers = []
    try:
        with socket.create_connection((options.host, options.port), 30, (options.source, 0)) as connection:
            connection.settimeout(15)
            for word in options.words:
                connection.sendall(codecs.decode(word, "unicode_escape").encode("latin-1"))
                answers.append(connection.recv(65536).decode(errors="replace"))
    except OSError as error:
        answers.append(f"({type(error).__name__})")
    return answers


if __name__ == "__main__":
    main()
