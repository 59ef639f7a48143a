# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan must not do. Pure: no I/O, no Ansible. Private to the collection."""

from __future__ import annotations

import itertools

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.plan import EndFrontend, FarmRef, Operation, Plan
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import (
    ALL_ZONES,
    FRONTEND,
    SERVER,
    Values,
    ports_overlap,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed, Snapshot, object_key


def deployment_gaps(plan: Plan, snapshot: Snapshot) -> list[str]:
    """What keeps the planned configuration from being deployed, in words; empty when nothing does.

    OVHcloud refuses to deploy a service without a frontend, or one with a frontend, even a disabled one, that has
    neither default farm nor redirection nor a route with rules (guide on routing an Additional IP). Needs a snapshot
    with every frontend of every protocol.
    """
    frontends = frontends_after(plan, snapshot)
    if not frontends:
        return ["the service would have no frontend"]
    return [
        f"frontend {frontend.key} would have no default farm"
        for frontend in frontends
        if not (
            frontend.farm
            or frontend.values.get("redirect_location")
            or (frontend.protocol, frontend.id) in snapshot.routed
        )
    ]


def frontends_after(plan: Plan, snapshot: Snapshot) -> list[EndFrontend]:
    """Every frontend of the snapshot as the plan leaves it, and those it creates."""
    named = {(frontend.protocol, frontend.id) for frontend in plan.frontends}
    deleted = {
        (operation.protocol, operation.id)
        for operation in plan.operations
        if operation.resource is FRONTEND and operation.action == "delete"
    }
    untouched = [
        _end_frontend(observed)
        for observed in snapshot.frontends
        if (observed.protocol, observed.id) not in named | deleted
    ]
    return untouched + plan.frontends


def port_clashes(plan: Plan, snapshot: Snapshot) -> list[str]:
    """Pairs of frontends that would listen on the same port and address, at least one of them of the task, in words.

    Whether the API refuses this is not known; where it does not, the connections go to one of the two. Needs a snapshot
    with every frontend of every protocol.
    """
    return [
        f"{one.key} (port {one.values['port']}) and {other.key} (port {other.values['port']})"
        for one, other in itertools.combinations(frontends_after(plan, snapshot), 2)
        if other in plan.frontends and _listen_alike(one, other)
    ]


def _listen_alike(one: EndFrontend, other: EndFrontend) -> bool:
    if one.values.get("disabled") or other.values.get("disabled"):
        return False
    if (one.protocol == "udp") != (other.protocol == "udp"):
        return False
    if one.values["zone"] != other.values["zone"] and ALL_ZONES not in (one.values["zone"], other.values["zone"]):
        return False
    # One that names its addresses goes before one that listens on all: that is no clash.
    addresses = [set(frontend.values.get("dedicated_ipfo") or [""]) for frontend in (one, other)]
    return bool(addresses[0] & addresses[1]) and ports_overlap(one.values["port"], other.values["port"])


def unwatchable(plan: Plan) -> list[str]:
    """Active servers whose health can not be awaited because nothing probes them."""
    return [
        server.key
        for farm in plan.farms
        for server in farm.servers
        if server.values.get("status") == "active" and not (farm.values.get("probe") and server.values.get("probe"))
    ]


def unsafe_drains(plan: Plan, snapshot: Snapshot) -> list[str]:
    """Servers that the plan takes out although no other server of the farm is known to be healthy.

    A server is taken out when it is deleted, or becomes inactive or weightless. Another server counts when it still
    gets connections and every instance of the load balancer reports it UP.
    """
    servers: dict[tuple[str, int | None], Observed] = {(item.protocol, item.id): item for item in snapshot.servers}
    leaving = {
        (operation.protocol, operation.id): operation
        for operation in plan.operations
        if operation.resource is SERVER and operation.action != "create"
        if _takes_out(operation, servers[operation.protocol, operation.id])
    }
    return [
        operation.key
        for identity, operation in leaving.items()
        if not any(
            _is_healthy(peer) and peer.farm_id == servers[identity].farm_id and peer.protocol == operation.protocol
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


def _end_frontend(observed: Observed) -> EndFrontend:
    farm_id = observed.values["default_farm_id"]
    farm = FarmRef(observed.protocol, f"{observed.protocol}/{farm_id}", farm_id) if farm_id else None
    return EndFrontend(
        object_key(observed.protocol, observed.values), observed.protocol, observed.values, observed.id, farm
    )
