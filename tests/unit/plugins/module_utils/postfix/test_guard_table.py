# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guard as a table: every way in which a live one can differ from it, and what is left of it on a host."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import UNNAMED, Guard, read_networks
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard_table import (
    TABLE,
    is_in_place,
    recover,
    ruleset,
)

V4 = read_networks("sources", ["198.51.100.128/29", "198.51.100.136/29", "192.0.2.7"])
V6 = read_networks("sources", ["2001:db8:1::/64"])
GUARD = Guard({25: {"one": V4, "two": V6}})
THREE = Guard({25: {"one": V4, "two": V6}, 465: {"two": V6}, 587: {"": V4}})


def test_a_port_is_refused_after_all_that_may_connect_to_it() -> None:
    rules = [line.strip() for line in ruleset(THREE).splitlines() if "dport" in line]
    assert rules[:4] == [
        "tcp dport 25 ip saddr 192.0.2.7 accept",
        "tcp dport 25 ip saddr 198.51.100.128/28 accept",
        "tcp dport 25 ip6 saddr 2001:db8:1::/64 accept",
        "tcp dport 25 tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset",
    ]
    assert [rule.split()[2] for rule in rules[4:]] == ["465", "465", "587", "587", "587"]


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

    def admit(handle: int, protocol: str, source: Any) -> dict[str, Any]:
        return rule(
            handle, match(payload("tcp", "dport"), 25), match(payload(protocol, "saddr"), source), {"accept": None}
        )

    chain = {**where, "name": "input", "handle": 1, "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}
    return [
        {"metainfo": {"version": version}},
        {"table": {"family": "inet", "name": TABLE, "handle": 2}},
        {"chain": chain},
        rule(4, match({"meta": {"key": "iifname"}}, "lo"), {"accept": None}),
        admit(5, "ip", "192.0.2.7"),
        admit(6, "ip", {"prefix": {"addr": "198.51.100.128", "len": 28}}),
        admit(7, "ip6", {"prefix": {"addr": "2001:db8:1::", "len": 64}}),
        rule(
            8,
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


def change(path: list[Any], value: Any) -> Callable[[list[Any]], None]:
    def edit(objects: list[Any]) -> None:
        place: Any = objects
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return edit


SOURCE = ["rule", "expr", 1, "match", "right"]
DRIFTS: dict[str, Callable[[list[Any]], None]] = {
    "an address less": lambda objects: objects.pop(4),
    "another address": change([4, *SOURCE], "192.0.2.8"),
    "a larger network": change([5, *SOURCE, "prefix", "len"], 8),
    "everybody": change([5, *SOURCE], {"prefix": {"addr": "0.0.0.0", "len": 0}}),
    "a network more": lambda objects: objects.insert(5, copy.deepcopy(objects[4])),
    "an old set": lambda objects: objects.insert(2, {"set": {"name": "balancer_ipv4", "type": "ipv4_addr"}}),
    "another policy": change([2, "chain", "policy"], "drop"),
    "another hook": change([2, "chain", "hook"], "output"),
    "later than others": change([2, "chain", "prio"], 10),
    "a table that sleeps": change([1, "table", "flags"], "dormant"),
    "a rule less": lambda objects: objects.pop(7),
    "rules in another order": lambda objects: objects.append(objects.pop(4)),
    "another port": change([7, "rule", "expr", 0, "match", "right"], 26),
    "another port for the load balancer": change([6, "rule", "expr", 0, "match", "right"], 26),
    "every port but that": change([7, "rule", "expr", 0, "match", "op"], "!="),
    "accepted instead": change([7, "rule", "expr", 2], {"accept": None}),
    "other flags": change([7, "rule", "expr", 1, "match", "left", "&", 1], ["syn", "ack"]),
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


# What an older version wrote, and what nft showed of it.
OLD = """\
# Written by the Ansible collection mailops.ovh_iplb, and corrected by its next run.
table inet mailops_ovh_iplb
delete table inet mailops_ovh_iplb
table inet mailops_ovh_iplb {
\tset balancer_ipv4 {
\t\ttype ipv4_addr
\t\tflags interval
\t\telements = { 192.0.2.7, 198.51.100.128/28 }
\t}

\tset balancer_ipv6 {
\t\ttype ipv6_addr
\t\tflags interval
\t\telements = { 2001:db8:1::/64 }
\t}

\tchain input {
\t\ttype filter hook input priority filter; policy accept;
\t\tiifname "lo" accept
\t\tip saddr @balancer_ipv4 accept
\t\tip6 saddr @balancer_ipv6 accept
\t\ttcp dport 25 tcp flags & (fin | syn | rst | ack) == syn reject with tcp reset
\t}
}
"""


def old_listing() -> str:
    where = {"family": "inet", "table": TABLE}
    elements = {4: ["192.0.2.7", {"range": ["198.51.100.128", "198.51.100.143"]}], 6: []}
    elements[6] += [{"prefix": {"addr": "2001:db8:1::", "len": 64}}]
    sets = [{"set": {**where, "name": f"balancer_ipv{v}", "elem": known}} for v, known in elements.items()]
    return json.dumps({"nftables": [*listing()[:4], *sets, listing()[-1]]})


@pytest.mark.parametrize("guard", [GUARD, THREE, Guard()])
def test_a_host_knows_what_it_guards_and_for_whom(guard: Guard) -> None:
    assert recover(ruleset(guard), None) == guard


def test_the_guard_of_an_older_version_is_known() -> None:
    known = Guard({25: {UNNAMED: (*V4, *V6)}})
    assert recover(OLD, None) == known
    assert recover(None, old_listing()) == known
    assert recover("edited", old_listing()) == known


def test_without_its_file_the_live_table_counts() -> None:
    known = Guard({25: {UNNAMED: (*V4, *V6)}})
    assert recover(None, json.dumps({"nftables": listing()})) == known
    broken = ruleset(GUARD).replace('"one": [', '"one": "')
    assert recover(broken, json.dumps({"nftables": listing()})) == known


def test_a_host_without_anything_guards_nothing() -> None:
    empty = json.dumps({"nftables": [{"table": {"family": "inet", "name": TABLE, "handle": 2}}]})
    assert recover(None, None) == recover("", empty) == Guard()
