# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what to do: (table, desired, snapshot) -> ordered operations. Pure: no I/O, no Ansible. Private to the
collection.

It walks the table and names no resource. The order is that of the table, in which each resource refers only to what
stands before it: so everything comes after what it refers to, and goes before.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import Desired, DesiredObject
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.difference import changed_fields, creation
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.identity import Family, Pair, match
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.keys import key_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Absence, End, Operation, Plan, Ref
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.reach import Reach, Zones
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.references import (
    check_zones,
    held,
    plain,
    refs_of,
    resolve,
    shown,
    shown_change,
    with_held,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.replacement import (
    Replacement,
    copy_of,
    like,
    replacements,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import RESOURCES, child_of, referrers
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed, Snapshot
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import (
    ALL_ZONES,
    Resource,
    Values,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import check_together


def make_plan(desired: Desired, snapshot: Snapshot) -> Plan:
    """The operations that bring a service to the desired state.

    :raises InvalidInput: when the desired state is ambiguous, contradicts itself or can not be reached.
    """
    return _Planner(desired, snapshot).plan()


@dataclass(frozen=True)
class _Parent:
    """An object that may have children: its entry, its end, itself as it is, and the one that it replaces."""

    wanted: DesiredObject
    end: End
    found: Observed | None
    old: Observed | None = None


class _Planner:
    def __init__(self, desired: Desired, snapshot: Snapshot) -> None:
        self._desired = desired
        self._snapshot = snapshot
        self._in: list[Operation] = []
        self._out: dict[str, list[Operation]] = {resource.kind: [] for resource in RESOURCES}
        self._reach = Reach(snapshot.zones)
        self._ends: list[End] = []
        self._parents: dict[str, list[_Parent]] = {}
        self._later: list[Operation] = []
        self._successors: dict[tuple[str, str, int | None], Ref] = {}
        self._notices: list[str] = []
        self._absences: set[Absence] = set()
        self._twins: set[Absence] = set()

    def plan(self) -> Plan:
        for resource in RESOURCES:
            if resource.parent:
                self._plan_children(resource)
            else:
                self._plan_objects(resource)
        gone = [operation for resource in reversed(RESOURCES) for operation in self._out[resource.kind]]
        self._check_unused(gone + self._later)
        return Plan(
            self._in + gone + self._later,
            frozenset(self._reach.zones),
            self._ends,
            [(Ref(*old[:2], "", old[2]), new) for old, new in self._successors.items()],
            self._notices,
            self._absences,
            self._twins,
        )

    # Objects and their children

    def _plan_objects(self, resource: Resource) -> None:
        existing = self._snapshot.of(resource)
        pairs, replaced = replacements(
            resource, match(resource, self._desired.of(resource), existing, Family()), existing
        )
        for place, (wanted, found) in enumerate(pairs):
            if _is_there_to_be(wanted, found):
                end = self._object(resource, wanted, found)
                old = self._succeed(replaced[place], end) if place in replaced else None
                self._parents.setdefault(resource.kind, []).append(_Parent(wanted, end, found, old))
            elif found is None:
                self._note_absence(resource, wanted.protocol)
                # What an earlier run deleted may not be live yet: the zones where it was are the task's all the same.
                self._reach.at(wanted.zone or ALL_ZONES)
        if resource.kind in self._desired.purge:
            self._reach.at(ALL_ZONES)
        succeeded = [item.old for item in replaced.values() if not item.stays]
        going = [item for item in self._to_go(pairs, existing) if item not in succeeded]
        for item in going:
            self._note_absence(resource, item.protocol)
            self._delete_with_children(item)
        named = {found.identity for _wanted, found in pairs if found}
        for item in existing:
            if item.identity not in named and item not in going + succeeded:
                self._leave_alone(item)

    def _succeed(self, replaced: Replacement, end: End) -> Observed | None:
        """Lead whatever leads to the old object to the new one, and let the old one go once that is live."""
        old = replaced.old
        for item in (old, *replaced.others):
            self._successors[item.resource.kind, item.protocol, item.id] = end.ref
        if replaced.stays:
            key = key_of(old.resource, old.protocol, old.values)
            self._notices.append(f"{old.resource.kind} {key} ({old.id}) stays beside the new one: {replaced.stays}")
            return None
        self._delete_with_children(old, phase=1)
        return old

    def _to_go(self, pairs: t.Sequence[Pair], existing: t.Sequence[Observed]) -> list[Observed]:
        """What the task declares absent, and with a purge what it does not name."""
        named = {found.identity for _wanted, found in pairs if found}
        return [found for wanted, found in pairs if found and not wanted.present] + [
            item
            for item in existing
            if item.identity not in named and self._desired.purges(item.resource, item.protocol)
        ]

    def _plan_children(self, resource: Resource) -> None:
        for parent in self._parents.get(resource.parent, ()):
            self._plan_children_of(resource, parent)

    def _plan_children_of(self, resource: Resource, parent: _Parent) -> None:
        end, found = parent.end, parent.found
        existing = self._snapshot.children(resource, end.protocol, found.id) if found else []
        family = Family(found.values if found else end.values, end.values)
        listed = parent.wanted.children is not None
        purges = listed and (resource.owned or self._desired.purges(resource, end.protocol))
        entries = tuple(parent.wanted.children or ())
        if parent.old:
            entries = self._with_those_of_the_old(resource, parent, parent.old, purges)
        pairs = match(resource, entries, existing, family)
        for entry, child in pairs:
            if entry.present:
                self._object(resource, entry, child, end)
            elif child is None:
                self._note_absence(resource, end.protocol, end.id)
        named = {child.id for _entry, child in pairs if child}
        going = {child.id for entry, child in pairs if child and not entry.present}
        if purges:
            going |= {child.id for child in existing} - named
        if going:
            self._note_absence(resource, end.protocol, end.id)
            self._note_twins(end.ref)
        for child in existing:
            if child.id in going:
                self._delete(child, end.key, end.values, end.zones, end.ref)
            elif child.id not in named:
                self._leave_alone(child, end)

    def _with_those_of_the_old(
        self, resource: Resource, parent: _Parent, old: Observed, purges: bool
    ) -> tuple[DesiredObject, ...]:
        """The entries of the task, with all that the children of the replaced object have and they do not say."""
        children = self._snapshot.children(resource, old.protocol, old.id)
        pairs = match(resource, parent.wanted.children or (), children, Family(old.values, parent.end.values))
        named = {child.id for _entry, child in pairs if child}
        rest = [] if purges else [child for child in children if child.id not in named]
        return (
            *(like(entry, child) if child else entry for entry, child in pairs),
            *(copy_of(resource, parent.wanted, child) for child in rest),
        )

    # One object

    def _object(
        self, resource: Resource, wanted: DesiredObject, found: Observed | None, parent: End | None = None
    ) -> End:
        current = found.values if found else {}
        values = resolve(wanted, wanted.zone or current.get("zone"), self._ends)
        if found is None:
            end = self._create(resource, wanted, values, parent)
        else:
            end = self._change(wanted, found, changed_fields(wanted, values, current, parent), parent)
        check_together(resource, end.values, wanted.where)
        self._ends.append(end)
        return end

    def _create(self, resource: Resource, wanted: DesiredObject, values: Values, parent: End | None) -> End:
        if wanted.reference:
            raise InvalidInput(f"{wanted.where} does not exist; create it first, or correct the name, zone or protocol")
        if wanted.id is not None and parent:
            raise InvalidInput(
                f"{wanted.where}: {resource.id_option} {wanted.id} does not exist in {parent.resource.kind} "
                f"{parent.key}"
            )
        values = creation(wanted, values)
        end = self._end(resource, wanted.protocol, values, parent, None, wanted.where)
        check_zones(end, values, self._ends)
        siblings = self._snapshot.of(resource)
        if parent:
            siblings = self._snapshot.children(resource, wanted.protocol, parent.id)
        known = frozenset(item.id for item in siblings if item.protocol == wanted.protocol)
        self._note_absence(resource, wanted.protocol, parent.id if parent else None)
        self._note_named(end, values)
        self._in.append(
            Operation(
                "create",
                resource,
                wanted.protocol,
                end.key,
                end.zones,
                {},
                shown(resource, values),
                values,
                parent=end.parent,
                known_ids=known,
            )
        )
        return end

    def _change(self, wanted: DesiredObject, found: Observed, changes: Values, parent: End | None) -> End:
        before = self._end(found.resource, found.protocol, found.values, parent, found.id, wanted.where)
        changes = self._led_to_successors(found, changes, before)
        after = self._end(found.resource, found.protocol, {**found.values, **changes}, parent, found.id, wanted.where)
        after.ref = before.ref  # an object that is renamed is found under the name it has now
        if changes:
            self._update(found, before, after, changes)
        return after

    def _update(self, found: Observed, before: End, after: End, changes: Values) -> None:
        check_zones(after, changes, self._ends)
        if found.resource.parent or self._is_read(found.resource.kind, found.protocol):
            self._twins.add(Absence(found.resource.kind, found.protocol, found.parent_id or 0))
        self._note_named(after, changes)
        old = {name: found.values.get(name) for name in changes}
        for reference in found.resource.references:
            if before.references[reference.field] and held(reference, old):
                old = with_held(reference, old, before.references[reference.field])
        told, tells = shown_change(found.resource, old, changes)
        names = {**dict.fromkeys(told), **dict.fromkeys(tells)}
        self._in.append(
            Operation(
                "update",
                found.resource,
                found.protocol,
                before.key,
                tuple(sorted({*before.zones, *after.zones})),
                {name: told.get(name) for name in names},
                {name: tells.get(name) for name in names},
                changes,
                id=found.id,
                parent=after.parent,
            )
        )

    def _leave_alone(self, found: Observed, parent: End | None = None) -> None:
        """What no entry names stays as it is, but for what it leads to that is replaced."""
        before = self._end(found.resource, found.protocol, found.values, parent, found.id, None)
        changes = self._led_to_successors(found, {}, before)
        end = before
        if changes:
            end = self._end(found.resource, found.protocol, {**found.values, **changes}, parent, found.id, None)
            self._update(found, before, end, changes)
        self._ends.append(replace(end, named=False))

    def _led_to_successors(self, found: Observed, changes: Values, before: End) -> Values:
        """The changes, and for each reference that they leave alone the successor of what it leads to."""
        for reference in found.resource.references:
            ref = before.references[reference.field]
            successor = ref and self._successors.get((ref.kind, ref.protocol, ref.id))
            name = reference.within or reference.field
            if successor and name not in changes:
                changes = {**changes, name: with_held(reference, found.values, successor)[name]}
        return changes

    def _end(
        self,
        resource: Resource,
        protocol: str,
        values: Values,
        parent: End | None,
        identifier: int | None,
        where: str | None,
    ) -> End:
        """An object as it will be; with ``where``, for messages, its zones become those of the task."""
        key = key_of(resource, protocol, values, parent.key if parent else "", parent.values if parent else None)
        references = refs_of(resource, protocol, values, self._ends)
        return End(
            resource,
            Ref(resource.kind, protocol, key, identifier),
            {known.name: plain(known, values[known.name]) for known in resource.fields if known.name in values},
            self._reach.of_object(resource, values, parent, self._led_to(resource, references), where),
            references,
            parent.ref if parent else None,
        )

    def _led_to(self, resource: Resource, references: dict[str, Ref | None]) -> Zones | None:
        """The zones of what an object is deployed with, where a field of it says with what."""
        ref = references.get(resource.zones)
        return next((end.zones for end in self._ends if end.ref == ref), None) if ref else None

    def _note_absence(self, resource: Resource, protocol: str, parent_id: int | None = None) -> None:
        if parent_id or not resource.parent:
            self._absences.add(Absence(resource.kind, protocol, parent_id or 0))

    def _note_named(self, end: End, changes: Values) -> None:
        """Of what a name leads to there must be one only: of the parent, and of what the changes refer to."""
        references = end.resource.references
        led_to = [end.references[item.field] for item in references if (item.within or item.field) in changes]
        for ref in (end.parent, *led_to):
            self._note_twins(ref)

    def _note_twins(self, ref: Ref | None) -> None:
        if ref and ref.id and self._is_read(ref.kind, ref.protocol):
            self._twins.add(Absence(ref.kind, ref.protocol, 0))

    def _is_read(self, kind: str, protocol: str) -> bool:
        """Whether every object of it was read, rather than those with the ids that the task names."""
        return (kind, protocol) in self._snapshot.read

    # Going

    def _delete_with_children(self, found: Observed, phase: int = 0) -> None:
        child = child_of(found.resource)
        end = self._end(found.resource, found.protocol, found.values, None, found.id, None)
        self._reach.zones.update(end.zones)
        for other, _reference in referrers(found.resource.kind):
            for protocol in other.protocols:
                if protocol == found.protocol or protocol not in found.resource.protocols:
                    self._note_absence(other, protocol)
        if child and not child.cascades:
            self._note_absence(child, found.protocol, found.id)
            for item in self._snapshot.children(child, found.protocol, found.id):
                self._delete(item, end.key, found.values, end.zones, end.ref, phase)
        self._delete(found, "", None, end.zones, None, phase)

    def _delete(
        self,
        found: Observed,
        parent_key: str,
        parent: Values | None,
        zones: Zones,
        parent_ref: Ref | None,
        phase: int = 0,
    ) -> None:
        before = {name: value for name, value in found.values.items() if value not in (None, [], "")}
        operations = self._later if phase else self._out[found.resource.kind]
        operations.append(
            Operation(
                "delete",
                found.resource,
                found.protocol,
                key_of(found.resource, found.protocol, found.values, parent_key, parent),
                zones,
                before,
                {},
                id=found.id,
                parent=parent_ref,
                phase=phase,
            )
        )

    def _check_unused(self, gone: t.Sequence[Operation]) -> None:
        for operation in gone:
            users = [
                f"{end.resource.kind} {end.key} ({end.id or 'new'}, {reference.name_option})"
                for end in self._ends
                for reference in end.resource.references
                if _leads_to(end.references[reference.field], operation)
            ]
            if users:
                raise InvalidInput(
                    f"{operation.resource.kind} {operation.key} can not be deleted: it is what {', '.join(users)} "
                    f"leads to; delete the {users[0].partition(' ')[0]} or lead it elsewhere, before or in one task of "
                    "load_balancer"
                )


def _is_there_to_be(wanted: DesiredObject, found: Observed | None) -> bool:
    """Whether the object is to exist, and has to: not where only children are to go from what is not there."""
    if wanted.reference and found is None:
        return any(child.present for child in wanted.children or ())
    return wanted.present


def _leads_to(ref: Ref | None, operation: Operation) -> bool:
    return ref is not None and (ref.kind, ref.protocol, ref.id) == (
        operation.resource.kind,
        operation.protocol,
        operation.id,
    )
