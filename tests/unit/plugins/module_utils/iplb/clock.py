# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Time that passes only when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

START = datetime(2026, 1, 1, 10, tzinfo=timezone.utc)


class Clock:
    """Stands in for the module ``time``. ``now`` is in seconds; ``pauses`` are the sleeps so far."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._events: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return START.timestamp() + self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        end = self.now + seconds
        while due := sorted((event for event in self._events if event[0] <= end), key=lambda event: event[0]):
            self._events.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
        self.now = end

    def at(self, moment: float, action: Callable[[], None]) -> None:
        self._events.append((moment, action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.now + seconds, action)

    def date(self) -> str:
        return (START + timedelta(seconds=self.now)).isoformat()
