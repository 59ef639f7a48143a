# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan is made of. No I/O. Private to the collection."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import Resource, Values


@dataclass(frozen=True)
class FarmRef:
    """A farm of the end state: ``id`` is None until the farm has been created."""

    protocol: str
    key: str
    id: int | None = None


@dataclass(frozen=True)
class Operation:
    """One write.

    ``before`` and ``after`` are for people: only the fields that change, farms by name. ``values`` is what is sent,
    by field name; a ``default_farm_id`` may be a FarmRef. ``known_ids`` are the ids that existed before, so that a
    creation whose answer was lost can be told from what was there.
    """

    action: str  # create, update, delete
    resource: Resource
    protocol: str
    key: str
    zones: tuple[str, ...]
    before: Values
    after: Values
    values: Values = field(default_factory=dict)
    id: int | None = None
    farm: FarmRef | None = None
    known_ids: frozenset[int] = frozenset()

    def report(self, identifier: int | None = None) -> Values:
        """The operation as it stands in a module's result."""
        return {
            "action": self.action,
            "kind": self.resource.kind,
            "protocol": self.protocol,
            "key": self.key,
            "id": self.id if identifier is None else identifier,
            "before": self.before,
            "after": self.after,
            "zones": list(self.zones),
        }


@dataclass
class EndServer:
    """A server as it will be; ``id`` is None until it has been created."""

    key: str
    values: Values
    id: int | None = None


@dataclass
class EndFarm:
    ref: FarmRef
    values: Values
    servers: list[EndServer] = field(default_factory=list)


@dataclass
class EndFrontend:
    key: str
    protocol: str
    values: Values
    id: int | None = None
    farm: FarmRef | None = None


@dataclass
class Plan:
    """Operations in legal order, the zones the task speaks of, and the objects it names as they will be."""

    operations: list[Operation]
    zones: frozenset[str]
    farms: list[EndFarm]
    frontends: list[EndFrontend]
