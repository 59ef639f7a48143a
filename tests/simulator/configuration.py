# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One configuration of the service: what is staged, or what is live in a zone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .schema import Resource

ALL = "all"


@dataclass
class Record:
    """One object. ``values`` has every stored field of the resource; ``parent`` is a farm's or route's id."""

    resource: Resource
    id: int
    parent: int | None
    values: dict[str, Any]


class Configuration:
    def __init__(self, records: dict[int, Record] | None = None) -> None:
        self.records = records or {}

    def copy(self) -> Configuration:
        # Resources are the shared, frozen table: copy the values alone.
        return Configuration(
            {
                id_: Record(record.resource, record.id, record.parent, copy.deepcopy(record.values))
                for id_, record in self.records.items()
            }
        )

    def find(self, name: str, id_: int, parent: int | None = None) -> Record | None:
        """``name`` is a resource name such as ``tcp/farm``."""
        record = self.records.get(id_)
        if record is None or record.resource.name != name or record.parent != parent:
            return None
        return record

    def select(self, name: str, parent: int | None = None) -> list[Record]:
        return [record for record in self.kind(name.split("/")[1], name.split("/")[0]) if record.parent == parent]

    def kind(self, kind: str, protocol: str | None = None) -> Iterator[Record]:
        for record in self.records.values():
            if record.resource.kind == kind and protocol in (None, record.resource.protocol):
                yield record

    def routes_of(self, frontend: Record) -> list[Record]:
        """Routes in evaluation order: reject and redirect before farm, then weight, then age (guide "create route")."""
        routes = self.kind("route", frontend.resource.protocol)
        return sorted((route for route in routes if route.values["frontendId"] == frontend.id), key=evaluation_order)

    def zone_of(self, record: Record) -> str | None:
        """The zone in which a change of this object takes effect; None for a detached route."""
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
        children = [child.id for child in self.records.values() if child.parent == record.id]
        for id_ in (record.id, *children):
            del self.records[id_]


def evaluation_order(route: Record) -> tuple[bool, int, int]:
    return (route.values["action"]["type"] == "farm", route.values["weight"], route.id)
