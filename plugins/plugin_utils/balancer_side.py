# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the services mean on the load balancer. Pure: no I/O, no Ansible. Private to the collection.

A host's servers are a dictionary with one server for each service, by the service's name. ``farms`` and ``frontends``
that exist are those of load_balancer_info, those that are to be are options of load_balancer.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.services import (
    SAID_ELSEWHERE,
    VARIABLES,
    Refused,
    Service,
    Values,
    behind_the_back,
    port_ranges,
)

Servers = t.Mapping[str, Values]


def servers(services: t.Sequence[Service], address: str, options: t.Mapping[str, t.Any]) -> dict[str, Values]:
    """A host's server in the farm of each service. ``options`` are the host's own, and win.

    :raises Refused: for an option of which Postfix would not know.
    """
    for key, option in SAID_ELSEWHERE["server_options"].items():
        # The port of the one service may be another on this host.
        if key in options and not (key == "port" and len(services) == 1):
            raise Refused(f"smtp_load_balancer_server_options {behind_the_back(key, VARIABLES.get(option, option))}")
    return {service.name: {"address": address, **service.server, **options} for service in services}


def declaration(services: t.Sequence[Service], hosts: t.Sequence[Servers], complete: bool) -> dict[str, list[Values]]:
    """Farms and frontends of the services, one each for every zone, with the servers of these hosts.

    A run over all hosts removes what is absent, beside something that is present: load_balancer gives up a service
    with nothing left in its place only where it may (see ``giving_up``).
    """
    present = [service for service in services if service.is_present]
    gone = [service for service in services if not service.is_present] if complete and present else []
    absent = [_named(service, zone, state="absent") for service in gone for zone in service.zones]
    return {
        "farms": [
            {
                "zone": zone,
                "display_name": service.name,
                "servers": [host[service.name] for host in hosts],
                **service.farm,
            }
            for service in present
            for zone in service.zones
        ]
        + absent,
        "frontends": [
            {"zone": zone, "display_name": service.name, **service.frontend}
            for service in present
            for zone in service.zones
        ]
        + absent,
    }


def host_farms(services: t.Sequence[Service], host: Servers, status: str | None) -> list[Values]:
    """The farms with this one host's server as declared, or with its status alone."""
    return [
        _named(service, zone, servers=[host[service.name] if status is None else _status(host[service.name], status)])
        for service in services
        if service.is_present
        for zone in service.zones
    ]


def host_status(services: t.Sequence[Service], host: Servers) -> list[Values]:
    """The farms with the declared status of this one host's server, and nothing else of it."""
    return [
        _named(service, zone, servers=[_status(host[service.name], host[service.name]["status"])])
        for service in services
        if service.is_present
        for zone in service.zones
    ]


def served(services: t.Sequence[Service], host: Servers, farms: t.Sequence[Values]) -> list[Service]:
    """The services in whose farms this host is a server now."""
    return [
        service
        for service in services
        if any(
            _is_of(service, farm) and server["address"] == host[service.name]["address"]
            for farm in farms
            for server in farm["servers"]
        )
    ]


def drained(services: t.Sequence[Service], host: Servers, result: t.Mapping[str, t.Any]) -> list[Values]:
    """The farms that a host was taken out of by the task with this result, with its server active again.

    A server that was inactive before is not among them.
    """
    operations = result.get("plan") or result.get("written") or ()
    left = {operation["key"] for operation in operations if "status" in (operation.get("before") or {})}
    return [
        _named(service, zone, servers=[_status(host[service.name], "active")])
        for service in services
        if service.is_present
        for zone in service.zones
        if server_key(service, zone, host) in left
    ]


def server_key(service: Service, zone: str, host: Servers) -> str:
    """A server as a plan names it."""
    server = host[service.name]
    return f"tcp/{zone.lower()}/{service.name}/{server['address']}:{server.get('port') or service.farm['port']}"


def missing_farms(plan: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """The farms that a plan would have to make."""
    return [str(step["key"]) for step in plan if step["kind"] == "farm" and step["action"] == "create"]


def cutover(plan: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Servers that carry mail and would get a PROXY header where they got none, or the reverse."""
    return [
        str(step["key"])
        for step in plan
        if step["kind"] == "server"
        and step["action"] == "update"
        and "proxy_protocol_version" in step["before"]
        and "status" not in step["before"]
        and (step["before"]["proxy_protocol_version"] is None) != (step["after"]["proxy_protocol_version"] is None)
    ]


def elsewhere(
    services: t.Sequence[Service], hosts: t.Sequence[Servers], farms: t.Sequence[Values], own: t.Sequence[Service]
) -> list[Values]:
    """Servers of other farms that send to a listener of these services what it would refuse.

    Those are servers with another header than the service has, and with any header where it is absent. ``own`` are all
    services there are: none of their farms is another's.
    """
    return [
        {
            "farm_id": farm["farm_id"],
            "address": server["address"],
            "service": service.name,
            "header": "without" if server["proxy_protocol_version"] is None else "with",
        }
        for farm in farms
        if not any(_is_of(service, farm) for service in own)
        for server in farm["servers"]
        for service in services
        if server["status"] == "active"
        and server["address"] in {host[service.name]["address"] for host in hosts}
        and (server["port"] or farm["port"]) == service.server_port
        and (server["proxy_protocol_version"] is None) == service.expects_header
    ]


def giving_up(
    services: t.Sequence[Service],
    hosts: t.Sequence[Servers],
    existing: t.Mapping[str, t.Any],
    left_out: t.Sequence[str],
) -> Values:
    """What the load balancer is left with when it gives up these services, on all hosts or on some.

    ``farms`` and ``frontends`` are options of load_balancer. A run over some hosts takes their servers alone. Without
    any frontend nothing can be deployed, so the last ones stay (``kept``), disabled, on empty farms. ``others`` are
    servers in the farms that are no hosts of the run.
    """
    farms = [(service, farm) for service in services for farm in existing["farms"] if _is_of(service, farm)]
    frontends = [(service, item) for service in services for item in existing["frontends"] if _is_of(service, item)]
    kept = bool(frontends) and not left_out and len(frontends) == len(existing["frontends"])
    emptied = [
        _named(service, farm["zone"], servers=[_absent(host[service.name]) for host in hosts])
        for service, farm in farms
    ]
    removed = [_named(service, zone, state="absent") for service in services for zone in service.zones]
    idle = [_named(service, item["zone"], disabled=True) for service, item in frontends]
    addresses = {host[service.name]["address"] for service in services for host in hosts}
    return {
        "farms": emptied if farms and (left_out or kept) else removed,
        "frontends": [] if left_out else idle if kept else removed,
        "kept": [service.name for service, dummy in frontends] if kept else [],
        "others": sorted({server["address"] for dummy, farm in farms for server in farm["servers"]} - addresses),
    }


def confirmations(services: t.Sequence[Service], address: str) -> list[Values]:
    """How to see that each service answers: where, and what it must say. ``address`` is the load balancer's own."""
    return [_confirmation(service, service.address or address) for service in services if service.is_present]


def _confirmation(service: Service, host: str) -> Values:
    port = port_ranges(service.port)[0][0]
    # Where the load balancer ends TLS, clients begin with it, whatever the hosts do.
    tls = "implicit" if service.frontend["ssl"] else service.tls
    shown = {"implicit": "TLS handshake, EHLO", "starttls": "STARTTLS, TLS handshake, EHLO", "none": "EHLO"}[tls]
    return {
        "host": host,
        "port": port,
        "tls": tls,
        "says": f"{service.name}, {host} port {port}: {shown}",
    }


def _named(service: Service, zone: str, **values: t.Any) -> Values:
    return {"display_name": service.name, "protocol": "tcp", "zone": zone, **values}


def _is_of(service: Service, item: t.Mapping[str, t.Any]) -> bool:
    zones = [zone.lower() for zone in service.zones]
    return item["protocol"] == "tcp" and item["display_name"] == service.name and item["zone"] in zones


def _status(server: Values, status: str) -> Values:
    return {"address": server["address"], "port": server["port"], "status": status}


def _absent(server: Values) -> Values:
    return {"address": server["address"], "port": server["port"], "state": "absent"}
