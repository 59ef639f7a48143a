# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides what to do: (desired, snapshot) -> ordered operations. Pure: no I/O, no Ansible. Private to the collection.

The order is the guide's: farms, servers, frontends on the way in, the reverse on the way out, so that nothing ever
refers to what is not there.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.desired import (
    UNSET,
    Desired,
    DesiredFarm,
    DesiredFrontend,
    DesiredObject,
    DesiredServer,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.errors import InvalidInput
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import (
    EndFarm,
    EndFrontend,
    EndServer,
    FarmRef,
    Operation,
    Plan,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.rules import frontends_after
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    ALL_ZONES,
    FARM,
    FRONTEND,
    SERVER,
    Resource,
    Values,
    check_sources,
    merge_probe,
    same,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import (
    Observed,
    Snapshot,
    object_key,
    server_key,
)


def make_plan(desired: Desired, snapshot: Snapshot) -> Plan:
    """The operations that bring a service to the desired state.

    :raises InvalidInput: when the desired state is ambiguous, contradicts itself or can not be reached.
    """
    return _Planner(desired, snapshot).plan()


class _Planner:
    def __init__(self, desired: Desired, snapshot: Snapshot) -> None:
        self._desired = desired
        self._snapshot = snapshot
        self._in: list[Operation] = []
        self._out: dict[str, list[Operation]] = {"frontend": [], "server": [], "farm": []}
        self._zones: set[str] = set()

    def plan(self) -> Plan:
        desired, snapshot = self._desired, self._snapshot
        farm_pairs = [(farm, _match(FARM, farm, snapshot.farms)) for farm in desired.farms]
        frontend_pairs = [(item, _match(FRONTEND, item, snapshot.frontends)) for item in desired.frontends]
        _check_twins(farm_pairs)
        _check_twins(frontend_pairs)
        _check_namesakes(farm_pairs)
        _check_namesakes(frontend_pairs)

        farms = [
            (self._farm(farm, observed), farm, observed)
            for farm, observed in farm_pairs
            if farm.present and not _nothing_to_remove_from(farm, observed)
        ]
        for end, farm, observed in farms:
            self._servers(end, farm, observed)
        self._reach_what_is_gone([*farm_pairs, *frontend_pairs])
        gone = self._to_go(farm_pairs, snapshot.farms, desired.purge_farms)
        all_farms = [item[0] for item in farms] + self._other_farms(farm_pairs, gone)
        frontends = [self._frontend(item, observed, all_farms) for item, observed in frontend_pairs if item.present]
        for observed in self._to_go(frontend_pairs, snapshot.frontends, desired.purge_frontends):
            self._delete(observed, object_key(observed.protocol, observed.values), observed.zone)
        for observed in gone:
            self._delete_farm(observed)
        operations = self._in + self._out["frontend"] + self._out["server"] + self._out["farm"]
        plan = Plan(operations, frozenset(self._zones), [item[0] for item in farms], frontends)
        self._check_unused(gone, plan)
        return plan

    # Farms

    def _farm(self, farm: DesiredFarm, observed: Observed | None) -> EndFarm:
        if observed is not None:
            return self._existing_farm(farm, observed)
        if farm.reference:
            raise InvalidInput(f"{farm.where} does not exist; create it first, or correct the name, zone or protocol")
        values = _creation(FARM, farm.protocol, farm.values, farm.where)
        ref = FarmRef(farm.protocol, object_key(farm.protocol, values))
        known = frozenset(item.id for item in self._snapshot.farms if item.protocol == farm.protocol)
        zones = self._reach(values["zone"], farm.where)
        self._in.append(
            Operation("create", FARM, farm.protocol, ref.key, zones, {}, dict(values), values, known_ids=known)
        )
        return EndFarm(ref, values)

    def _existing_farm(self, farm: DesiredFarm, observed: Observed) -> EndFarm:
        changes = _changes(FARM, farm.values, observed.values, farm.where)
        zones = self._reach(observed.zone, farm.where)
        ref = FarmRef(farm.protocol, object_key(farm.protocol, observed.values), observed.id)
        if changes:
            self._in.append(_update(observed, ref.key, zones, changes))
        return EndFarm(ref, {**observed.values, **changes})

    def _other_farms(
        self, pairs: t.Sequence[tuple[DesiredFarm, Observed | None]], gone: t.Sequence[Observed]
    ) -> list[EndFarm]:
        left_out = {(item.protocol, item.id) for item in (*(pair[1] for pair in pairs if pair[1]), *gone)}
        return [
            EndFarm(FarmRef(farm.protocol, object_key(farm.protocol, farm.values), farm.id), farm.values)
            for farm in self._snapshot.farms
            if (farm.protocol, farm.id) not in left_out
        ]

    def _delete_farm(self, observed: Observed) -> None:
        key = object_key(observed.protocol, observed.values)
        farm = FarmRef(observed.protocol, key, observed.id)
        for server in self._snapshot.servers_of(observed.protocol, observed.id):
            self._delete(server, server_key(key, server.values, observed.values.get("port")), observed.zone, farm)
        self._delete(observed, key, observed.zone)

    def _check_unused(self, gone: t.Sequence[Observed], plan: Plan) -> None:
        for farm in gone:
            users = [
                frontend.key
                for frontend in frontends_after(plan, self._snapshot)
                if frontend.protocol == farm.protocol and frontend.farm and frontend.farm.id == farm.id
            ]
            if users:
                raise InvalidInput(
                    f"farm {object_key(farm.protocol, farm.values)} can not be deleted: it is the default farm of "
                    f"{', '.join(users)}; delete the frontend or give it another default farm, before or in one task "
                    "of load_balancer"
                )
            routes = sorted(str(route) for identity, route in self._snapshot.farm_routes if identity == farm.identity)
            if routes:
                raise InvalidInput(
                    f"farm {object_key(farm.protocol, farm.values)} can not be deleted: the {farm.protocol} routes "
                    f"{', '.join(routes)} lead to it; delete them or lead them elsewhere first"
                )

    # Servers

    def _servers(self, end: EndFarm, farm: DesiredFarm, observed: Observed | None) -> None:
        existing = self._snapshot.servers_of(observed.protocol, observed.id) if observed else []
        old_port = (observed.values if observed else end.values).get("port")
        pairs = _match_servers(farm.servers or (), existing, old_port, end.values.get("port"))
        _check_twin_servers(pairs, end.values.get("port"))
        for server, match in pairs:
            if server.present:
                end.servers.append(self._server(server, match, end))
        named = {pair[1].id for pair in pairs if pair[1]}
        going = {match.id for server, match in pairs if match and not server.present}
        if self._purges_servers(farm):
            going |= {server.id for server in existing} - named
        for item in existing:
            key = server_key(end.ref.key, item.values, end.values.get("port"))
            if item.id in going:
                self._delete(item, key, end.values["zone"], end.ref)
            elif item.id not in named:
                end.servers.append(EndServer(key, item.values, item.id))

    def _purges_servers(self, farm: DesiredFarm) -> bool:
        return (
            self._desired.purge_servers and farm.servers is not None and farm.protocol in self._desired.purge_protocols
        )

    def _server(self, server: DesiredServer, observed: Observed | None, farm: EndFarm) -> EndServer:
        zones = self._reach(farm.values["zone"], server.where)
        if observed is None:
            return self._new_server(server, farm, zones)
        key = server_key(farm.ref.key, observed.values, farm.values.get("port"))
        changes = _changes(SERVER, server.values, observed.values, server.where)
        if "port" in changes and _effective(changes["port"], farm) == _effective(observed.values["port"], farm):
            del changes["port"]
        if changes:
            self._in.append(_update(observed, key, zones, changes, farm.ref))
        return EndServer(key, {**observed.values, **changes}, observed.id)

    def _new_server(self, server: DesiredServer, farm: EndFarm, zones: tuple[str, ...]) -> EndServer:
        if server.id is not None:
            raise InvalidInput(f"{server.where}: server_id {server.id} does not exist in farm {farm.ref.key}")
        values = _creation(SERVER, farm.ref.protocol, server.values, server.where)
        key = server_key(farm.ref.key, values, farm.values.get("port"))
        siblings = self._snapshot.servers_of(farm.ref.protocol, farm.ref.id) if farm.ref.id else []
        known = frozenset(item.id for item in siblings)
        self._in.append(
            Operation(
                "create",
                SERVER,
                farm.ref.protocol,
                key,
                zones,
                {},
                dict(values),
                values,
                farm=farm.ref,
                known_ids=known,
            )
        )
        return EndServer(key, values)

    # Frontends

    def _frontend(
        self, frontend: DesiredFrontend, observed: Observed | None, farms: t.Sequence[EndFarm]
    ) -> EndFrontend:
        current = observed.values if observed else {}
        zone = frontend.zone or current.get("zone")
        wanted = dict(frontend.values)
        if frontend.default_farm is not UNSET:
            wanted.pop("default_farm_id", None)
        target = self._target(frontend, current, zone, farms)
        if observed is None:
            return self._new_frontend(frontend, wanted, target)
        changes = _changes(FRONTEND, wanted, current, frontend.where)
        changes.pop("default_farm_id", None)
        zones = self._reach(observed.zone, frontend.where)
        if "zone" in changes:
            zones = tuple(sorted({*zones, *self._reach(changes["zone"], frontend.where)}))
        after = {**current, **changes}
        check_sources(after, frontend.where)
        key = object_key(frontend.protocol, current)
        operation = _update(observed, key, zones, changes)
        target_id = target.id if target else None
        if target_id != current["default_farm_id"] or (target and target.id is None):
            operation.before["default_farm"] = self._farm_key(frontend.protocol, current["default_farm_id"])
            operation.after["default_farm"] = target.key if target else None
            operation.values["default_farm_id"] = target
            after["default_farm_id"] = target_id
        if operation.values:
            self._in.append(operation)
        return EndFrontend(key, frontend.protocol, after, observed.id, target)

    def _farm_key(self, protocol: str, farm_id: int | None) -> str | None:
        """The key of a farm as it is now, also of one that is to go."""
        found = (farm for farm in self._snapshot.farms if (farm.protocol, farm.id) == (protocol, farm_id))
        return next((object_key(protocol, farm.values) for farm in found), None)

    def _new_frontend(self, frontend: DesiredFrontend, wanted: Values, target: FarmRef | None) -> EndFrontend:
        values = _creation(FRONTEND, frontend.protocol, wanted, frontend.where)
        values.pop("default_farm_id", None)
        check_sources(values, frontend.where)
        zones = self._reach(values["zone"], frontend.where)
        key = object_key(frontend.protocol, values)
        shown = {**values, **({"default_farm": target.key} if target else {})}
        sent = {**values, **({"default_farm_id": target} if target else {})}
        known = frozenset(item.id for item in self._snapshot.frontends if item.protocol == frontend.protocol)
        self._in.append(Operation("create", FRONTEND, frontend.protocol, key, zones, {}, shown, sent, known_ids=known))
        return EndFrontend(key, frontend.protocol, values, None, target)

    def _target(
        self, frontend: DesiredFrontend, current: Values, zone: str | None, farms: t.Sequence[EndFarm]
    ) -> FarmRef | None:
        """The default farm that the frontend will have."""
        if frontend.default_farm is None:
            return None
        if frontend.default_farm is not UNSET:
            return _farm_by_name(frontend, zone, farms)
        farm_id = frontend.values.get("default_farm_id", current.get("default_farm_id"))
        if farm_id is None:
            return None
        known = _farm_by_id(frontend.protocol, farm_id, farms)
        if known is None and "default_farm_id" in frontend.values:
            raise InvalidInput(
                f"{frontend.where}: default_farm_id {farm_id} is not a {frontend.protocol} farm of this service"
            )
        return known or FarmRef(frontend.protocol, f"{frontend.protocol}/{farm_id}", farm_id)

    # Shared

    def _reach_what_is_gone(self, pairs: t.Sequence[tuple[DesiredObject, Observed | None]]) -> None:
        """What an earlier run deleted may not be live yet: the zones where it was are the task's all the same."""
        for wanted, observed in pairs:
            is_gone = not wanted.present or (isinstance(wanted, DesiredFarm) and _nothing_to_remove_from(wanted, None))
            if observed is None and is_gone:
                self._zones_of(wanted.zone or ALL_ZONES)
        if self._desired.purge_farms or self._desired.purge_frontends:
            self._zones_of(ALL_ZONES)

    def _to_go(
        self, pairs: t.Sequence[tuple[DesiredObject, Observed | None]], existing: t.Sequence[Observed], purge: bool
    ) -> list[Observed]:
        """What the task declares absent, and with a purge what it does not name."""
        absent = [observed for wanted, observed in pairs if observed and not wanted.present]
        if not purge:
            return absent
        named = {observed.identity for _wanted, observed in pairs if observed}
        return absent + [
            item for item in existing if item.protocol in self._desired.purge_protocols and item.identity not in named
        ]

    def _delete(self, observed: Observed, key: str, zone: str, farm: FarmRef | None = None) -> None:
        before = {name: value for name, value in observed.values.items() if value not in (None, [], "")}
        self._out[observed.resource.kind].append(
            Operation(
                "delete",
                observed.resource,
                observed.protocol,
                key,
                self._zones_of(zone),
                before,
                {},
                id=observed.id,
                farm=farm,
            )
        )

    def _reach(self, zone: str, where: str) -> tuple[str, ...]:
        """The zones of the service in which an object of this zone is deployed."""
        known = self._snapshot.zones
        if zone != ALL_ZONES and zone not in known:
            raise InvalidInput(f'{where}: zone "{zone}" is not a zone of this service; use {", ".join(known)} or all')
        return self._zones_of(zone)

    def _zones_of(self, zone: str) -> tuple[str, ...]:
        """The same for an object that is to go: none, where the service has left its zone."""
        zones = tuple(item for item in sorted(self._snapshot.zones) if zone in (ALL_ZONES, item))
        self._zones.update(zones)
        return zones


def _match(resource: Resource, wanted: DesiredObject, existing: t.Sequence[Observed]) -> Observed | None:
    """The one object that is meant: by id, else by protocol, display name and, where given, zone."""
    if wanted.id is not None:
        found = [item for item in existing if item.protocol == wanted.protocol and item.id == wanted.id]
        if not found and wanted.present:
            raise InvalidInput(
                f"{wanted.where}: {resource.id_option} {wanted.id} is not a {wanted.protocol} {resource.kind} "
                "of this service"
            )
        return found[0] if found else None
    found = [
        item
        for item in existing
        if item.protocol == wanted.protocol
        and item.name == wanted.name
        and (wanted.zone is None or item.zone == wanted.zone)
    ]
    if len(found) > 1:
        listed = ", ".join(f"{item.id} (zone {item.zone})" for item in sorted(found, key=lambda item: item.id))
        raise InvalidInput(
            f"{wanted.where}: {len(found)} {wanted.protocol} {resource.kind}s have this name: ids {listed}; "
            f"say which with {resource.id_option}{'' if wanted.zone else ' or zone'}"
        )
    return found[0] if found else None


def _nothing_to_remove_from(farm: DesiredFarm, observed: Observed | None) -> bool:
    """Whether servers are to go from a farm that does not exist."""
    return farm.reference and observed is None and not any(server.present for server in farm.servers or ())


def _check_twins(pairs: t.Sequence[tuple[DesiredObject, Observed | None]]) -> None:
    """Two entries of a task must not mean the same object."""
    seen: dict[t.Any, str] = {}
    for wanted, observed in pairs:
        identifier = observed.id if observed else wanted.id
        identity = (wanted.protocol, identifier) if identifier else (wanted.protocol, wanted.zone, wanted.name)
        if identity in seen:
            raise InvalidInput(f"{seen[identity]} and {wanted.where} are the same object; keep one of them")
        seen[identity] = wanted.where


def _check_namesakes(pairs: t.Sequence[tuple[DesiredObject, Observed | None]]) -> None:
    """A name must still mean one entry after the run, or the next run could not tell them apart."""
    ends = [
        (wanted, {**(observed.values if observed else {}), **wanted.values})
        for wanted, observed in pairs
        if wanted.present
    ]
    for wanted in (pair[0] for pair in pairs if pair[0].id is None):
        for other, end in ends:
            same_place = wanted.protocol == other.protocol and wanted.zone in (None, end.get("zone"))
            if other is not wanted and same_place and wanted.name == end.get("display_name"):
                raise InvalidInput(
                    f"{wanted.where} and {other.where} would have the same name; give one of them another "
                    "display_name, or say which is meant with its zone or id"
                )


def _match_servers(
    wanted: t.Sequence[DesiredServer],
    existing: t.Sequence[Observed],
    old_farm_port: int | None,
    farm_port: int | None,
) -> list[tuple[DesiredServer, Observed | None]]:
    """Each wanted server with the one it means, by the port it has now, else by the one it will inherit."""
    pairs = [(server, _match_server(server, existing, old_farm_port)) for server in wanted]
    taken = {pair[1].id for pair in pairs if pair[1]}
    free = [server for server in existing if server.id not in taken]
    return [(server, match or _match_server(server, free, farm_port)) for server, match in pairs]


def _match_server(wanted: DesiredServer, existing: t.Sequence[Observed], farm_port: int | None) -> Observed | None:
    """The one server that is meant: by id, else by address and effective port; without port, the address alone."""
    if wanted.id is not None:
        return next((server for server in existing if server.id == wanted.id), None)
    found = [server for server in existing if server.values["address"] == wanted.values["address"]]
    if "port" in wanted.values:
        port = wanted.values["port"] or farm_port
        found = [server for server in found if (server.values["port"] or farm_port) == port]
    if len(found) > 1:
        listed = ", ".join(f"{server.id} (port {server.values['port'] or farm_port})" for server in found)
        raise InvalidInput(
            f"{wanted.where}: {len(found)} servers match: ids {listed}; say which with port or server_id"
        )
    return found[0] if found else None


def _check_twin_servers(pairs: t.Sequence[tuple[DesiredServer, Observed | None]], farm_port: int | None) -> None:
    seen: set[t.Any] = set()
    for wanted, observed in pairs:
        port = wanted.values.get("port") or farm_port
        identity = (observed.id if observed else wanted.id) or (wanted.values.get("address"), port)
        if identity in seen:
            raise InvalidInput(f"{wanted.where} stands twice in the list; keep one entry for each address and port")
        seen.add(identity)
    by_address = [pair[0] for pair in pairs if pair[0].id is None]
    addresses = [wanted.values["address"] for wanted in by_address]
    for wanted in by_address:
        if "port" not in wanted.values and addresses.count(wanted.values["address"]) > 1:
            raise InvalidInput(f"{wanted.where}: the list has this address more than once; give each entry its port")


def _changes(resource: Resource, wanted: Values, current: Values, where: str) -> Values:
    """The fields whose wanted value is not what is there; a probe whole."""
    changes: Values = {}
    for name, value in wanted.items():
        known = resource.field(name)
        if known.fields:
            value = merge_probe(value, current.get(name), f"{where}: {name}")
        if same(known, value, current.get(name)):
            continue
        if known.create_only:
            raise InvalidInput(
                f"{where}: {name} can not change from {current.get(name)} to {value} on an existing {resource.kind}; "
                f"create another {resource.kind} and delete this one"
            )
        changes[name] = value
    return changes


def _creation(resource: Resource, protocol: str, wanted: Values, where: str) -> Values:
    """The values to create an object with: null means the default, so it is left out."""
    for known in resource.fields_for(protocol):
        if protocol in known.required and wanted.get(known.name) is None:
            raise InvalidInput(f"{where}: {known.name} is missing; a new {resource.kind} needs it")
    values: Values = {}
    for name, value in wanted.items():
        if resource.field(name).fields:
            value = merge_probe(value, None, f"{where}: {name}")
        if value is not None:
            values[name] = value
    return values


def _update(
    observed: Observed, key: str, zones: tuple[str, ...], changes: Values, farm: FarmRef | None = None
) -> Operation:
    return Operation(
        "update",
        observed.resource,
        observed.protocol,
        key,
        zones,
        {name: observed.values.get(name) for name in changes},
        dict(changes),
        dict(changes),
        id=observed.id,
        farm=farm,
    )


def _farm_by_name(frontend: DesiredFrontend, zone: str | None, farms: t.Sequence[EndFarm]) -> FarmRef:
    """The farm of that name, in the frontend's protocol and in its zone or in all."""
    named = [farm for farm in farms if farm.values.get("display_name") == frontend.default_farm]
    alike = [farm for farm in named if farm.ref.protocol == frontend.protocol]
    found = [farm for farm in alike if farm.values["zone"] in (zone, ALL_ZONES)]
    if len(found) == 1:
        return found[0].ref
    what = f'{frontend.where}: default_farm "{frontend.default_farm}"'
    if found:
        ids = ", ".join(f"{farm.ref.id or 'new'} (zone {farm.values['zone']})" for farm in found)
        remedy = "say which with default_farm_id" if all(farm.ref.id for farm in found) else "give each its own name"
        raise InvalidInput(f"{what} is the name of {len(found)} farms: {ids}; {remedy}")
    if alike:
        zones = ", ".join(sorted({farm.values["zone"] for farm in alike}))
        raise InvalidInput(
            f"{what} is in zone {zones}, the frontend in {zone}; a farm must be in the same zone or in all"
        )
    if named:
        protocols = ", ".join(sorted({farm.ref.protocol for farm in named}))
        raise InvalidInput(f"{what} has protocol {protocols}, the frontend {frontend.protocol}; they must be the same")
    raise InvalidInput(
        f"{what} is not the name of a {frontend.protocol} farm, and a frontend's farm has its protocol; create the "
        "farm first, list it in farms, or correct the name or the protocol"
    )


def _farm_by_id(protocol: str, farm_id: int, farms: t.Sequence[EndFarm]) -> FarmRef | None:
    return next((farm.ref for farm in farms if farm.ref.protocol == protocol and farm.ref.id == farm_id), None)


def _effective(port: int | None, farm: EndFarm) -> int | None:
    return port or farm.values.get("port")
