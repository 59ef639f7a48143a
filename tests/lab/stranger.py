# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have conversations with hosts from outside, again and again, until the input is closed. Runs in the client's place.

The argument is that of ``attack.py``. Prints, as a JSON list with one object for each conversation, how often it was
tried, how often the connection was refused, and each answer that was heard.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from lab.attack import attack

PAUSE = 0.2  # seconds, for each conversation
REFUSED = ["(ConnectionRefusedError)"]


class Stranger(threading.Thread):
    def __init__(self, order: dict[str, Any], ended: threading.Event) -> None:
        super().__init__()
        self.order, self.ended = order, ended
        self.tries = self.refused = 0
        self.heard: set[str] = set()

    def run(self) -> None:
        while not self.ended.wait(PAUSE):
            answers = attack(self.order)
            self.tries += 1
            if answers == REFUSED:
                self.refused += 1
            else:
                self.heard.update(answers)

    def report(self) -> dict[str, Any]:
        return {"tries": self.tries, "refused": self.refused, "heard": sorted(self.heard)}


def main() -> None:
    ended = threading.Event()
    strangers = [Stranger(order, ended) for order in json.loads(sys.argv[1])]
    for stranger in strangers:
        stranger.start()
    sys.stdin.read()
    ended.set()
    for stranger in strangers:
        stranger.join()
    print(json.dumps([stranger.report() for stranger in strangers]))


if __name__ == "__main__":
    main()
