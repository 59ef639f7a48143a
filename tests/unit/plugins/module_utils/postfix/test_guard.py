# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which ports are guarded, and for whom: what a task changes of that, and above all what it does not."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.guard import (
    UNNAMED,
    Entry,
    Guard,
    GuardError,
    Networks,
    Request,
    apply,
    outsiders,
    read_networks,
    way_back,
)
from hypothesis import assume, given
from hypothesis import strategies as st

NETWORKS = ("198.51.100.128/29", "198.51.100.136/29", "192.0.2.7", "2001:db8:1::/64")


def networks(*texts: str) -> Networks:
    return read_networks("sources", texts)


A, B, C = networks("198.51.100.128/29"), networks("203.0.113.0/28"), networks("2001:db8:1::/64")
PORTS = (25, 465, 587)
NAMES = (UNNAMED, "one", "two")

guards = st.dictionaries(
    st.sampled_from(PORTS), st.dictionaries(st.sampled_from(NAMES), st.sampled_from([A, B, C]), min_size=1)
).map(Guard)
entries = st.builds(
    Entry, st.sampled_from(PORTS), st.sampled_from(NAMES), st.one_of(st.none(), st.sampled_from([A, B, C]))
)
requests = st.builds(
    Request,
    st.lists(entries, unique_by=lambda entry: (entry.port, entry.load_balancer)),
    st.sampled_from(NAMES[1:]),
    st.one_of(st.none(), st.sampled_from([A, B, C])),
)


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


@pytest.mark.parametrize(
    "texts", [[], ["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], ["::/0"], ["balancer.example"], ["192.0.2.1/40"], [""]]
)
def test_nobody_and_everybody_are_refused(texts: list[str]) -> None:
    with pytest.raises(GuardError, match="sources"):
        read_networks("sources", texts)


@given(guards, requests)
def test_a_port_is_opened_by_nothing_but_its_own_absent(before: Guard, request: Request) -> None:
    after = apply(before, request)
    absent = {entry.port for entry in request.entries if entry.networks is None}
    assert set(before.ports) - set(after.ports) <= absent
    named = {entry.port for entry in request.entries}
    assert set(after.ports) <= {*before.ports, *named}
    assert all(after.networks(port) for port in after.ports)


@given(guards, requests)
def test_two_load_balancers_do_not_undo_each_other(before: Guard, request: Request) -> None:
    after = apply(before, request)
    mine = {(entry.port, entry.load_balancer) for entry in request.entries}
    wiped = {entry.port for entry in request.entries if entry.networks is None and entry.load_balancer == UNNAMED}
    for port, by_name in before.shares.items():
        for name, known in by_name.items():
            if name not in (UNNAMED, request.load_balancer) and (port, name) not in mine and port not in wiped:
                assert after.shares[port][name] == known


@given(guards, requests)
def test_a_second_run_changes_nothing(before: Guard, request: Request) -> None:
    # A task that names a load balancer and nobody for one port says two things.
    assume(len({entry.load_balancer == UNNAMED for entry in request.entries}) < 2)
    after = apply(before, request)
    assert apply(after, request) == after


@given(guards, requests)
def test_the_way_back_leads_back(before: Guard, request: Request) -> None:
    after = apply(before, request)
    back = way_back(before, after)
    told = [
        Entry(
            int(entry["port"]),
            entry["load_balancer"],
            read_networks("sources", entry["sources"]) if entry["state"] == "present" else None,
        )
        for entry in back
    ]
    assert apply(after, Request(told)) == before
    assert bool(back) == (before != after)


def test_a_kept_port_follows_the_addresses_of_its_load_balancer() -> None:
    before = Guard({25: {"one": A}, 465: {"two": A}, 587: {"one": A, "two": A}})
    after = apply(before, Request([Entry(25, "one", B)], "one", B))
    assert after == Guard({25: {"one": B}, 465: {"two": A}, 587: {"one": B, "two": A}})


def test_what_an_older_version_left_becomes_the_load_balancers_and_does_not_stay_open_for_ever() -> None:
    after = apply(Guard({25: {UNNAMED: A}}), Request([Entry(25, "one", B)], "one", B))
    assert after == Guard({25: {"one": B}})


@pytest.mark.parametrize("other", [A, None])
def test_a_port_that_is_named_twice_is_refused(other: Networks | None) -> None:
    with pytest.raises(GuardError, match="25 is named twice"):
        Request([Entry(25, "one", A), Entry(587, "one", A), Entry(25, "one", other)])


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
    assert outsiders(sockets, networks(*NETWORKS)) == ["203.0.113.10", "2001:db8:9::1"]
