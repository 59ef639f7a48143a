# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the services mean on a backend."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils import postfix_side
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.balancer_side import servers
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.services import Service, read_services

SMTP = {"name": "smtp", "port": "25", "listener": "smtp/inet"}
SUBMISSION = {"name": "submission", "port": "587", "listener": "submission/inet"}
SUBMISSIONS = {"name": "submissions", "port": "465", "listener": "submissions/inet"}


def declare(*entries: dict[str, Any]) -> list[Service]:
    return read_services({"services": list(entries or (SMTP, SUBMISSION, SUBMISSIONS))})


def test_every_listener_is_given_and_one_without_header_is_not_one_that_goes() -> None:
    services = declare(SMTP, {**SUBMISSION, "state": "absent"}, {**SUBMISSIONS, "proxy_protocol_version": None})
    given = postfix_side.listeners(services, {"balancer_networks": ["198.51.100.128/29"]})
    assert [(item["service"], item["state"], item["proxy_protocol_version"]) for item in given] == [
        ("smtp/inet", "present", "v1"),
        ("submission/inet", "absent", "v1"),
        ("submissions/inet", "present", "none"),
    ]
    assert {tuple(item["balancer_networks"]) for item in given} == {("198.51.100.128/29",)}


def test_nothing_said_of_trusted_clients_is_not_nobody() -> None:
    said, unsaid = postfix_side.listeners(declare({**SMTP, "trusted_clients": []}, SUBMISSION), {})
    assert said["trusted_clients"] == []
    assert "trusted_clients" not in unsaid


def test_a_port_is_guarded_as_long_as_its_listener_expects_a_header() -> None:
    services = declare(SMTP, {**SUBMISSION, "state": "absent"}, SUBMISSIONS)
    assert [item["port"] for item in postfix_side.guarded_ports(services)] == ["25", "465"]
    assert postfix_side.released_ports(services, guarded=True) == [{"port": "587", "state": "absent"}]


def test_without_a_firewall_of_the_hosts_own_every_port_is_released() -> None:
    assert [item["port"] for item in postfix_side.released_ports(declare(), guarded=False)] == ["25", "587", "465"]


def test_trust_needs_a_firewall() -> None:
    services = declare({**SMTP, "trusted_clients": ["192.0.2.200"]})
    assert "trusted_clients of smtp" in postfix_side.refusals(services, "none")[0]
    assert postfix_side.refusals(services, "nftables") == []


@pytest.mark.parametrize("version", ["3.7.11", "3.10.0", "3.5.25"])
@pytest.mark.parametrize("port", [{}, {"port": None}, {"port": 25}, {"port": "25"}])
def test_a_check_that_takes_smtpd_down_is_refused(version: str, port: dict[str, Any]) -> None:
    services = declare({**SMTP, "proxy_protocol_version": "v2", "probe": {"type": "tcp", **port}})
    assert [item.name for item in postfix_side.fragile(services)] == ["smtp"]
    assert "dies" in postfix_side.deadly_checks(services, version)[0]


@pytest.mark.parametrize(
    ("entry", "version"),
    [
        ({"proxy_protocol_version": "v2", "probe": {"type": "tcp"}}, "3.11.0"),
        ({"proxy_protocol_version": "v2", "probe": {"type": "tcp"}}, "4.0"),
        ({"proxy_protocol_version": "v1", "probe": {"type": "tcp"}}, "3.7.11"),
        ({"proxy_protocol_version": "v2", "probe": {"port": 2525}}, "3.7.11"),
        ({"proxy_protocol_version": "v2", "probe": None}, "3.7.11"),
        ({"proxy_protocol_version": "v2", "probe": {"type": "smtp"}}, "3.7.11"),
        ({"proxy_protocol_version": "v2", "state": "absent"}, "3.7.11"),
    ],
)
def test_a_check_that_harms_nothing_is_not_refused(entry: dict[str, Any], version: str) -> None:
    assert postfix_side.deadly_checks(declare({**SMTP, **entry}), version) == []


def test_a_listener_that_anybody_can_take_down_is_named() -> None:
    services = declare(SMTP, {**SUBMISSION, "proxy_protocol_version": None})
    assert postfix_side.exposed(services, "3.10.5", "none") == ["smtp/inet"]
    assert postfix_side.exposed(services, "3.11.0", "none") == []
    assert postfix_side.exposed(services, "3.10.5", "external") == []


def test_a_limited_roll_out_does_not_turn_the_header_of_others() -> None:
    services = declare()
    plan: list[dict[str, Any]] = [
        {"file": "main.cf", "service": None, "parameter": "smtp_upstream_proxy_protocol"},
        {"file": "master.cf", "service": "submission/inet", "parameter": "smtpd_upstream_proxy_protocol"},
        {"file": "master.cf", "service": "smtp/inet", "parameter": "mynetworks"},
        {"file": "master.cf", "service": "10025/inet", "parameter": None},
    ]
    assert postfix_side.turned_beyond(services, services[1:2], plan) == []
    assert postfix_side.turned_beyond(services, services[:1], plan) == ["submission"]


def test_sessions_are_looked_for_on_the_ports_of_all_services() -> None:
    services = declare()
    host = servers(services, "192.0.2.11", {})
    assert postfix_side.session_filter(services, host, ["198.51.100.128/29", "198.51.100.136/29"]) == (
        "( sport = :25 or sport = :465 or sport = :587 ) and ( dst 198.51.100.128/29 or dst 198.51.100.136/29 )"
    )


def test_sessions_behind_a_nat_are_looked_for_on_the_port_of_the_listener() -> None:
    """The host's sockets have that one, and a host that seems to have none is taken for drained."""
    services = read_services({"server_port": 2525})
    host = servers(services, "192.0.2.11", {})
    assert postfix_side.session_filter(services, host, ["198.51.100.128/29"]) == (
        "( sport = :25 or sport = :2525 ) and ( dst 198.51.100.128/29 )"
    )
