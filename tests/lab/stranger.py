# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Try to reach ports of hosts from outside, all the time, until the input is closed. Runs in the client's place.

Prints one JSON object: for each ``HOST:PORT`` how many tries there were and how many got a connection.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections import Counter

PAUSE = 0.02  # seconds


class Stranger(threading.Thread):
    def __init__(self, source: str, target: str, ended: threading.Event) -> None:
        super().__init__()
        self.source, self.target, self.ended = source, target, ended
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        host, port = self.target.rsplit(":", 1)
        while not self.ended.is_set():
            self.seen["tries"] += 1
            with (
                contextlib.suppress(OSError),
                socket.create_connection((host, int(port)), 5, (self.source, 0)),
            ):
                self.seen["connected"] += 1
            time.sleep(PAUSE)


def main() -> None:
    ended = threading.Event()
    strangers = [Stranger(sys.argv[1], target, ended) for target in sys.argv[2:]]
    for stranger in strangers:
        stranger.start()
    sys.stdin.read()
    ended.set()
    for stranger in strangers:
        stranger.join()
    print(json.dumps({stranger.target: dict(stranger.seen) for stranger in strangers}))


if __name__ == "__main__":
    main()
