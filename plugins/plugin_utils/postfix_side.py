# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the services mean on a backend: for Postfix, for its firewall, and for its open sessions.

Pure: no I/O, no Ansible. Private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.services import (
    Service,
    Values,
    checks_the_listener,
)

# From here on there is no smtpd_peer_hostaddr_to_sockaddr, which dies on the command LOCAL of a client that has gone.
SAFE_FROM_LOCAL = (3, 11)
HEADER = re.compile(r"_upstream_proxy_protocol$")


def listeners(services: t.Sequence[Service], shared: t.Mapping[str, t.Any]) -> list[Values]:
    """The option proxy_listeners of postfix_config. ``shared`` is what all listeners have in common."""
    return [_listener(service, shared) for service in services]


def _listener(service: Service, shared: t.Mapping[str, t.Any]) -> Values:
    known = {name: value for name, value in shared.items() if name != "server_address" or _is_address(value)}
    listener = {
        **known,
        "service": service.listener,
        "state": service.state,
        "proxy_protocol_version": service.proxy_protocol_version or "none",
        "checked_by_smtp": service.is_present and checks_the_listener(service) and _probe_type(service) == "smtp",
        "allow_cutover": bool(shared.get("allow_cutover")) or _is_thought_of(service),
    }
    return listener if service.trusted_clients is None else {**listener, "trusted_clients": service.trusted_clients}


def _probe_type(service: Service) -> str:
    probe: Values = service.farm.get("probe") or {}
    return probe.get("type") or "tcp"


def _is_address(value: t.Any) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_thought_of(service: Service) -> bool:
    """Whoever says which clients are trusted has thought of those that use the port today."""
    return service.trusted_clients is not None


def accepts_cutover(services: t.Sequence[Service], allow: bool) -> bool:
    """Whether clients that use the ports now may be shut out by the firewall."""
    return allow or all(_is_thought_of(service) for service in services if service.expects_header)


def guarded_ports(services: t.Sequence[Service]) -> list[Values]:
    """The option ports of port_guard for the listeners that expect a header."""
    return [{"port": listener_name(service)} for service in services if service.expects_header]


def released_ports(services: t.Sequence[Service], guarded: bool) -> list[Values]:
    """The option ports of port_guard for the listeners that are to be open again, once Postfix forgot the header."""
    return [
        {"port": listener_name(service), "state": "absent"}
        for service in services
        if not (guarded and service.expects_header)
    ]


def listener_name(service: Service) -> str:
    """The port of a listener, by number or by the name that the host knows."""
    return str(service.listener_port or service.listener.rpartition("/")[0].rpartition(":")[2])


def refusals(services: t.Sequence[Service], firewall: str) -> list[str]:
    """Why a host must not be configured like this, whatever is installed there."""
    return [
        f"trusted_clients of {service.name} (postfix_backend_trusted_clients) lets "
        f"{', '.join(service.trusted_clients)} relay, and without a firewall everybody who reaches the port can claim "
        "these addresses. Set postfix_backend_firewall to nftables, or to external if another firewall admits only the "
        "load balancer, or trust nobody with []"
        for service in services
        if service.expects_header and service.trusted_clients and firewall == "none"
    ]


def fragile(services: t.Sequence[Service]) -> list[Service]:
    """Services whose checks send the command LOCAL and then a reset, which takes smtpd before 3.11 down.

    That is what HAProxy does when it checks no protocol. An SMTP check ends in order, also when every smtpd is busy and
    it times out (HAProxy 2.6, Postfix 3.7, measured).
    """
    return [
        service
        for service in services
        if service.is_present
        and (service.proxy_protocol_version or "").startswith("v2")
        and checks_the_listener(service)
        and _probe_type(service) != "smtp"
    ]


def deadly_checks(services: t.Sequence[Service], postfix_version: str) -> list[str]:
    """The checks that this Postfix would not bear. ``postfix_version`` is empty where it is not known."""
    if not postfix_version or is_safe_from_local(postfix_version):
        return []
    return [
        f"{service.name}: a {_probe_type(service)} probe with PROXY protocol "
        f"{service.proxy_protocol_version} sends the command LOCAL and a reset, and smtpd of Postfix {postfix_version} "
        "dies of that, again and again, while the load balancer shows the server UP. Use a probe of type smtp, or "
        "proxy_protocol_version: v1, or Postfix 3.11"
        for service in fragile(services)
    ]


def is_safe_from_local(postfix_version: str) -> bool:
    numbers = re.findall(r"\d+", postfix_version)[:2]
    return tuple(map(int, numbers)) >= SAFE_FROM_LOCAL


def exposed(services: t.Sequence[Service], postfix_version: str, firewall: str) -> list[str]:
    """The listeners that any client could take down with a header of its own, for want of a firewall."""
    if firewall != "none" or not postfix_version or is_safe_from_local(postfix_version):
        return []
    return [service.listener for service in services if service.expects_header]


def turned(plan: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """The services of master.cf where a plan of postfix_config turns the header on or off."""
    found = [str(step["service"]) for step in plan if HEADER.search(step["parameter"] or "")]
    return [name for name in dict.fromkeys(found) if name != "None"]


def turned_beyond(
    services: t.Sequence[Service], only: t.Sequence[Service], plan: t.Sequence[t.Mapping[str, t.Any]]
) -> list[str]:
    """The services outside a limited roll-out whose listeners would change all the same."""
    out = [service for service in services if service not in only]
    # The new entry of a port of its own, and smtpd behind postscreen, have other names or none.
    changed = turned(plan)
    return [service.name for service in out if service.listener in changed]


def session_filter(services: t.Sequence[Service], host: t.Mapping[str, Values], networks: t.Sequence[str]) -> str:
    """A filter of ss(8) for the load balancer's sessions with this host's services.

    Where the host is reached on another port than that of the listener, its sockets have the listener's behind a NAT,
    and the other one behind a program that passes connections on.
    """
    numbers = {int(host[service.name].get("port") or service.server_port) for service in services}
    numbers |= {service.listener_port for service in services if service.listener_port}
    ports = " or ".join(f"sport = :{number}" for number in sorted(numbers))
    peers = " or ".join(f"dst {network}" for network in networks)
    return f"( {ports} ) and ( {peers} )"
