# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One configuration of the service: what is staged, or what is live in a zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from .schema import Resource

ALL = "all"
# What every zone has: the service's own settings, and certificates.
EVERYWHERE = ("service", "ssl")


@dataclass
class Record:
    """One object. ``values`` has every stored field of the resource; ``parent`` is a farm's or route's id.

    Values are replaced, never changed in place: copies of a configuration share them.
    ``given``: it was there from the start and nobody created it.
    """

    resource: Resource
    id: int
    parent: int | None
    values: dict[str, Any]
    given: bool = False


class Configuration:
    """``records`` by id, oldest first; and by name and parent, for services with thousands of servers."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self._groups: dict[tuple[str, int | None], dict[int, Record]] = {}

    def add(self, record: Record) -> None:
        self.records[record.id] = record
        self._groups.setdefault((record.resource.name, record.parent), {})[record.id] = record

    def copy(self) -> Configuration:
        copied = Configuration()
        for record in self.records.values():
            copied.add(replace(record))
        return copied

    def find(self, name: str, id_: int, parent: int | None = None) -> Record | None:
        """``name`` is a resource name such as ``tcp/farm``."""
        return self._groups.get((name, parent), {}).get(id_)

    def select(self, name: str, parent: int | None = None) -> list[Record]:
        return list(self._groups.get((name, parent), {}).values())

    def kind(self, kind: str, protocol: str | None = None) -> Iterator[Record]:
        for name, parent in list(self._groups):
            its_protocol, its_kind = name.rpartition("/")[::2]
            if its_kind == kind and protocol in (None, its_protocol):
                yield from self.select(name, parent)

    def routes_of(self, frontend: Record) -> list[Record]:
        """Routes in evaluation order: reject and redirect before farm, then weight, then age (guide "create route")."""
        routes = self.kind("route", frontend.resource.protocol)
        return sorted((route for route in routes if route.values["frontendId"] == frontend.id), key=evaluation_order)

    def zone_of(self, record: Record) -> str | None:
        """The zone in which a change of this object takes effect; None for a detached route."""
        if record.resource.name in EVERYWHERE:
            return ALL
        if "zone" in record.values:
            return str(record.values["zone"])
        if record.resource.kind == "route":
            frontend = self.records.get(record.values["frontendId"])
            return str(frontend.values["zone"]) if frontend else None
        parent = self.records.get(record.parent or 0)
        return self.zone_of(parent) if parent else None

    def in_zone(self, zone: str) -> list[Record]:
        return [record for record in self.records.values() if self.zone_of(record) in (zone, ALL)]

    def remove(self, record: Record) -> None:
        """Removes the object and what lives inside it (servers, rules)."""
        inside = [group for group in self._groups if group[1] == record.id]
        for child in [child for group in inside for child in self._groups.pop(group)]:
            del self.records[child]
        del self.records[record.id]
        del self._groups[record.resource.name, record.parent][record.id]


def evaluation_order(route: Record) -> tuple[bool, int, int]:
    return (route.values["action"]["type"] == "farm", route.values["weight"], route.id)
