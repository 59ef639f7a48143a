# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything the simulator knows: settings, staged and live configuration, pending changes, clock."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

from .configuration import ALL, Configuration, Record
from .pki import self_signed
from .schema import CERTIFICATE, SERVICE, VRACK_NETWORK
from .switches import Switches

# Answers carry a zone offset; one that is neither UTC nor (mostly) the client's own finds clients that drop it.
API_TIMEZONE = timezone(timedelta(hours=1))


@dataclass(frozen=True)
class Zone:
    """``bind`` is the address of the service in this zone, ``source`` the one that backends see (default: any)."""

    name: str
    bind: str
    source: str | None = None
    nat_ip: tuple[str, ...] = ()


DEFAULT_ZONES = (
    Zone("gra", "127.0.0.1", None, ("198.51.100.128/29",)),
    Zone("rbx", "127.0.0.2", None, ("198.51.100.136/29",)),
)


@dataclass(frozen=True)
class Settings:
    service: str = "loadbalancer-0123456789abcdef"
    address: str = "198.51.100.25"
    zones: tuple[Zone, ...] = DEFAULT_ZONES
    failover: tuple[str, ...] = ("127.0.0.3/32",)
    vrack: str = "pn-1"
    port_offset: int = 10000
    time_scale: float = 1.0
    directory: Path = Path(".")
    haproxy: bool = True


# There from the start: a certificate, and a network where the service starts inside a vRack.
SERVICE_ID = 1
GIVEN_CERTIFICATE = 401
GIVEN_NETWORK = 301
NETWORK_VALUES: dict[str, Any] = {
    "displayName": "simulated",
    "farmId": [],
    "natIp": "10.0.0.0/28",
    "subnet": "10.0.0.0/16",
    "vlan": 0,
}
REFRESH = "refreshIplb"


@dataclass
class Task:
    """``effective`` is off for the second refresh that changes nothing."""

    id: int
    action: str
    zones: list[str]
    creation_date: str
    effective: bool = True
    status: str = "todo"
    progress: int = 0
    done_date: str | None = None
    comment: str = ""

    @property
    def running(self) -> bool:
        return self.status in ("todo", "doing")

    def view(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "creationDate": self.creation_date,
            "doneDate": self.done_date,
            "id": self.id,
            "progress": self.progress,
            "status": self.status,
            "zones": self.zones,
        }


class Page(NamedTuple):
    """A list as it was once read in bulk."""

    read: float  # monotonic
    objects: list[Any]


class Change(NamedTuple):
    """One write that waits for a refresh. ``in_all``: the object is in zone all."""

    id: int
    in_all: bool


@dataclass
class State:
    """What a reset returns to its start."""

    staged: Configuration = field(default_factory=Configuration)
    live: dict[str, Configuration] = field(default_factory=dict)
    pending: dict[str, list[Change]] = field(default_factory=dict)  # zone -> writes since its last refresh
    tasks: dict[int, Task] = field(default_factory=dict)
    quota_alert: dict[str, int | None] = field(default_factory=dict)
    health: dict[str, dict[str, Any]] = field(default_factory=dict)  # server address -> fields of ServerState
    pages: dict[str, Page] = field(default_factory=dict)
    catalogues: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # laid over those of ``catalogue``
    vrack: str | None = None  # what was last asked for, by state; None: the switch says
    clock_skew: float = 0.0


class Simulator:
    def __init__(self, settings: Settings, switches: Switches) -> None:
        self.settings = settings
        self.switches = switches
        self.state = State()
        # Real ids are unique in their kind only, and big; one sequence for all makes mixed-up ids visible as 404.
        self.ids = itertools.count(70001)
        self.random = random.Random(0)
        self.given_certificate = self_signed("simulator.example")
        self._give()

    def reset(self, switches: dict[str, Any]) -> None:
        self.switches.reset(switches)
        self.state = State()
        self._give()

    def _give(self) -> None:
        """Puts in place what is there from the start."""
        material = {**asdict(self.given_certificate), "chain": None}
        uploaded = {**material, "displayName": "simulated", "type": "custom"}
        service = {"displayName": None, "sslConfiguration": None}
        self.state.staged.add(Record(SERVICE, SERVICE_ID, None, service, given=True))
        self.state.staged.add(Record(CERTIFICATE, GIVEN_CERTIFICATE, None, uploaded, given=True))
        self.follow_switches()

    def follow_switches(self) -> None:
        """Inside a vRack from the start: with a network. One that was attached with a call starts without."""
        if self.state.vrack is not None:
            return
        network = self.state.staged.find(VRACK_NETWORK.name, GIVEN_NETWORK)
        if self.in_vrack and network is None:
            self.state.staged.add(Record(VRACK_NETWORK, GIVEN_NETWORK, None, dict(NETWORK_VALUES), given=True))
        if network and not self.in_vrack:
            self.state.staged.remove(network)

    @property
    def service(self) -> Record:
        return self.state.staged.records[SERVICE_ID]

    @property
    def vrack_state(self) -> str:
        """VrackStateEnum: inactive, activating, active, deactivating."""
        return self.state.vrack or self.switches["vrack"]

    @property
    def in_vrack(self) -> bool:
        return self.vrack_state == "active"

    @property
    def zone_names(self) -> list[str]:
        return [zone.name for zone in self.settings.zones]

    def now(self) -> float:
        return time.time() + self.state.clock_skew

    def date(self, timestamp: float | None = None) -> str:
        moment = self.now() if timestamp is None else timestamp
        return datetime.fromtimestamp(moment, API_TIMEZONE).isoformat(timespec="seconds")

    def deployed_in(self, zone: str | None) -> list[str]:
        """Names of the zones that ``zone``, ``all`` or None stands for."""
        if zone is None:
            return []
        return self.zone_names if zone == ALL else [zone]

    def touch(self, record: Record, *zones: str | None) -> None:
        """Counts one write of ``record``, which was or is in ``zones``, in each of the zones it concerns."""
        if record.resource in (CERTIFICATE, SERVICE) and not self.switches.on("tls_changes_count"):
            return
        for place in set(zones):
            for zone in self.deployed_in(place):
                self.state.pending.setdefault(zone, []).append(Change(record.id, place == ALL))

    def pending_changes(self) -> list[dict[str, Any]]:
        counts = {zone: self.count_pending(zone, self.state.pending.get(zone, [])) for zone in self.zone_names}
        if self.switches["zone_counts_for_all"] == "all":
            counts = self._with_entry_for_all()
        with_zero = self.switches.on("pending_zero_entries")
        return [{"number": number, "zone": zone} for zone, number in counts.items() if number or with_zero]

    def _with_entry_for_all(self) -> dict[str, int]:
        counts = {ALL: 0}
        for zone in self.zone_names:
            changes = self.state.pending.get(zone, [])
            counts[zone] = self.count_pending(zone, [change for change in changes if not change.in_all])
            in_all = self.count_pending(zone, [change for change in changes if change.in_all])
            counts[ALL] = max(counts[ALL], in_all)
        return counts

    def count_pending(self, zone: str, changes: list[Change]) -> int:
        counting = self.switches["pending_counting"]
        if counting == "writes":
            return len(changes)
        ids = {change.id for change in changes}
        if counting == "objects":
            return len(ids)
        return sum(self._differs(zone, id_) for id_ in ids)

    def _differs(self, zone: str, id_: int) -> bool:
        return _values(self.state.staged, zone, id_) != _values(self.state.live.get(zone, Configuration()), zone, id_)

    def refresh_running(self) -> bool:
        return any(task.running for task in self.state.tasks.values() if task.action == REFRESH)

    def shuffled(self, values: list[Any]) -> list[Any]:
        if not self.switches.on("lists_shuffled"):
            return list(values)
        return self.random.sample(values, len(values))


def _values(configuration: Configuration, zone: str, id_: int) -> dict[str, Any] | None:
    record = configuration.records.get(id_)
    if record is None or configuration.zone_of(record) not in (zone, ALL):
        return None
    return record.values
