# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What listens where: entries that would take each other's connections, and listeners that nobody would reach."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.layout import (
    Lookup,
    reachability,
    refuse_ambiguous,
    refuse_missing,
    sockets,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.listener import with_listeners
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.model import (
    Entry,
    Listener,
    PostfixError,
    Request,
    Settings,
    parse_settings,
)
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._postfix.request import read_request

PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465, "urd": 465}
HOSTS = {"localhost": ("127.0.0.1", "::1"), "mx.example": ("192.0.2.11",)}
OWN = "192.0.2.11"
LOOKUP = Lookup(
    port=lambda name: int(name) if name.isdigit() else PORTS.get(name),
    addresses=lambda name: HOSTS.get(name, ()),
    is_own=lambda address: address in (OWN, "2001:db8:2::11", "127.0.0.1"),
)


def host(*services: str, **effective: str) -> Settings:
    return Settings(
        entries={service: Entry(service, command="smtpd") for service in services},
        effective={"inet_interfaces": "all", "inet_protocols": "all", **effective},
    )


def listener(service: str = "smtp/inet") -> Request:
    return Request(listeners=(Listener(service, trusted_clients=()),))


def doubt(after: Settings, service: str, address: str | None) -> str | None:
    return reachability(after, Listener(service, server_address=address), LOOKUP)


@pytest.mark.parametrize(
    ("service", "effective", "addresses"),
    [
        ("smtp/inet", {}, {"0.0.0.0", "::"}),
        ("smtp/inet", {"inet_protocols": "ipv4"}, {"0.0.0.0"}),
        ("25/inet", {"inet_interfaces": "loopback-only"}, {"127.0.0.1", "::1"}),
        ("smtp/inet", {"inet_interfaces": "mx.example, localhost"}, {"192.0.2.11", "127.0.0.1", "::1"}),
        ("smtp/inet", {"inet_interfaces": "[2001:db8:2::11] 192.0.2.11"}, {"2001:db8:2::11", "192.0.2.11"}),
        ("192.0.2.11:smtp/inet", {"inet_interfaces": "loopback-only"}, {"192.0.2.11"}),
        ("[::]:smtp/inet", {}, {"::"}),
        ("[::ffff:192.0.2.11]:smtp/inet", {}, {"192.0.2.11"}),
        ("localhost:smtp/inet", {"inet_protocols": "ipv6"}, {"::1"}),
        ("no.such.name:smtp/inet", {}, set()),
        ("nosuchport/inet", {}, set()),
        ("smtp/unix", {}, set()),
    ],
)
def test_a_service_is_what_it_resolves_to(service: str, effective: Mapping[str, str], addresses: set[str]) -> None:
    found = sockets(service, host(**effective), LOOKUP)
    assert {str(socket.address) for socket in found} == addresses
    assert {socket.port for socket in found} <= {25}


CLASHES = [
    ("smtp/inet", "25/inet", {}),
    ("25/inet", "smtp/inet", {}),
    ("smtp/inet", "192.0.2.11:smtp/inet", {}),
    ("10025/inet", "127.0.0.1:10025/inet", {}),
    ("10025/inet", "[::]:10025/inet", {}),
    ("10025/inet", "localhost:10025/inet", {"inet_protocols": "ipv6"}),
    ("submissions/inet", "smtps/inet", {}),
    ("465/inet", "urd/inet", {}),
    ("submission/inet", "587/inet", {}),
    ("smtp/inet", "mx.example:25/inet", {"inet_interfaces": "192.0.2.11"}),
    ("192.0.2.11:25/inet", "[::ffff:192.0.2.11]:smtp/inet", {}),
    ("127.0.0.1:10025/inet", "10025/inet", {"inet_interfaces": "loopback-only"}),
]
APART = [
    ("smtp/inet", "127.0.0.1:10025/inet", {}),
    ("10025/inet", "127.0.0.1:10025/inet", {"inet_interfaces": "192.0.2.11"}),
    ("192.0.2.11:25/inet", "127.0.0.1:25/inet", {}),
    ("192.0.2.11:25/inet", "[::]:25/inet", {}),
    ("10025/inet", "[::1]:10025/inet", {"inet_protocols": "ipv4"}),
    ("smtp/inet", "smtp/unix", {}),
]


@pytest.mark.parametrize(("ours", "theirs", "effective"), CLASHES)
def test_mail_does_not_go_at_random_to_one_of_two_entries(ours: str, theirs: str, effective: Mapping[str, str]) -> None:
    after = host(ours, theirs, **effective)
    with pytest.raises(PostfixError, match=r"proxy_listener\.service: .* would both listen on .*port \d+") as refused:
        refuse_ambiguous(after, listener(ours), LOOKUP)
    assert ours in str(refused.value)
    assert theirs in str(refused.value)
    with pytest.raises(PostfixError, match="would both listen"):
        refuse_ambiguous(after, Request(new_services={ours: after.entries[ours]}), LOOKUP)
    refuse_ambiguous(after, Request(listeners=(Listener(ours, present=False),)), LOOKUP)


@pytest.mark.parametrize(("ours", "theirs", "effective"), APART)
def test_entries_that_do_not_meet_stand_side_by_side(ours: str, theirs: str, effective: Mapping[str, str]) -> None:
    refuse_ambiguous(host(ours, theirs, **effective), listener(ours), LOOKUP)


@pytest.mark.parametrize(
    ("asked", "serving"),
    [
        ("smtp/inet", "25/inet"),
        ("smtp/inet", "192.0.2.11:smtp/inet"),
        ("smtp/inet", "[::]:25/inet"),
        ("submissions/inet", "smtps/inet"),
        ("25/inet", "smtp/inet"),
        ("10025/inet", "127.0.0.1:10025/inet"),
    ],
)
def test_the_advice_is_the_entry_that_serves_the_port_and_never_another_beside_it(asked: str, serving: str) -> None:
    with pytest.raises(PostfixError) as refused:
        refuse_missing(host(serving), listener(asked), LOOKUP)
    assert f"proxy_listener.service: {serving}" in str(refused.value)
    assert "new_services" not in str(refused.value)


def test_overrides_for_another_name_of_a_port_are_not_answered_with_a_second_entry() -> None:
    with pytest.raises(
        PostfixError, match=r"services: master\.cf has no entry smtp/inet, but 25/inet serves that port"
    ):
        refuse_missing(host("25/inet"), Request(services={"smtp/inet": {"mynetworks": ""}}), LOOKUP)


def test_a_listener_under_another_name_is_not_forgotten_in_silence() -> None:
    """Taking back ``submissions/inet`` where the entry is ``smtps/inet`` would end well and change nothing."""
    leaving = Request(listeners=(Listener("submissions/inet", present=False),))
    refuse_missing(host("smtps/inet"), leaving, LOOKUP)
    with pytest.raises(PostfixError, match="smtps/inet serves that port"):
        refuse_missing(host("smtps/inet", smtpd_upstream_proxy_protocol="haproxy"), leaving, LOOKUP)


def test_an_entry_that_postfix_passes_over_is_not_edited() -> None:
    master = "smtp inet n - y - - smtpd\nsmtp inet n - y - - smtpd -o smtpd_helo_required=yes\n"
    read = parse_settings("", master, overrides="", expanded="", effective="", warnings="", directory="", unused={})
    assert read.duplicates == ("smtp/inet",)
    for request in (
        listener(),
        Request(listeners=(Listener(present=False),)),
        Request(services={"smtp/inet": {"mynetworks": ""}}),
        Request(new_services={"smtp/inet": Entry("smtp/inet", command="smtpd")}),
    ):
        with pytest.raises(PostfixError, match=r"smtp/inet more than once.*only the last"):
            refuse_ambiguous(read, request, LOOKUP)


@pytest.mark.parametrize(
    ("service", "effective", "blamed"),
    [
        ("smtp/inet", {"inet_interfaces": "loopback-only"}, "inet_interfaces = loopback-only"),
        ("smtp/inet", {"inet_interfaces": "127.0.0.1, 192.0.2.12"}, "inet_interfaces = 127.0.0.1, 192.0.2.12"),
        ("smtp/inet", {"inet_protocols": "ipv6"}, "inet_protocols = ipv6"),
        ("127.0.0.1:25/inet", {}, "the entry names its address itself"),
    ],
)
def test_a_listener_that_the_balancer_would_not_reach_is_refused_at_once(
    service: str, effective: dict[str, str], blamed: str
) -> None:
    after = host(service, **effective)
    with pytest.raises(PostfixError, match=rf"sends to {OWN}, where {service} does not listen") as refused:
        doubt(after, service, OWN)
    assert blamed in str(refused.value)


def test_the_address_that_the_balancer_sends_to_is_enough() -> None:
    for interfaces in ("all", "192.0.2.11, 127.0.0.1", "mx.example"):
        assert doubt(host("smtp/inet", inet_interfaces=interfaces), "smtp/inet", OWN) is None
    assert doubt(host("192.0.2.11:25/inet"), "192.0.2.11:25/inet", OWN) is None


@pytest.mark.parametrize("address", [None, "203.0.113.80"])
def test_behind_nat_a_listener_on_the_loopback_alone_is_warned_of(address: str | None) -> None:
    loopback = host("smtp/inet", inet_interfaces="loopback-only")
    assert "inet_interfaces = loopback-only" in str(doubt(loopback, "smtp/inet", address))
    inside = host("smtp/inet", inet_interfaces="10.0.0.5, 127.0.0.1")
    assert doubt(inside, "smtp/inet", address) is None


@pytest.mark.parametrize(
    ("name", "tls"),
    [
        ("submission/inet", "smtpd_tls_security_level: encrypt"),
        ("587/inet", "smtpd_tls_security_level: encrypt"),
        ("submissions/inet", "smtpd_tls_wrappermode: true"),
        ("465/inet", "smtpd_tls_wrappermode: true"),
        ("192.0.2.11:smtps/inet", "smtpd_tls_wrappermode: true"),
    ],
)
def test_a_port_of_submission_is_not_made_like_that_of_mail_from_strangers(name: str, tls: str) -> None:
    """Debian ships the entries as comments. The error shows what to paste, and pasted it is one that can be read."""
    with pytest.raises(PostfixError) as refused:
        with_listeners(host("smtp/inet"), listener(name), lambda _address: False)
    text, _colon, pasted = str(refused.value).partition("for example:\n")
    assert f"proxy_listener.service: master.cf has no entry {name}" in text
    assert tls in pasted
    request = read_request({}, {}, yaml.safe_load(pasted)["new_services"], listener(name).listeners)
    entry = with_listeners(host("smtp/inet"), request, lambda _address: False).new_services[name]
    assert entry is not None
    assert entry.overrides["smtpd_relay_restrictions"] == "permit_sasl_authenticated, reject"
    assert entry.overrides["smtpd_upstream_proxy_protocol"] == "$smtp_upstream_proxy_protocol"
