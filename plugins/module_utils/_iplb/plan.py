# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan is made of. No I/O. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from itertools import groupby

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import Resource, Values


@dataclass(frozen=True)
class Ref:
    """An object of the end state: ``id`` is None until it has been created."""

    kind: str
    protocol: str
    key: str
    id: int | None = None


@dataclass(frozen=True)
class Operation:
    """One write.

    ``before`` and ``after`` are for people: only the fields that change, what they refer to by name. ``values`` is what
    is sent, by field name; a Ref in it stands for the id of that object. ``known_ids`` are the ids that existed before,
    so that a creation whose answer was lost can be told from what was there. ``phase`` counts the refreshes that come
    before it: what it takes away must not be live any more.
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
    parent: Ref | None = None
    known_ids: frozenset[int] = frozenset()
    phase: int = 0

    @property
    def stage(self) -> tuple[int, bool, str]:
        """Operations of one stage do not depend on each other."""
        return self.phase, self.action == "delete", self.resource.kind

    def report(self, identifier: int | None = None) -> Values:
        """The operation as it stands in a module's result."""
        return {
            "action": self.action,
            "kind": self.resource.kind,
            "protocol": self.protocol or None,
            "key": self.key,
            "id": self.id if identifier is None else identifier,
            "before": self.before,
            "after": self.after,
            "zones": list(self.zones),
        }


@dataclass(frozen=True)
class Change:
    """A write beside those of objects, by option: of the service itself, or the order of a free certificate.

    ``zones`` are those that it has to be deployed in.
    """

    kind: str
    key: str
    before: Values
    after: Values
    zones: tuple[str, ...] = ()
    action: str = "update"
    id: int | None = None

    @property
    def leaves_vrack(self) -> bool:
        return "vrack" in self.after and self.after["vrack"] is None

    def report(self, identifier: int | None = None) -> Values:
        """The change as it stands in a module's result, beside the operations."""
        return {
            "action": self.action,
            "kind": self.kind,
            "protocol": None,
            "key": self.key,
            "id": self.id if identifier is None else identifier,
            "before": self.before,
            "after": self.after,
            "zones": list(self.zones),
        }


@dataclass
class End:
    """An object as it will be. ``references`` by field; ``named`` is whether the task speaks of it."""

    resource: Resource
    ref: Ref
    values: Values
    zones: tuple[str, ...] = ()
    references: dict[str, Ref | None] = field(default_factory=dict)
    parent: Ref | None = None
    named: bool = True

    @property
    def protocol(self) -> str:
        return self.ref.protocol

    @property
    def key(self) -> str:
        return self.ref.key

    @property
    def id(self) -> int | None:
        return self.ref.id


class Absence(t.NamedTuple):
    """A list on whose silence a plan is built.

    ``parent_id`` is 0 for what has no parent.
    """

    kind: str
    protocol: str
    parent_id: int


@dataclass
class Plan:
    """Operations in legal order, the zones the task speaks of, and the objects it knows of as they will be.

    ``successors`` are old and new of what takes the place of another, and must be healthy before that goes. ``notices``
    are for the operator. ``absences`` are of what is made, or is not there to be deleted, ``twins`` of what the task
    could mean as well. ``aside`` is what is written beside the operations.
    """

    operations: list[Operation]
    zones: frozenset[str]
    ends: list[End]
    successors: list[tuple[Ref, Ref]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    absences: set[Absence] = field(default_factory=set)
    twins: set[Absence] = field(default_factory=set)
    aside: Change | None = None

    def phases(self) -> list[list[Operation]]:
        """The operations between two refreshes: those of a later phase take away what must not be live any more."""
        return [list(operations) for _phase, operations in groupby(self.operations, key=lambda item: item.phase)]

    def of(self, resource: Resource) -> list[End]:
        """The objects of a kind that the task names, as they will be."""
        return [end for end in self.ends if end.resource == resource and end.named]

    def children(self, resource: Resource, parent: Ref) -> list[End]:
        """All children of an object whose children the task lists."""
        return [end for end in self.ends if end.resource == resource and end.parent == parent]
