# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard as a table of nftables: what it says, and whether a live one says it. Private to the collection.

Everything here is pure: text and values in, values out.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import (
    UNNAMED,
    Guard,
    GuardError,
    Network,
    Networks,
    join_networks,
    read_networks,
)

TABLE = "mailops_ovh_iplb"
HEADER = "# Written by the Ansible collection mailops.ovh_iplb, and corrected by its next run.\n"
CHAIN = "type filter hook input priority filter; policy accept;"
SHARES = "# Ports, load balancers, and from where these connect: "


def ruleset(guard: Guard) -> str:
    """The table as a file for ``nft -f``, which puts it in the place of whatever is there.

    The comment keeps what the table can not say, whose the networks are.
    """
    shares = {port: {name: list(map(str, known)) for name, known in guard.shares[port].items()} for port in guard.ports}
    return f"""\
{HEADER}{SHARES}{json.dumps(shares, sort_keys=True)}
table inet {TABLE}
delete table inet {TABLE}
{table(guard)}"""


def new_rules(guard: Guard) -> str:
    """The same for a table that is in use: the chain stays and gets new rules, in one transaction.

    There are no sets, so a packet meets either all rules of before or all of now. (Seen on Linux 6.18: where the table
    is replaced, a packet that is on its way through the old chain can find its sets empty already, and the load
    balancer is refused for that moment.) The sets of an older version are made first, so that they can be removed in
    any case.
    """
    sets = (4, 6)
    return "\n".join(
        [
            f"add table inet {TABLE}",
            *(f"add set inet {TABLE} balancer_ipv{v} {{ type ipv{v}_addr; flags interval; }}" for v in sets),
            f"add chain inet {TABLE} input {{ {CHAIN} }}",
            f"flush table inet {TABLE}",
            table(guard).rstrip(),
            *(f"delete set inet {TABLE} balancer_ipv{v}" for v in sets),
            "",
        ]
    )


def table(guard: Guard) -> str:
    """The table in the words and the layout of ``nft list table``.

    Only the packet that opens a connection is judged, so sessions that are open already go on and no connection
    tracking is needed. A refused client is told so, and tries its next mail exchanger without waiting.
    """
    rules = "\n".join(f"\t\t{rule}" for port in guard.ports for rule in _rules(guard, port))
    return f"""\
table inet {TABLE} {{
\tchain input {{
\t\t{CHAIN}
\t\tiifname "lo" accept
{rules}
\t}}
}}
"""


def _rules(guard: Guard, port: int) -> list[str]:
    return [
        *(f"tcp dport {port} {_family(network)} saddr {_source(network)} accept" for network in guard.networks(port)),
        f"tcp dport {port} tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset",
    ]


def _family(network: Network) -> str:
    return "ip" if network.version == 4 else "ip6"


def _source(network: Network) -> str:
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


def recover(text: str | None, listing: str | None) -> Guard:
    """The guard that a host has: as its file says, otherwise as the live table does.

    An older version guarded one port, and did not note for whom.
    """
    for found in (_of_comment(text or ""), _of_old_file(text or ""), _of_listing(listing)):
        if found is not None:
            return found
    return Guard()


def _of_comment(text: str) -> Guard | None:
    for line in text.splitlines():
        if line.startswith(SHARES):
            try:
                return _of_shares(json.loads(line[len(SHARES) :]))
            except (AttributeError, TypeError, ValueError, GuardError):
                return None
    return None


def _of_shares(shares: Mapping[str, Mapping[str, Any]]) -> Guard:
    return Guard(
        {
            int(port): {name: read_networks("sources", known) for name, known in by_name.items()}
            for port, by_name in shares.items()
        }
    )


def _of_old_file(text: str) -> Guard | None:
    port = re.search(r"tcp dport (\d+) tcp flags", text)
    if port is None or "@balancer_ipv4" not in text:
        return None
    elements = ",".join(re.findall(r"elements = \{(.*?)\}", text)).split(",")
    try:
        return Guard({int(port[1]): {UNNAMED: read_networks("sources", elements)}})
    except GuardError:
        return None


def _of_listing(listing: str | None) -> Guard | None:
    """A table of this version or an older one, whatever became of it."""
    items = [pair for item in json.loads(listing or '{"nftables": []}')["nftables"] for pair in item.items()]
    old = [element for kind, value in items if kind == "set" for element in value.get("elem", [])]
    rules = [_read_rule(value.get("expr", [])) for kind, value in items if kind == "rule"]
    ports = [port for port, _source, verdict in rules if verdict == "reject" and isinstance(port, int)]
    found = {
        port: old + [source for admitted, source, verdict in rules if admitted == port and source] for port in ports
    }
    return Guard({port: {UNNAMED: _networks(sources)} for port, sources in found.items()}) if found else None


def _read_rule(expressions: Sequence[Any]) -> tuple[Any, Any, str]:
    """Port, source and verdict."""
    matches = [expression["match"] for expression in expressions if "match" in expression]
    fields = {match["left"].get("payload", {}).get("field"): match["right"] for match in matches}
    verdicts = [verdict for verdict in ("accept", "reject") if any(verdict in expression for expression in expressions)]
    return fields.get("dport"), fields.get("saddr"), "".join(verdicts)


def _networks(elements: Iterable[Any]) -> Networks:
    return join_networks(network for element in elements for network in _members(element))


def _members(element: Any) -> list[Network]:
    """A member of a set or the right side of a match as networks, where it is one."""
    try:
        if "range" in element:
            first, last = (ipaddress.ip_address(text) for text in element["range"])
            return list(ipaddress.summarize_address_range(first, last))
        prefix = f"{element['prefix']['addr']}/{element['prefix']['len']}" if isinstance(element, Mapping) else element
        return [ipaddress.ip_network(prefix)]
    except (KeyError, TypeError, ValueError):
        return []


def is_in_place(listing: str | None, guard: Guard) -> bool:
    """Whether the table that ``nft -j list table`` shows is the guard's, and nothing but it."""
    return listing is not None and _objects(listing) == _wanted(guard)


Objects = list[Any]


def _wanted(guard: Guard) -> Objects:
    lo = [_match({"meta": {"key": "iifname"}}, "lo"), {"accept": None}]
    rules = [lo, *(rule for port in guard.ports for rule in _wanted_rules(guard, port))]
    return [("chain", "input", "filter", "input", 0, "accept"), *(("rule", "input", _words(rule)) for rule in rules)]


def _wanted_rules(guard: Guard, port: int) -> list[list[Any]]:
    dport = _match(_payload("tcp", "dport"), port)
    flags = {"&": [_payload("tcp", "flags"), ["fin", "syn", "rst", "ack"]]}
    return [
        *(
            [dport, _match(_payload(_family(network), "saddr"), _prefix(network)), {"accept": None}]
            for network in guard.networks(port)
        ),
        [dport, _match(flags, "syn"), {"reject": {"type": "tcp reset"}}],
    ]


def _prefix(network: Network) -> Any:
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def _payload(protocol: str, field: str) -> Any:
    return {"payload": {"protocol": protocol, "field": field}}


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
    rules = [("rule", value["chain"], _words(value.get("expr", []))) for kind, value in items if kind == "rule"]
    # Flags such as dormant would put the table to sleep.
    others = [
        (kind, value)
        for kind, value in items
        if kind not in ("metainfo", "chain", "rule") and not (kind == "table" and not value.get("flags"))
    ]
    return [*sorted(chains, key=str), *rules, *others]


def _words(expression: Any) -> list[str]:
    """Everything that a rule says, each address in one spelling."""
    return [_spell(leaf) for leaf in _leaves(expression)]


def _spell(leaf: str) -> str:
    try:
        return str(ipaddress.ip_address(leaf))
    except ValueError:
        return leaf


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
