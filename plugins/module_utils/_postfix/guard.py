# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ports of a host are guarded, and against whom. Private to the collection.

Everything here is pure: text and values in, values out. What nftables and systemd are told is in ``guard_table`` and
``guard_units``; the host (nft, systemd, files) is in ``guard_host``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Networks = tuple[Network, ...]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

# The load balancer of those that name none, and of a guard that an older version put up.
UNNAMED = ""


class GuardError(Exception):
    """Something to tell the user: what is wrong, where, and what to do about it."""


@dataclass(frozen=True)
class Guard:
    """The guarded ports. Each has the networks that may open connections to it, by the load balancer that they are of.

    Loopback always may.
    """

    shares: Mapping[int, Mapping[str, Networks]] = field(default_factory=dict)

    @property
    def ports(self) -> list[int]:
        return sorted(self.shares)

    def networks(self, port: int) -> Networks:
        """Those of all load balancers together."""
        return join_networks(network for networks in self.shares[port].values() for network in networks)

    def of_version(self, port: int, version: int) -> list[Network]:
        return [network for network in self.networks(port) if network.version == version]

    def as_values(self) -> list[dict[str, Any]]:
        """The shares as a module returns them, and takes them."""
        return [
            _entry(port, name, networks) for port in self.ports for name, networks in sorted(self.shares[port].items())
        ]


def _entry(port: int, load_balancer: str, networks: Networks | None) -> dict[str, Any]:
    entry = {"port": str(port), "load_balancer": load_balancer, "state": "absent" if networks is None else "present"}
    return entry if networks is None else {**entry, "sources": [str(network) for network in networks]}


@dataclass(frozen=True)
class Entry:
    """What a task says of a port. It leaves the guard where ``networks`` is None."""

    port: int
    load_balancer: str
    networks: Networks | None


@dataclass(frozen=True)
class Request:
    """What a task says. ``followed`` are the networks of every other port of the load balancer."""

    entries: Sequence[Entry]
    load_balancer: str = UNNAMED
    followed: Networks | None = None

    def __post_init__(self) -> None:
        seen = [(entry.port, entry.load_balancer) for entry in self.entries]
        twice = sorted({port for port, name in seen if seen.count((port, name)) > 1})
        if twice:
            raise GuardError(
                f"ports: {', '.join(map(str, twice))} is named twice; say once what is to be. Nothing was changed"
            )


def apply(guard: Guard, request: Request) -> Guard:
    """The guard as the task wants it. A port that the task does not name stays."""
    shares = {port: dict(by_name) for port, by_name in guard.shares.items()}
    named = {entry.port for entry in request.entries}
    for port, by_name in shares.items():
        if request.followed is not None and port not in named and request.load_balancer in by_name:
            by_name[request.load_balancer] = request.followed
    for entry in request.entries:
        _change(shares.setdefault(entry.port, {}), entry)
    return Guard({port: by_name for port, by_name in shares.items() if by_name})


def _change(by_name: dict[str, Networks], entry: Entry) -> None:
    if entry.load_balancer == UNNAMED and entry.networks is None:
        by_name.clear()
    # Whoever says which load balancer it is takes over what nobody's was. It would stay for ever otherwise.
    if entry.load_balancer != UNNAMED:
        by_name.pop(UNNAMED, None)
    if entry.networks is None:
        by_name.pop(entry.load_balancer, None)
    else:
        by_name[entry.load_balancer] = entry.networks


def way_back(before: Guard, after: Guard) -> list[dict[str, Any]]:
    """The option ``ports`` that makes ``before`` of ``after``."""
    ports = sorted({*before.ports, *after.ports})
    changed = [port for port in ports if before.shares.get(port) != after.shares.get(port)]
    return [entry for port in changed for entry in _way_back(port, before.shares.get(port), after.shares.get(port, {}))]


def _way_back(port: int, before: Mapping[str, Networks] | None, after: Mapping[str, Networks]) -> list[dict[str, Any]]:
    if before is None:
        return [_entry(port, UNNAMED, None)]
    gone = [_entry(port, name, None) for name in sorted(after) if name not in before and name != UNNAMED]
    # Last what is nobody's, which an entry with a name takes over.
    return gone + [_entry(port, name, before[name]) for name in sorted(before, reverse=True)]


def read_networks(option: str, texts: Iterable[str]) -> Networks:
    """The networks in order, without overlaps; ``option`` names them in the error. Neighbours become one."""
    networks = [_network(option, text) for text in texts]
    if not networks:
        raise GuardError(
            f"{option} is empty: nobody could reach the port any more. The load balancer's networks come from its "
            "natIp; if the API answered with none, ask OVHcloud. Nothing was changed"
        )
    joined = join_networks(networks)
    if any(network.prefixlen == 0 for network in joined):
        raise GuardError(
            f"{option}: {', '.join(map(str, networks))} are together everybody, and would guard nothing; write the "
            "load balancer's networks"
        )
    return joined


def join_networks(networks: Iterable[Network]) -> Networks:
    known = list(networks)
    v4 = [network for network in known if isinstance(network, ipaddress.IPv4Network)]
    v6 = [network for network in known if isinstance(network, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6))


def _network(option: str, text: str) -> Network:
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise GuardError(f"{option}: {error}; write addresses or networks, such as 198.51.100.128/29") from error
    if network.prefixlen == 0:
        raise GuardError(f"{option}: {text} is everybody, and would guard nothing; write the load balancer's networks")
    return network


_MAPPED = re.compile(r"^::ffff:(?=\d+\.)", re.IGNORECASE)


def outsiders(sockets: str, networks: Sequence[Network]) -> list[str]:
    """The peers, of the sessions that ``ss -Htn`` lists, that come neither from ``networks`` nor from this host."""
    found: dict[str, None] = {}
    for line in sockets.splitlines():
        local, peer = (_address(field) for field in line.split()[2:4])
        if peer is None or peer.is_loopback or peer == local or any(peer in network for network in networks):
            continue
        found[str(peer)] = None
    return list(found)


def _address(field: str) -> Address | None:
    """``192.0.2.1:25``, ``[::ffff:192.0.2.1]:25``, ``[fe80::1%eth0]:25``"""
    host = field.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(_MAPPED.sub("", host))
    except ValueError:
        return None
