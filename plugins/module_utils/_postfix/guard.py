# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guard in front of a port is, as text, and whether nftables has it. Private to the collection.

Everything here is pure: text and values in, values out. The host (nft, systemd, files) is in ``guard_host``.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

TABLE = "mailops_ovh_iplb"
UNIT = "mailops-ovh-iplb.service"
AGAIN_UNIT = "mailops-ovh-iplb-again.service"
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class GuardError(Exception):
    """Something to tell the user: what is wrong, where, and what to do about it."""


@dataclass(frozen=True)
class Guard:
    """One port, and the networks that may open connections to it. Loopback always may."""

    port: int
    networks: tuple[Network, ...]

    def of_version(self, version: int) -> list[Network]:
        return [network for network in self.networks if network.version == version]


def read_networks(option: str, texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks in order, without overlaps; ``option`` names them in the error. Neighbours become one."""
    networks = [_network(option, text) for text in texts]
    if not networks:
        raise GuardError(
            f"{option} is empty: nobody could reach the port any more. The load balancer's networks come from its "
            "natIp; if the API answered with none, ask OVHcloud. Nothing was changed"
        )
    v4 = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    v6 = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6))


def _network(option: str, text: str) -> Network:
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise GuardError(f"{option}: {error}; write addresses or networks, such as 198.51.100.128/29") from error
    if network.prefixlen == 0:
        raise GuardError(f"{option}: {text} is everybody, and would guard nothing; write the load balancer's networks")
    return network


def ruleset(guard: Guard) -> str:
    """The table as a file for ``nft -f``, which replaces it at once.

    Only the packet that opens a connection is judged, so sessions that are open already go on and no connection
    tracking is needed. A refused client is told so, and tries its next mail exchanger without waiting.
    """
    return f"""\
# Written by the Ansible collection mailops.ovh_iplb, and corrected by its next run.
table inet {TABLE}
delete table inet {TABLE}
{table(guard)}"""


def table(guard: Guard) -> str:
    """The table in the words and the layout of ``nft list table``."""
    return f"""\
table inet {TABLE} {{
{_set(guard, 4)}

{_set(guard, 6)}

\tchain input {{
\t\ttype filter hook input priority filter; policy accept;
\t\tiifname "lo" accept
\t\tip saddr @balancer_ipv4 accept
\t\tip6 saddr @balancer_ipv6 accept
\t\ttcp dport {guard.port} tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset
\t}}
}}
"""


def _set(guard: Guard, version: int) -> str:
    elements = ", ".join(_element(network) for network in guard.of_version(version))
    lines = [
        f"\tset balancer_ipv{version} {{",
        f"\t\ttype ipv{version}_addr",
        "\t\tflags interval",
        *([f"\t\telements = {{ {elements} }}"] if elements else []),
        "\t}",
    ]
    return "\n".join(lines)


def _element(network: Network) -> str:
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def is_in_place(listing: str | None, guard: Guard) -> bool:
    """Whether the table that ``nft -j list table`` shows is the guard's, and nothing but it."""
    return listing is not None and _objects(listing) == _wanted(guard)


Objects = list[Any]


def _wanted(guard: Guard) -> Objects:
    def saddr(protocol: str, name: str) -> list[Any]:
        return [_match({"payload": {"protocol": protocol, "field": "saddr"}}, f"@{name}"), {"accept": None}]

    flags = {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn", "rst", "ack"]]}
    rules = [
        [_match({"meta": {"key": "iifname"}}, "lo"), {"accept": None}],
        saddr("ip", "balancer_ipv4"),
        saddr("ip6", "balancer_ipv6"),
        [
            _match({"payload": {"protocol": "tcp", "field": "dport"}}, guard.port),
            _match(flags, "syn"),
            {"reject": {"type": "tcp reset"}},
        ],
    ]
    return [
        ("chain", "input", "filter", "input", 0, "accept"),
        *(("set", f"balancer_ipv{v}", f"ipv{v}_addr", sorted(map(str, guard.of_version(v)))) for v in (4, 6)),
        *(("rule", "input", list(_leaves(rule))) for rule in rules),
    ]


def _match(left: Any, right: Any) -> Any:
    return {"match": {"op": "==", "left": left, "right": right}}


def _objects(listing: str) -> Objects:
    """What a listing holds, in one order: every version of nft has its own."""
    items = [pair for item in json.loads(listing)["nftables"] for pair in item.items()]
    chains = [
        ("chain", *(value.get(key) for key in ("name", "type", "hook", "prio", "policy")))
        for kind, value in items
        if kind == "chain"
    ]
    sets = [
        ("set", value["name"], value["type"], sorted(map(str, _elements(value.get("elem", [])))))
        for kind, value in items
        if kind == "set"
    ]
    rules = [("rule", value["chain"], list(_leaves(value.get("expr", [])))) for kind, value in items if kind == "rule"]
    # Flags such as dormant would put the table to sleep.
    others = [
        (kind, value)
        for kind, value in items
        if kind not in ("metainfo", "chain", "set", "rule") and not (kind == "table" and not value.get("flags"))
    ]
    return [*sorted(chains, key=str), *sorted(sets, key=str), *rules, *others]


def _elements(elements: Iterable[Any]) -> Iterator[Network | str]:
    """The members of a set as networks; what is none (a range with odd ends, a timeout) as it is."""
    networks: list[Network] = []
    for element in elements:
        try:
            networks += _members(element)
        except (KeyError, TypeError, ValueError):
            yield str(element)
    yield from read_networks("set", map(str, networks)) if networks else ()


def _members(element: Any) -> list[Network]:
    if isinstance(element, str):
        return [ipaddress.ip_network(element)]
    if "range" in element:
        first, last = (ipaddress.ip_address(text) for text in element["range"])
        return list(ipaddress.summarize_address_range(first, last))
    return [ipaddress.ip_network(f"{element['prefix']['addr']}/{element['prefix']['len']}")]


def _leaves(value: Any) -> Iterator[str]:
    """Everything an expression says, in order. Versions of nft nest a list of flags in different ways."""
    if isinstance(value, dict):
        for key in sorted(value):
            if key != "|":
                yield key
            yield from _leaves(value[key])
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield str(value)


def unit(nft: str, path: str) -> str:
    """The unit that loads the table of ``path`` at boot.

    nftables.service flushes every table when it is started, stopped or reloaded. This unit follows it down and through
    a restart (PartOf=) and a reload (ReloadPropagatedFrom=), always after it (After=).
    """
    return f"""\
# Written by the Ansible collection mailops.ovh_iplb, and corrected by its next run.
[Unit]
Description=Admit only the OVHcloud Load Balancer to its SMTP port
DefaultDependencies=no
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={nft} -f {path}
ExecReload={nft} -f {path}
ExecStop=-{nft} delete table inet {TABLE}

[Install]
WantedBy=sysinit.target nftables.service
"""


def again_unit(nft: str, path: str) -> str:
    """The unit that loads the table again when nftables.service is started and the other one is active already."""
    return f"""\
# Written by the Ansible collection mailops.ovh_iplb, and corrected by its next run.
[Unit]
Description=Admit only the OVHcloud Load Balancer to its SMTP port, after nftables.service has flushed all rules
DefaultDependencies=no
After=nftables.service {UNIT}
Before=shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart={nft} -f {path}

[Install]
WantedBy=nftables.service
"""


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
