# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What listens where: services compared by the sockets that their names come down to. Pure. Private to the collection.

Postfix binds whatever its entries say, also one port for two of them (it sets SO_REUSEPORT), and connections then go to
either of them at random. Of two entries with the same host and port, however that is written, it uses the last and says
so in its log only. So ``smtp/inet``, ``25/inet`` and ``192.0.2.11:smtp/inet`` are not to stand side by side.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Callable, Union

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Listener,
    PostfixError,
    Request,
    Settings,
    is_proxied,
)

_WILDCARDS = [str(ipaddress.IPv4Address(0)), str(ipaddress.IPv6Address(0))]
IPAddress = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


@dataclass(frozen=True)
class Lookup:
    """What a host knows about names and about itself."""

    port: Callable[[str], int | None]
    """The port of a name of services(5), or of a number."""
    addresses: Callable[[str], Sequence[str]]
    """The addresses of a host name."""
    is_own: Callable[[str], bool]
    """Whether an address is one of the host's own."""


@dataclass(frozen=True)
class Socket:
    address: IPAddress
    port: int

    def overlaps(self, other: Socket) -> bool:
        """Postfix makes its IPv6 sockets for IPv6 alone, so the wildcards of the two families do not meet."""
        if self.port != other.port or self.address.version != other.address.version:
            return False
        return self.address == other.address or self.address.is_unspecified or other.address.is_unspecified

    def __str__(self) -> str:
        return f"{'every address' if self.address.is_unspecified else self.address} port {self.port}"


def sockets(service: str, settings: Settings, lookup: Lookup) -> frozenset[Socket]:
    """What an inet service of master.cf listens on; nothing where its names can not be resolved. master(5)."""
    name, kind = service.rsplit("/", 1)
    host, _colon, port_name = name.rpartition(":")
    port = lookup.port(port_name)
    if kind != "inet" or port is None:
        return frozenset()
    hosts = [host] if host else _interfaces(settings)
    found = {address for word in hosts for address in _addresses(word.strip("[]"), lookup)}
    return frozenset(Socket(address, port) for address in found if f"ipv{address.version}" in _protocols(settings))


def _interfaces(settings: Settings) -> list[str]:
    words = settings.effective.get("inet_interfaces", "").replace(",", " ").split() or ["all"]
    known = {"all": _WILDCARDS, "loopback-only": ["127.0.0.1", "::1"]}
    return known.get(words[0].lower(), words) if len(words) == 1 else words


def _protocols(settings: Settings) -> set[str]:
    words = set(settings.effective.get("inet_protocols", "all").replace(",", " ").lower().split())
    return {"ipv4", "ipv6"} if not words or "all" in words else words


def _addresses(host: str, lookup: Lookup) -> Iterator[IPAddress]:
    host = host[5:] if host.lower().startswith("ipv6:") else host
    try:
        yield _plain(ipaddress.ip_address(host))
    except ValueError:
        for text in lookup.addresses(host):
            yield _plain(ipaddress.ip_address(text))


def _plain(address: IPAddress) -> IPAddress:
    """An IPv4 address that is written as an IPv6 one is still that IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def others_on(service: str, settings: Settings, lookup: Lookup) -> dict[str, Socket]:
    """The other entries of master.cf that serve what a service listens on, each with a socket that both want."""
    wanted = sockets(service, settings, lookup)
    found = {}
    for other in settings.entries:
        theirs = sockets(other, settings, lookup) if other != service else ()
        shared = sorted((own for own in wanted for their in theirs if own.overlaps(their)), key=str)
        if shared:
            found[other] = shared[0]
    return found


def refuse_missing(before: Settings, request: Request, lookup: Lookup) -> None:
    """Raise where a service is asked for by another name than that of the entry which serves its port."""
    for service in request.services:
        serving = [] if service in before.entries else sorted(others_on(service, before, lookup))
        if serving and not any(service == listener.service for listener in request.listeners):
            raise PostfixError(
                f"services: master.cf has no entry {service}, but {serving[0]} serves that port. Write {serving[0]}"
            )
    for listener in request.listeners:
        if listener.service in before.entries or listener.service in request.new_services:
            continue
        others = sorted(others_on(listener.service, before, lookup))
        serving = [other for other in others if listener.present or is_proxied(before, other)]
        if serving:
            raise PostfixError(
                f"{listener.option}.service: master.cf has no entry {listener.service}, but {serving[0]} serves that "
                f"port. Name that entry ({listener.option}.service: {serving[0]}, role: postfix_backend_listener)"
            )


def refuse_ambiguous(after: Settings, request: Request, lookup: Lookup) -> None:
    """Raise where it would be chance, or an entry that Postfix passes over, whether a setting is in force."""
    listeners = {listener.service: listener for listener in request.listeners}
    new = [service for service, entry in request.new_services.items() if entry]
    for service in [*listeners, *request.services, *request.new_services]:
        if service in after.duplicates:
            raise PostfixError(
                f"master.cf has the entry {service} more than once, and Postfix uses only the last of them: remove the "
                "others"
            )
    for service in [*(listener.service for listener in request.with_header), *new]:
        for other, shared in others_on(service, after, lookup).items():
            option = f"{listeners[service].option}.service" if service in listeners else f"new_services.{service}"
            raise PostfixError(
                f"{option}: {service} and {other} of master.cf would both listen on {shared}: Postfix would let "
                f"connections go to either at random, or use the later entry alone. {_remedy(service, other, request)}"
            )


def _remedy(service: str, other: str, request: Request) -> str:
    added = [name for name in (service, other) if request.new_services.get(name)]
    if added:
        kept = other if added[0] == service else service
        return f"Do without {added[0]} and use {kept}, or give it another port or address"
    return "Remove one of the two entries"


def reachability(after: Settings, listener: Listener, lookup: Lookup) -> str | None:
    """What is doubtful about the way from the load balancer to a listener. Raises PostfixError where there is none."""
    here = sockets(listener.service, after, lookup)
    if not here:
        return None
    listens = ", ".join(sorted(str(socket.address) for socket in here))
    if listener.server_address and lookup.is_own(listener.server_address):
        if not is_reached(here, listener.server_address):
            raise PostfixError(
                f"{listener.option}.server_address: the load balancer sends to {listener.server_address}, where "
                f"{listener.service} does not listen: {_blame(after, listener)} (it listens on {listens})"
            )
        return None
    if not all(socket.address.is_loopback for socket in here):
        return None
    where = f"sends to {listener.server_address}" if listener.server_address else "comes from another machine"
    return (
        f"{listener.service} listens on {listens} alone, and the load balancer {where}: unless something on this host "
        f"passes its connections on, none will arrive. {_blame(after, listener)}"
    )


def own_addresses(listeners: Iterable[Listener], lookup: Lookup) -> dict[str, str]:
    """By service, where the load balancer speaks to it, as far as that is an address of this host."""
    said = {listener.service: listener.server_address for listener in listeners}
    return {service: address for service, address in said.items() if address and lookup.is_own(address)}


def is_reached(here: Collection[Socket], address: str) -> bool:
    target = _plain(ipaddress.ip_address(address))
    return any(socket.overlaps(Socket(target, socket.port)) for socket in here)


def _blame(after: Settings, listener: Listener) -> str:
    if ":" in listener.service:
        return (
            "the entry names its address itself. Let an entry be the listener that names none, or the one that the "
            "load balancer sends to"
        )
    address = ipaddress.ip_address(listener.server_address) if listener.server_address else None
    if address and f"ipv{_plain(address).version}" not in _protocols(after):
        return (
            f"inet_protocols = {after.effective.get('inet_protocols')} leaves that family out. Set inet_protocols = all"
        )
    return (
        f"inet_interfaces = {after.effective.get('inet_interfaces')} decides that. Set inet_interfaces = all, or name "
        "the address there (parameters, role: postfix_backend_parameters)"
    )
