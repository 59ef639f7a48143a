# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy service that permits everything and notes which client Postfix asked about. Runs on a backend."""

from __future__ import annotations

import socketserver
import sys


class Policy(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while True:
            attributes = {}
            for line in iter(self.rfile.readline, b"\n"):
                if not line:
                    return
                name, dummy, value = line.decode(errors="replace").rstrip("\n").partition("=")
                attributes[name] = value
            with open(sys.argv[2], "a") as log:
                log.write(f"{attributes.get('sender')} {attributes.get('client_address')}\n")
            self.wfile.write(b"action=DUNNO\n\n")


if __name__ == "__main__":
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Policy) as server:
        server.serve_forever()
