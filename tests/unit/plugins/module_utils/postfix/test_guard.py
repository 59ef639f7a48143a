# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard in front of a port: what it lets in, and every way in which a live table can differ from it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import (
    TABLE,
    Guard,
    GuardError,
    is_in_place,
    outsiders,
    read_networks,
    ruleset,
)

NETWORKS = ("198.51.100.128/29", "198.51.100.136/29", "192.0.2.7", "2001:db8:1::/64")
GUARD = Guard(25, read_networks("sources", NETWORKS))


@pytest.mark.parametrize(
    ("texts", "networks"),
    [
        (["198.51.100.128/29", "198.51.100.136/29"], ["198.51.100.128/28"]),
        (["198.51.100.130", "198.51.100.128/29"], ["198.51.100.128/29"]),
        (["198.51.100.129/29"], ["198.51.100.128/29"]),
        (["2001:db8::1", "192.0.2.1"], ["192.0.2.1/32", "2001:db8::1/128"]),
    ],
)
def test_networks_are_joined(texts: list[str], networks: list[str]) -> None:
    assert [str(network) for network in read_networks("sources", texts)] == networks


@pytest.mark.parametrize("texts", [[], ["0.0.0.0/0"], ["::/0"], ["balancer.example"], ["192.0.2.1/40"], [""]])
def test_nobody_and_everybody_are_refused(texts: list[str]) -> None:
    with pytest.raises(GuardError, match="sources"):
        read_networks("sources", texts)


def test_the_table_is_replaced_at_once() -> None:
    lines = [line for line in ruleset(GUARD).splitlines() if not line.startswith("#")]
    assert lines[:3] == [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    assert "elements = { 192.0.2.7, 198.51.100.128/28 }" in ruleset(GUARD)
    assert "elements" not in ruleset(Guard(25, read_networks("sources", ["192.0.2.7"]))).partition("balancer_ipv6")[2]


# What nft prints, in JSON, for the guard. Versions differ in how they nest the flags and in the order of objects.
FLAGS: dict[str, Any] = {
    "0.9.8": {"|": [{"|": [{"|": ["fin", "syn"]}, "rst"]}, "ack"]},
    "1.0.6": ["fin", "syn", "rst", "ack"],
    "1.1.3": {"|": ["fin", "syn", "rst", "ack"]},
}


def listing(version: str = "1.0.6") -> list[dict[str, Any]]:
    where = {"family": "inet", "table": TABLE}

    def match(left: Any, right: Any) -> dict[str, Any]:
        return {"match": {"op": "==", "left": left, "right": right}}

    def payload(protocol: str, field: str) -> dict[str, Any]:
        return {"payload": {"protocol": protocol, "field": field}}

    def rule(handle: int, *expr: Any) -> dict[str, Any]:
        return {"rule": {**where, "chain": "input", "handle": handle, "expr": list(expr)}}

    chain = {**where, "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
    v4 = ["192.0.2.7", {"prefix": {"addr": "198.51.100.128", "len": 28}}]
    v6 = [{"prefix": {"addr": "2001:db8:1::", "len": 64}}]
    sets = [
        {"set": {**where, "name": f"balancer_ipv{v}", "type": f"ipv{v}_addr", "flags": ["interval"], "elem": elements}}
        for v, elements in ((4, v4), (6, v6))
    ]
    chains = [{"chain": chain}]
    return [
        {"metainfo": {"version": version}},
        {"table": {"family": "inet", "name": TABLE, "handle": 2}},
        *(chains + sets if version == "1.1.3" else sets + chains),
        rule(4, match({"meta": {"key": "iifname"}}, "lo"), {"accept": None}),
        rule(5, match(payload("ip", "saddr"), "@balancer_ipv4"), {"accept": None}),
        rule(6, match(payload("ip6", "saddr"), "@balancer_ipv6"), {"accept": None}),
        rule(
            7,
            match(payload("tcp", "dport"), 25),
            match({"&": [payload("tcp", "flags"), FLAGS[version]]}, "syn"),
            {"reject": {"type": "tcp reset"}},
        ),
    ]


def in_place(objects: list[dict[str, Any]]) -> bool:
    return is_in_place(json.dumps({"nftables": objects}), GUARD)


@pytest.mark.parametrize("version", FLAGS)
def test_every_version_of_nft_shows_the_guard(version: str) -> None:
    assert in_place(listing(version))


def test_a_range_is_the_networks_it_covers() -> None:
    objects = listing()
    objects[2]["set"]["elem"] = ["192.0.2.7", {"range": ["198.51.100.128", "198.51.100.143"]}]
    assert in_place(objects)


def change(path: list[Any], value: Any) -> Callable[[list[Any]], None]:
    def edit(objects: list[Any]) -> None:
        place: Any = objects
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return edit


DRIFTS: dict[str, Callable[[list[Any]], None]] = {
    "an address less": change([2, "set", "elem"], ["192.0.2.7"]),
    "a network more": lambda objects: objects[2]["set"]["elem"].append({"prefix": {"addr": "10.0.0.0", "len": 8}}),
    "an element that expires": change([2, "set", "elem", 0], {"elem": {"val": "192.0.2.7", "timeout": 60}}),
    "no set": lambda objects: objects.pop(3),
    "another policy": change([4, "chain", "policy"], "drop"),
    "another hook": change([4, "chain", "hook"], "output"),
    "later than others": change([4, "chain", "prio"], 10),
    "a table that sleeps": change([1, "table", "flags"], "dormant"),
    "a rule less": lambda objects: objects.pop(8),
    "a rule more": lambda objects: objects.insert(5, copy.deepcopy(objects[5])),
    "rules in another order": lambda objects: objects.append(objects.pop(5)),
    "another port": change([8, "rule", "expr", 0, "match", "right"], 26),
    "every port but that": change([8, "rule", "expr", 0, "match", "op"], "!="),
    "accepted instead": change([8, "rule", "expr", 2], {"accept": None}),
    "other flags": change([8, "rule", "expr", 1, "match", "left", "&", 1], ["syn", "ack"]),
    "another chain": lambda objects: objects.append({"chain": {"family": "inet", "table": TABLE, "name": "extra"}}),
    "a counter": lambda objects: objects.append({"counter": {"family": "inet", "table": TABLE, "name": "extra"}}),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_change_by_hand_is_seen(drift: str) -> None:
    objects = listing()
    DRIFTS[drift](objects)
    assert not in_place(objects)


def test_no_table_is_not_the_guard() -> None:
    assert not is_in_place(None, GUARD)


def test_who_would_be_shut_out_is_named_once() -> None:
    sockets = """\
0      0             192.0.2.11:25        198.51.100.129:40000
0      0             192.0.2.11:25          203.0.113.10:40001
0      0             192.0.2.11:25          203.0.113.10:40002
0      0    [::ffff:192.0.2.11]:25 [::ffff:198.51.100.130]:40003
0      0        [2001:db8:2::11]:25       [2001:db8:9::1]:40004
0      0              127.0.0.1:25             127.0.0.1:40005
0      0             192.0.2.11:25            192.0.2.11:40006
"""
    assert outsiders(sockets, GUARD.networks) == ["203.0.113.10", "2001:db8:9::1"]
