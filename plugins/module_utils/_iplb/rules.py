# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan must not do. Pure: no I/O, no Ansible. Private to the collection."""

from __future__ import annotations

import ipaddress
import itertools
import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.checks import ports_overlap
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.keys import key_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import End, Operation, Plan, Ref
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.references import refs_of
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    FARM,
    FRONTEND,
    ROUTE,
    RULE,
    SERVER,
    VRACK_NETWORK,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed, Snapshot
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.table import ALL_ZONES, Resource, Values

MOST_ROUTES, MOST_RULES = 50, 5  # of a service, of a route (guide "Configure routes")
LOGIN_PORTS = ("110", "143", "465", "587", "993", "995")
PRIVATE_NETWORKS = [ipaddress.ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


def ends_after(plan: Plan, snapshot: Snapshot, resource: Resource) -> list[End]:
    """Every object of a kind as the plan leaves it: those that it knows, and those that were read later."""
    deleted = {(item.protocol, item.id) for item in plan.operations if item.stage[1:] == (True, resource.kind)}
    known = [end for end in plan.ends if end.resource == resource]
    identities = {(end.protocol, end.id) for end in known} | deleted
    return [_as_it_is(item) for item in snapshot.of(resource) if item.identity not in identities] + known


def _as_it_is(item: Observed, parent_key: str = "") -> End:
    key = parent_key or item.protocol
    ref = Ref(item.resource.kind, item.protocol, key_of(item.resource, item.protocol, item.values, key), item.id)
    return End(item.resource, ref, item.values, references=refs_of(item.resource, item.protocol, item.values, []))


def deployment_gaps(plan: Plan, snapshot: Snapshot) -> list[str]:
    """What keeps the planned configuration from being deployed, in words; empty when nothing does.

    OVHcloud refuses to deploy a service without a frontend, or one with a frontend, even a disabled one, that has
    neither default farm nor redirection nor a route with rules; in a vRack every farm needs a network, and outside none
    may have one (guide on routing an Additional IP). Needs a snapshot with what is deployed.
    """
    frontends = ends_after(plan, snapshot, FRONTEND)
    if not frontends:
        return ["the service would have no frontend"]
    routed = _routed(plan, snapshot)
    gaps = [
        f"frontend {frontend.key} would have no default farm"
        for frontend in frontends
        if not (
            frontend.references["default_farm_id"]
            or frontend.values.get("redirect_location")
            or (frontend.protocol, frontend.key) in routed
        )
    ]
    return gaps + _network_gaps(plan, snapshot)


def _routed(plan: Plan, snapshot: Snapshot) -> set[tuple[str, str]]:
    """The frontends, by protocol and key, that a route with rules leaves."""
    frontends = ends_after(plan, snapshot, FRONTEND)
    keys: dict[tuple[str, int | None], str] = {(end.protocol, end.id): end.key for end in frontends if end.id}
    found = set()
    for route in ends_after(plan, snapshot, ROUTE):
        frontend = route.references["frontend_id"]
        if frontend and _has_rules(route, plan, snapshot):
            found.add((route.protocol, keys.get((route.protocol, frontend.id), frontend.key)))
    return found


def _has_rules(route: End, plan: Plan, snapshot: Snapshot) -> bool:
    if any(end.parent == route.ref for end in plan.ends):
        return True
    observed = snapshot.find("route", route.protocol, route.id)
    listed = {item.parent for item in plan.operations if item.resource.parent == "route"}
    return bool(observed and observed.facts.get("rules")) and route.ref not in listed


def _network_gaps(plan: Plan, snapshot: Snapshot) -> list[str]:
    if not _vrack_after(plan, snapshot):
        return [
            f"farm {farm.key} would have a private network, and the service is in no vRack"
            for farm in ends_after(plan, snapshot, FARM)
            if farm.references["vrack_network_id"]
        ]
    return [
        f"farm {farm.key} would have no private network, which every farm needs in a vRack"
        for farm in ends_after(plan, snapshot, FARM)
        if not farm.references["vrack_network_id"]
    ]


def _vrack_after(plan: Plan, snapshot: Snapshot) -> str | None:
    after = plan.aside.after if plan.aside else {}
    return after["vrack"] if "vrack" in after else snapshot.service.get("vrackName")


def stray_networks(plan: Plan, snapshot: Snapshot) -> list[str]:
    """Private networks that the plan creates for a service that will be in no vRack."""
    if _vrack_after(plan, snapshot):
        return []
    return [item.key for item in plan.operations if item.resource == VRACK_NETWORK and item.action == "create"]


def vrack_gaps(plan: Plan, snapshot: Snapshot) -> list[str]:
    """What is not ready where a service goes into a vRack or out of it, in words.

    Inside, a farm without network reaches nobody, and one with a network no server at a public address; outside, there
    are no networks. Needs a snapshot with all farms and servers.
    """
    if not plan.aside or "vrack" not in plan.aside.after:
        return []
    gaps = _network_gaps(plan, snapshot)
    if not plan.aside.after["vrack"]:
        return gaps
    return gaps + [
        f"server {server.key} would have no private address"
        for server in ends_after(plan, snapshot, SERVER)
        if not _is_private(server.values["address"])
    ]


def _is_private(address: str) -> bool:
    return any(ipaddress.ip_address(address) in network for network in PRIVATE_NETWORKS)


def too_many(plan: Plan, snapshot: Snapshot) -> list[str]:
    """Limits of the API that the plan would break at any moment, in words. Needs a snapshot with all routes."""
    found = []
    created = [item for item in plan.operations if item.resource == ROUTE and item.action == "create"]
    routes = len(snapshot.of(ROUTE)) + len(created)
    if created and routes > MOST_ROUTES:
        found.append(f"the service would have {routes} routes, and {MOST_ROUTES} are allowed")
    for route in plan.of(ROUTE):
        rules = len(plan.children(RULE, route.ref))
        if rules > MOST_RULES:
            found.append(f"route {route.key} would have {rules} rules, and {MOST_RULES} are allowed")
    return found


def cleartext_logins(plan: Plan, snapshot: Snapshot) -> list[str]:
    """Servers to which passwords would travel in clear because of this plan, each with the frontend before it.

    The API knows nothing of logins: what tells them is the port, of submission, IMAP or POP. A frontend of these with
    ``ssl`` ends TLS, and only a server with ``ssl`` is spoken to by TLS again.
    """
    found = set()
    for frontend in ends_after(plan, snapshot, FRONTEND):
        if not takes_logins_by_tls(frontend):
            continue
        made = _is_made_so(plan, FRONTEND, frontend.ref, ("ssl", "port", "default_farm", "disabled"))
        for farm, leader in _farms_behind(frontend, plan, snapshot):
            whole = made or (leader is not None and _is_made_so(plan, ROUTE, leader, ("frontend", "action")))
            found |= {
                f"{server.key} behind frontend {frontend.key}"
                for server in _servers_of(farm, plan, snapshot)
                if not server.values.get("ssl")
                if whole or _is_made_so(plan, SERVER, server.ref, ("ssl", "status"))
            }
    return sorted(found)


def touches_logins(plan: Plan) -> bool:
    """Whether the plan can have a part in how logins travel, also where it is only staged."""
    return any(
        item.action != "delete"
        and not item.after.keys().isdisjoint(("ssl", "status", "port", "default_farm", "action"))
        for item in plan.operations
        if item.resource in (SERVER, FRONTEND, ROUTE)
    )


def login_farms(plan: Plan, snapshot: Snapshot) -> list[tuple[str, int]]:
    """The farms (protocol, id) that the rule about logins is about, and none of whose servers was read."""
    farms = [
        farm
        for frontend in ends_after(plan, snapshot, FRONTEND)
        if takes_logins_by_tls(frontend) and _has_a_part(frontend, plan)
        for farm, _route in _farms_behind(frontend, plan, snapshot)
    ]
    unread = {(farm.protocol, farm.id) for farm in farms if not _servers_of(farm, plan, snapshot)}
    return sorted((protocol, identifier) for protocol, identifier in unread if identifier)


def _has_a_part(frontend: End, plan: Plan) -> bool:
    return frontend in plan.of(FRONTEND) or any(
        _is_same(ref, frontend.ref) for route in plan.of(ROUTE) for ref in [route.references["frontend_id"]] if ref
    )


def _farms_behind(frontend: End, plan: Plan, snapshot: Snapshot) -> list[tuple[Ref, Ref | None]]:
    """Each farm that a frontend may lead to, with the route that leads there if it is not the default farm."""
    default = frontend.references["default_farm_id"]
    farms: list[tuple[Ref, Ref | None]] = [(default, None)] if default else []
    for route in ends_after(plan, snapshot, ROUTE):
        ref, farm = route.references["frontend_id"], route.references["target"]
        if ref and farm and _is_same(ref, frontend.ref):
            farms.append((farm, route.ref))
    return farms


def takes_logins_by_tls(frontend: End) -> bool:
    return bool(frontend.values.get("ssl") and not frontend.values.get("disabled")) and any(
        ports_overlap(frontend.values["port"], port) for port in LOGIN_PORTS
    )


def _is_made_so(plan: Plan, resource: Resource, ref: Ref, options: t.Collection[str]) -> bool:
    """Whether the plan creates this object, or changes one of these options of it."""
    return any(
        item.action == "create" or (item.action == "update" and not item.after.keys().isdisjoint(options))
        for item in plan.operations
        if item.resource == resource and item.protocol == ref.protocol
        if (item.id == ref.id if ref.id else item.action == "create" and item.key == ref.key)
    )


def _servers_of(farm: Ref, plan: Plan, snapshot: Snapshot) -> list[End]:
    known = [end for end in plan.ends if end.resource == SERVER and end.parent and _is_same(end.parent, farm)]
    settled = {end.id for end in known}
    settled |= {item.id for item in plan.operations if item.resource == SERVER and item.action == "delete"}
    others = snapshot.children(SERVER, farm.protocol, farm.id) if farm.id else []
    return known + [_as_it_is(item, farm.key) for item in others if item.id not in settled]


def _is_same(one: Ref, other: Ref) -> bool:
    return one.protocol == other.protocol and (one.id == other.id if one.id else one.key == other.key)


def port_clashes(plan: Plan, snapshot: Snapshot) -> list[str]:
    """Pairs of frontends that would listen on the same port and address, at least one of them of the task, in words.

    Whether the API refuses this is not known; where it does not, the connections go to one of the two. Needs a snapshot
    with what is deployed.
    """
    return [
        f"{one.key} (port {one.values['port']}) and {other.key} (port {other.values['port']})"
        for one, other in itertools.combinations(_named_last(ends_after(plan, snapshot, FRONTEND), plan), 2)
        if other in plan.of(FRONTEND) and _listen_alike(one, other)
    ]


def _named_last(ends: list[End], plan: Plan) -> list[End]:
    named = plan.of(FRONTEND)
    return [end for end in ends if end not in named] + named


def _listen_alike(one: End, other: End) -> bool:
    if one.values.get("disabled") or other.values.get("disabled"):
        return False
    if (one.protocol == "udp") != (other.protocol == "udp"):
        return False
    if one.values["zone"] != other.values["zone"] and ALL_ZONES not in (one.values["zone"], other.values["zone"]):
        return False
    # One that names its addresses goes before one that listens on all: that is no clash.
    addresses = [set(frontend.values.get("dedicated_ipfo") or [""]) for frontend in (one, other)]
    return bool(addresses[0] & addresses[1]) and ports_overlap(one.values["port"], other.values["port"])


def unwatchable(plan: Plan, farms: t.Sequence[End] | None = None) -> list[str]:
    """Active servers whose health can not be awaited because nothing probes them; of all farms that the task names."""
    return [
        server.key
        for farm in (plan.of(FARM) if farms is None else farms)
        for server in plan.children(SERVER, farm.ref)
        if server.values.get("status") == "active" and not (farm.values.get("probe") and server.values.get("probe"))
    ]


def unsafe_drains(plan: Plan, snapshot: Snapshot) -> list[str]:
    """Servers that the plan takes out although no other server of the farm is known to be healthy.

    A server is taken out when it is deleted, or becomes inactive or weightless. Another server counts when it still
    gets connections and every instance of the load balancer reports it UP.
    """
    servers: dict[tuple[str, int | None], Observed] = {item.identity: item for item in snapshot.of(SERVER)}
    leaving = {
        (operation.protocol, operation.id): operation
        for operation in plan.operations
        if operation.resource == SERVER and operation.action != "create" and operation.phase == 0
        if _takes_out(operation, servers[operation.protocol, operation.id])
    }
    return [
        operation.key
        for identity, operation in leaving.items()
        if not any(
            _is_healthy(peer) and peer.parent_id == servers[identity].parent_id and peer.protocol == operation.protocol
            for other, peer in servers.items()
            if other not in leaving
        )
    ]


def _takes_out(operation: Operation, server: Observed) -> bool:
    if not _gets_connections(server.values):
        return False
    return operation.action == "delete" or not _gets_connections({**server.values, **operation.after})


def _is_healthy(server: Observed) -> bool:
    states = server.server_state
    return _gets_connections(server.values) and bool(states) and all(state.get("status") == "UP" for state in states)


def _gets_connections(server: Values) -> bool:
    return server["status"] == "active" and server.get("weight") != 0
