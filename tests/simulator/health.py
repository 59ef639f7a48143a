# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Server health: one ServerState per zone in which the server is live.

HAProxy tells the result of its last check but not when it ran. It does tell that no check ran yet (INI, with status
UP: right after a reload every server counts as healthy), and it checks at a fixed interval. So the time of the last
check is the moment a result was first seen, plus the whole intervals since. Until a new process has checked, the time
stays that of the last check of the previous one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from .configuration import ALL, Configuration, Record
from .state import Simulator

SHORTEST_INTERVAL = 0.1  # seconds; what a small time scale may shorten a probe to
DEFAULT_INTERVAL = 30
FIRST_INSTANCE = 1001

# Result of a successful check by probe type, in HAProxy's words; for a simulator without HAProxy.
SUCCESS = {"smtp": ("L7OK", "221"), "http": ("L7OK", "200"), "mysql": ("L7OK", "0"), "pgsql": ("L7OK", "0")}


def probe_of(configuration: Configuration, server: Record) -> dict[str, Any] | None:
    """The farm's probe if the server obeys it: both switches are needed."""
    farm = configuration.records[server.parent or 0]
    return farm.values.get("probe") if server.values.get("probe") else None


def scaled_interval(probe: dict[str, Any], time_scale: float) -> float:
    """Seconds between two checks."""
    return max((probe["interval"] or DEFAULT_INTERVAL) * time_scale, SHORTEST_INTERVAL)


@dataclass
class Checks:
    """When a server was checked in a zone. Times are the machine's own clock."""

    interval: float
    previous: float | None = None  # the last check of the process before
    seen: float | None = None  # a check of this process

    def last(self, now: float) -> float | None:
        if self.seen is None or self.seen > now:
            return self.previous
        return self.seen + (now - self.seen) // self.interval * self.interval


@dataclass(frozen=True)
class Report:
    """What HAProxy says of a server. ``under_way``: a new check runs, the fields of its result are blank for now."""

    status: str
    check_status: str = ""
    check_code: str = ""
    content: str = ""
    duration: str = ""
    under_way: bool = False


class Health:
    def __init__(self, sim: Simulator) -> None:
        self.sim = sim
        self.checks: dict[tuple[str, int], Checks] = {}
        self.reports: dict[tuple[str, int], Report] = {}

    def reset(self) -> None:
        self.checks.clear()
        self.reports.clear()

    def reloaded(self, zone: str, configuration: Configuration) -> None:
        """A new process serves the zone: nothing has been checked by it yet."""
        now = time.time()
        for server in configuration.in_zone(zone):
            if server.resource.kind == "server":
                self._restart(zone, server, configuration, now)

    def _restart(self, zone: str, server: Record, configuration: Configuration, now: float) -> None:
        key = (zone, server.id)
        before = self.checks.pop(key, None)
        self.reports.pop(key, None)
        probe = probe_of(configuration, server)
        if probe is None:
            return
        interval = scaled_interval(probe, self.sim.settings.time_scale)
        self.checks[key] = Checks(interval, before.last(now) if before else None)
        if not self.sim.settings.haproxy:
            self.checks[key].seen = now + interval

    def observe(self, zone: str, server_id: int, report: Report) -> None:
        """Takes what HAProxy's statistics say of a server now."""
        key = (zone, server_id)
        before = self.reports.get(key)
        if report.under_way and before:
            report = replace(before, status=report.status, check_status=report.check_status)
        report = replace(report, under_way=False)
        self.reports[key] = report
        checks = self.checks.get(key)
        if checks and report != before and report.check_status not in ("", "INI"):
            checks.seen = time.time()

    def states(self, server: Record) -> list[dict[str, Any]]:
        """``serverState`` of the staged server: empty until it is live somewhere."""
        return [
            self._state(zone, deployed, FIRST_INSTANCE + index)
            for index, zone in enumerate(self.sim.zone_names)
            if (deployed := self._deployed(zone, server)) is not None
        ]

    def _deployed(self, zone: str, server: Record) -> Record | None:
        live = self.sim.state.live.get(zone)
        deployed = live.records.get(server.id) if live else None
        if live is None or deployed is None or deployed.values["status"] != "active":
            return None
        return deployed if live.zone_of(deployed) in (zone, ALL) else None

    def _state(self, zone: str, server: Record, instance: int) -> dict[str, Any]:
        key = (zone, server.id)
        checks = self.checks.get(key)
        now = time.time()
        checked = checks.last(now) if checks else None
        report = self.reports.get(key) if self.sim.settings.haproxy else self._assumed(zone, server, checks, now)
        report = report or Report("no check")
        state = {
            "checkCode": report.check_code or None,
            "checkStatus": report.check_status or None,
            "checkTime": self.sim.date(checked + self.sim.state.clock_skew) if checked else None,
            "instanceId": instance,
            "lastCheckContent": report.content or None,
            "status": report.status,
        }
        return state | self.sim.state.health.get(server.values["address"], {})

    def _assumed(self, zone: str, server: Record, checks: Checks | None, now: float) -> Report:
        """Without HAProxy every server is healthy; PUT /_simulator/health says otherwise."""
        if checks is None:
            return Report("no check")
        if checks.seen is None or checks.seen > now:
            return Report("UP", "INI")
        probe = probe_of(self.sim.state.live[zone], server)
        check_status, code = SUCCESS.get(probe["type"] if probe else "", ("L4OK", ""))
        return Report("UP", check_status, code)
