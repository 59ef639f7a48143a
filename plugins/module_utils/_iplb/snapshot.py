# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observed state of a service, read with as few calls as the task needs. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import NOT_AS_DESCRIBED, Api, segment
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.lists import Lists
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import Absence
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    BY_KIND,
    FARM,
    FRONTEND,
    RESOURCES,
    ROUTE,
    SERVER,
    child_of,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import (
    ALL_ZONES,
    PROTOCOLS,
    Resource,
    Values,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.values import facts_from_api, from_api

TASK_FIELDS = ("id", "status")  # without which a task tells nothing
Protocols = t.Mapping[str, t.AbstractSet[str]]  # by kind


@dataclass(frozen=True)
class Observed:
    """One object of the service. ``values`` by field name, canonical; ``facts`` are what nobody can write."""

    resource: Resource
    protocol: str
    id: int
    values: Values
    parent_id: int | None = None
    facts: Values = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, int]:
        """Ids are only unique within a protocol's kind of object."""
        return self.protocol, self.id

    @property
    def name(self) -> str | None:
        return self.values.get("display_name")

    @property
    def server_state(self) -> tuple[Values, ...]:
        """The health of a server, as each instance of the load balancer sees it, in the API's own words."""
        return tuple(state for state in self.facts.get("server_state", ()) if isinstance(state, dict))


@dataclass
class Snapshot:
    """What was read of a service. ``zones`` are its subscribed zones, ``pending`` the changes waiting in each zone.

    ``read`` are the kinds and protocols of which every object is there, and ``filtered`` the kinds, protocols and
    parents of which only some were asked for.
    """

    service_name: str
    zones: list[str]
    service: Values = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    objects: dict[str, list[Observed]] = field(default_factory=dict)
    read: set[tuple[str, str]] = field(default_factory=set)
    filtered: dict[tuple[str, str, int | None], Values] = field(default_factory=dict)

    def of(self, resource: Resource) -> list[Observed]:
        return self.objects.setdefault(resource.kind, [])

    def children(self, resource: Resource, protocol: str, parent_id: int | None) -> list[Observed]:
        return [item for item in self.of(resource) if (item.protocol, item.parent_id) == (protocol, parent_id)]

    def find(self, kind: str, protocol: str, identifier: int | None) -> Observed | None:
        return next((item for item in self.objects.get(kind, ()) if item.identity == (protocol, identifier)), None)


@dataclass(frozen=True)
class Scope:
    """What a task needs to know: of which kinds every object, by protocol, and of which objects the children.

    ``parents`` are kind and display name or id of those objects; of the kinds in ``every_parent`` it is all. ``ids``
    are, by kind and protocol, the only objects of it that the task is about, and ``address`` that of the only child.
    """

    kinds: Protocols = field(default_factory=dict)
    parents: frozenset[tuple[str, t.Any]] = frozenset()
    every_parent: frozenset[str] = frozenset()
    ids: t.Mapping[tuple[str, str], frozenset[int]] = field(default_factory=dict)
    address: str | None = None

    def wants_children_of(self, item: Observed) -> bool:
        kind = item.resource.kind
        return kind in self.every_parent or not self.parents.isdisjoint({(kind, item.id), (kind, item.name)})


class Reader:
    """Reads one service."""

    def __init__(self, api: Api, service_name: str, bulk: bool = False) -> None:
        self._api = api
        self._name = service_name
        self.lists = Lists(api, bulk)
        self.root = f"/ipLoadbalancing/{segment(service_name)}"

    def by_single_reads(self) -> Reader:
        """Another one of the same service, which takes no list for whole."""
        return Reader(self._api, self._name)

    def snapshot(self, scope: Scope) -> Snapshot:
        service = self.service()
        zones = zones_of(service)
        snapshot = Snapshot(self._name, zones, service, by_zone(self.pending(), zones))
        for resource in RESOURCES:
            if not resource.parent:
                self._add_named(snapshot, resource, scope)
                self._add_children(snapshot, resource, scope)
        return snapshot

    def _add_named(self, snapshot: Snapshot, resource: Resource, scope: Scope) -> None:
        protocols = sorted(scope.kinds.get(resource.kind, ()))
        self.add(snapshot, resource, [item for item in protocols if (resource.kind, item) not in scope.ids])
        for protocol in protocols:
            wanted = sorted(scope.ids.get((resource.kind, protocol), ()))
            path = self.path(resource, protocol)
            answers = self.lists.objects([f"{path}/{item}" for item in wanted])
            snapshot.of(resource).extend(
                observed(resource, protocol, {**answer, resource.id_api: item})
                for item, answer in zip(wanted, answers)
                if answer is not None
            )

    def add(self, snapshot: Snapshot, resource: Resource, protocols: t.Iterable[str]) -> None:
        """Read all objects of a kind, where that has not been done."""
        missing = [protocol for protocol in protocols if (resource.kind, protocol) not in snapshot.read]
        snapshot.of(resource).extend(self.objects(resource, missing))
        snapshot.read.update((resource.kind, protocol) for protocol in missing)

    def _add_children(self, snapshot: Snapshot, resource: Resource, scope: Scope) -> None:
        child = child_of(resource)
        parents = [item for item in snapshot.of(resource) if scope.wants_children_of(item)]
        if child and parents:
            owners = [item.identity for item in parents]
            query = {"address": scope.address}
            found = self.read(child, owners, query) if scope.address else []
            # A filtered list that is empty proves nothing.
            if found:
                snapshot.filtered.update(((child.kind, *owner), query) for owner in owners)
            snapshot.of(child).extend(found or self.children(child, owners))

    def complete(self, snapshot: Snapshot, absences: t.Iterable[Absence]) -> bool:
        """Read whole what was filtered and now is to prove that something is not there; whether there was any."""
        due = snapshot.filtered.keys() & {(item.kind, item.protocol, item.parent_id or None) for item in absences}
        for kind, protocol, parent_id in due:
            some = snapshot.children(BY_KIND[kind], protocol, parent_id)
            others = [item for item in snapshot.objects[kind] if item not in some]
            snapshot.objects[kind] = others + self.read(BY_KIND[kind], [(protocol, parent_id)])
            del snapshot.filtered[kind, protocol, parent_id]
        return bool(due)

    def add_what_is_deployed(self, snapshot: Snapshot) -> None:
        """Every frontend, the routes where one leads nowhere else, and in a vRack every farm: what the rules for a
        deployable configuration are about."""
        self.add(snapshot, FRONTEND, self._defined(snapshot, FRONTEND))
        lonely = {item.protocol for item in snapshot.of(FRONTEND) if not _has_target(item)} & set(ROUTE.protocols)
        self.add(snapshot, ROUTE, sorted(lonely))
        if snapshot.service.get("vrackName"):
            self.add(snapshot, FARM, self._defined(snapshot, FARM))

    def _defined(self, snapshot: Snapshot, resource: Resource) -> list[str]:
        """The protocols that have any object of a kind: one call instead of a list for each."""
        unread = [protocol for protocol in PROTOCOLS if (resource.kind, protocol) not in snapshot.read]
        if not unread:
            return []
        used = self.defined(resource)
        snapshot.read.update((resource.kind, protocol) for protocol in unread if protocol not in used)
        return [protocol for protocol in unread if protocol in used]

    def defined(self, resource: Resource) -> set[str]:
        """The protocols that have any object of a kind, as far as the API tells it in one call."""
        if not resource.defined:
            return set(resource.protocols)
        return {str(item.get("type")) for item in self._api.get_list(f"{self.root}/{resource.defined}", dict)}

    def service(self) -> Values:
        try:
            return self._api.get_object(self.root)
        except ApiError as error:
            if error.status != 404:
                raise
            raise InvalidInput(f'service_name: "{self._name}" does not exist{self._visible_services()}') from None

    def _visible_services(self) -> str:
        try:
            names = self._api.get_list("/ipLoadbalancing", str)
        except ApiError:
            return "; check the name in the control panel"
        return f"; these credentials see {', '.join(names)}" if names else "; these credentials see no load balancer"

    def pending(self) -> dict[str, int]:
        """Number of waiting changes by zone, which may be ``all``; zones without are left out."""
        path = f"{self.root}/pendingChanges"
        answer = self._api.get_list(path, dict)
        if not all(isinstance(item.get("number") or 0, int) for item in answer):
            raise ApiError(NOT_AS_DESCRIBED, call=f"GET {path}")
        return {str(item.get("zone")).lower(): item["number"] for item in answer if item.get("number")}

    def task(self, identifier: int) -> Values | None:
        """A task of the service; None for one that is over: finished tasks are not kept for ever."""
        try:
            return self._api.get_object(f"{self.root}/task/{identifier}", *TASK_FIELDS)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    def path(self, resource: Resource, protocol: str, parent_id: int | None = None) -> str:
        return f"{self.root}/{resource.path.format(protocol=protocol, parent=parent_id)}"

    def objects(self, resource: Resource, protocols: t.Iterable[str]) -> list[Observed]:
        """All objects of these protocols, of a kind without parent."""
        return self.read(resource, [(protocol, None) for protocol in sorted(protocols)])

    def children(self, resource: Resource, parents: t.Iterable[tuple[str, int]]) -> list[Observed]:
        """The children of these parents (protocol, id)."""
        return self.read(resource, list(parents))

    def servers(self, farms: t.Iterable[tuple[str, int]]) -> list[Observed]:
        """Servers of these farms (protocol, id), with their health."""
        return self.children(SERVER, farms)

    def ids(
        self,
        owners: t.Sequence[tuple[Resource, str, int | None]],
        filtered: t.Mapping[tuple[str, str, int | None], Values] | None = None,
    ) -> list[list[int]]:
        """The plain lists of these kinds, protocols and parents, with the filters that some are to have."""
        filters = [(filtered or {}).get((owner[0].kind, *owner[1:]), {}) for owner in owners]
        return self.lists.ids([(self.path(*owner), query) for owner, query in zip(owners, filters)])

    def singly(self, items: t.Sequence[Observed]) -> list[Values | None]:
        """These objects, each read by itself; None for what is gone."""
        paths = [self.path(item.resource, item.protocol, item.parent_id) for item in items]
        return self.lists.objects([f"{path}/{item.id}" for path, item in zip(paths, items)])

    def renew(self, snapshot: Snapshot, resource: Resource, items: t.Sequence[Observed]) -> None:
        """Read these objects of a kind again, each by itself, and leave out those that are gone."""
        now = {
            item.identity: observed(resource, item.protocol, {**answer, resource.id_api: item.id}, item.parent_id)
            for item, answer in zip(items, self.singly(items))
            if answer is not None
        }
        others = [item for item in snapshot.of(resource) if item not in items]
        snapshot.objects[resource.kind] = [*others, *now.values()]

    def read(
        self, resource: Resource, owners: t.Sequence[tuple[str, int | None]], query: Values | None = None
    ) -> list[Observed]:
        """The objects of the lists of these owners: protocol, and id of the parent if there is one."""
        answers = self.lists.read(resource, [self.path(resource, *owner) for owner in owners], query)
        return [
            observed(resource, protocol, answer, parent_id)
            for (protocol, parent_id), objects in zip(owners, answers)
            for answer in objects
        ]


def observed(resource: Resource, protocol: str, answer: Values, parent_id: int | None = None) -> Observed:
    """An object from the API's answer about it."""
    values, facts = from_api(resource, protocol, answer), facts_from_api(resource, answer)
    return Observed(resource, protocol, answer[resource.id_api], values, parent_id, facts)


def zones_of(service: Values) -> list[str]:
    """The zones of a service, from the API's answer about it."""
    return sorted(str(zone).lower() for zone in service.get("zone") or [])


def by_zone(pending: dict[str, int], zones: t.Iterable[str]) -> dict[str, int]:
    """Changes waiting in each zone of the service: those in ``all`` wait in every one."""
    everywhere = pending.get(ALL_ZONES, 0)
    counts = {zone: pending.get(zone, 0) + everywhere for zone in zones}
    return {zone: number for zone, number in counts.items() if number}


def _has_target(frontend: Observed) -> bool:
    return bool(frontend.values["default_farm_id"] or frontend.values.get("redirect_location"))
