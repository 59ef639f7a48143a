# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observed state of a service, read with as few calls as the task needs. Private to the collection."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.api import Api, segment
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import ApiError, InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    ALL_ZONES,
    FARM,
    FRONTEND,
    PROTOCOLS,
    SERVER,
    TCP_HTTP,
    Resource,
    Values,
    from_api,
)


@dataclass(frozen=True)
class Observed:
    """One object of the service. ``values`` by field name, canonical; ``server_state`` as the API gives it."""

    resource: Resource
    protocol: str
    id: int
    values: Values
    farm_id: int | None = None
    server_state: tuple[Values, ...] = ()

    @property
    def identity(self) -> tuple[str, int]:
        """Ids are only unique within a protocol's kind of object."""
        return self.protocol, self.id

    @property
    def name(self) -> str | None:
        return self.values.get("display_name")

    @property
    def zone(self) -> str:
        return self.values["zone"]


@dataclass
class Snapshot:
    """What was read of a service. ``zones`` are its subscribed zones, ``pending`` the changes waiting in each zone."""

    service_name: str
    zones: list[str]
    service: Values = field(default_factory=dict)
    farms: list[Observed] = field(default_factory=list)
    servers: list[Observed] = field(default_factory=list)
    frontends: list[Observed] = field(default_factory=list)
    frontends_read: frozenset[str] = frozenset()
    pending: dict[str, int] = field(default_factory=dict)
    routed: frozenset[tuple[str, int]] = frozenset()
    farm_routes: frozenset[tuple[tuple[str, int], int]] = frozenset()  # (protocol, farm id), route id

    def servers_of(self, protocol: str, farm_id: int) -> list[Observed]:
        return [server for server in self.servers if (server.protocol, server.farm_id) == (protocol, farm_id)]


@dataclass(frozen=True)
class Scope:
    """What a task needs to know.

    Servers are read of the farms that ``farm_names`` or ``farm_ids`` name, or of all with ``every_server``; of
    ``farm_routes`` the routes that lead to a farm.
    """

    farms: frozenset[str] = frozenset()  # protocols
    frontends: frozenset[str] = frozenset()  # protocols
    farm_names: frozenset[str] = frozenset()
    farm_ids: frozenset[int] = frozenset()
    every_server: bool = False
    farm_routes: frozenset[str] = frozenset()  # protocols

    def wants_servers_of(self, farm: Observed) -> bool:
        return self.every_server or farm.id in self.farm_ids or farm.name in self.farm_names


class Reader:
    """Reads one service."""

    def __init__(self, api: Api, service_name: str) -> None:
        self._api = api
        self._name = service_name
        self.root = f"/ipLoadbalancing/{segment(service_name)}"

    def snapshot(self, scope: Scope) -> Snapshot:
        service = self.service()
        zones = zones_of(service)
        snapshot = Snapshot(self._name, zones, service, pending=by_zone(self.pending(), zones))
        snapshot.farms = self.objects(FARM, scope.farms)
        farms = [farm for farm in snapshot.farms if scope.wants_servers_of(farm)]
        snapshot.servers = self.servers([farm.identity for farm in farms])
        self.add_frontends(snapshot, scope.frontends)
        snapshot.farm_routes = frozenset(
            ((protocol, int(route["action"]["target"])), route["routeId"])
            for protocol in scope.farm_routes & set(TCP_HTTP)
            for route in self._routes(protocol)
            if route["action"]["type"] == "farm" and route["action"]["target"]
        )
        return snapshot

    def add_frontends(self, snapshot: Snapshot, protocols: t.Iterable[str]) -> None:
        missing = frozenset(protocols) - snapshot.frontends_read
        snapshot.frontends += self.objects(FRONTEND, missing)
        snapshot.frontends_read |= missing

    def add_all_frontends(self, snapshot: Snapshot) -> None:
        """Every frontend of every protocol, and which of those without a farm have a route with rules (facts for a
        deployable configuration)."""
        missing = frozenset(PROTOCOLS) - snapshot.frontends_read
        if missing:
            defined = {item["type"] for item in self._api.get(f"{self.root}/definedFrontends") or []}
            self.add_frontends(snapshot, missing & defined)
            snapshot.frontends_read |= missing
        lonely = {item.protocol for item in snapshot.frontends if item.protocol != "udp" and not _has_target(item)}
        snapshot.routed = frozenset(pair for protocol in lonely for pair in self._routed(protocol))

    def service(self) -> Values:
        try:
            return self._api.get(self.root)
        except ApiError as error:
            if error.status != 404:
                raise
            raise InvalidInput(f'service_name: "{self._name}" does not exist{self._visible_services()}') from None

    def _visible_services(self) -> str:
        try:
            names = self._api.get("/ipLoadbalancing")
        except ApiError:
            return "; check the name in the control panel"
        return f"; these credentials see {', '.join(names)}" if names else "; these credentials see no load balancer"

    def pending(self) -> dict[str, int]:
        """Number of waiting changes by zone, which may be ``all``; zones without are left out."""
        answer = self._api.get(f"{self.root}/pendingChanges") or []
        return {item["zone"].lower(): item["number"] for item in answer if item["number"]}

    def servers(self, farms: t.Iterable[tuple[str, int]]) -> list[Observed]:
        """Servers of these farms (protocol, id), with their health."""
        paths = [(protocol, farm_id, self.path(SERVER, protocol, farm_id)) for protocol, farm_id in farms]
        lists = self._api.get_many([path for _protocol, _farm_id, path in paths])
        owners = [(*owner, item) for owner, ids in zip(paths, lists) for item in sorted(ids)]
        answers = self._read([f"{path}/{item}" for _protocol, _farm_id, path, item in owners])
        return [
            Observed(
                SERVER,
                protocol,
                item,
                from_api(SERVER, protocol, answer),
                farm_id,
                tuple(answer.get("serverState") or ()),
            )
            for (protocol, farm_id, _path, item), answer in zip(owners, answers)
            if answer is not None
        ]

    def path(self, resource: Resource, protocol: str, farm_id: int | None = None) -> str:
        return f"{self.root}/{resource.path.format(protocol=protocol, farm_id=farm_id)}"

    def objects(self, resource: Resource, protocols: t.Iterable[str]) -> list[Observed]:
        """Farms or frontends of these protocols."""
        paths = [(protocol, self.path(resource, protocol)) for protocol in sorted(protocols)]
        lists = self._api.get_many([pair[1] for pair in paths])
        owners = [(protocol, path, item) for (protocol, path), ids in zip(paths, lists) for item in sorted(ids)]
        answers = self._read([f"{path}/{item}" for dummy, path, item in owners])
        return [
            Observed(resource, protocol, item, from_api(resource, protocol, answer))
            for (protocol, dummy, item), answer in zip(owners, answers)
            if answer is not None
        ]

    def _read(self, paths: t.Sequence[str]) -> list[Values | None]:
        """Objects, with None for one that somebody deleted after it was listed."""
        try:
            return self._api.get_many(paths)
        except ApiError as error:
            if error.status != 404:
                raise
        return [self._read_one(path) for path in paths]

    def _read_one(self, path: str) -> Values | None:
        try:
            return self._api.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _routed(self, protocol: str) -> list[tuple[str, int]]:
        routes = self._routes(protocol)
        return [(protocol, route["frontendId"]) for route in routes if route["frontendId"] and route["rules"]]

    def _routes(self, protocol: str) -> list[Values]:
        path = f"{self.root}/{protocol}/route"
        return [route for route in self._read([f"{path}/{item}" for item in self._api.get(path)]) if route]


def zones_of(service: Values) -> list[str]:
    """The zones of a service, from the API's answer about it."""
    return sorted(zone.lower() for zone in service.get("zone") or [])


def object_key(protocol: str, values: t.Mapping[str, t.Any]) -> str:
    """A farm or a frontend as plans and reports name it."""
    return f"{protocol}/{values['zone']}/{values.get('display_name') or '(unnamed)'}"


def server_key(farm_key: str, server: t.Mapping[str, t.Any], farm_port: int | None) -> str:
    """A server likewise, with the port that it has or inherits."""
    port = server.get("port") or farm_port
    return f"{farm_key}/{server['address']}" + (f":{port}" if port else "")


def by_zone(pending: dict[str, int], zones: t.Iterable[str]) -> dict[str, int]:
    """Changes waiting in each zone of the service: those in ``all`` wait in every one."""
    everywhere = pending.get(ALL_ZONES, 0)
    counts = {zone: pending.get(zone, 0) + everywhere for zone in zones}
    return {zone: number for zone, number in counts.items() if number}


def _has_target(frontend: Observed) -> bool:
    return bool(frontend.values["default_farm_id"] or frontend.values.get("redirect_location"))
