# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the services mean on the load balancer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils import balancer_side
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils.services import Refused, Service, read_services
from hypothesis import given
from hypothesis import strategies as st

NAMES = {"smtp": 25, "submission": 587, "submissions": 465}


def declare(absent: tuple[str, ...] = (), names: tuple[str, ...] = tuple(NAMES), **common: Any) -> list[Service]:
    entries = [
        {
            "name": name,
            "port": NAMES[name],
            "listener": f"{name}/inet",
            "state": "absent" if name in absent else "present",
        }
        for name in names
    ]
    return read_services({**common, "services": entries})


def hosts(services: list[Service], count: int = 2) -> list[dict[str, dict[str, Any]]]:
    return [balancer_side.servers(services, f"192.0.2.{11 + number}", {}) for number in range(count)]


def farm(name: str, *servers: dict[str, Any], zone: str = "all", number: int = 1) -> dict[str, Any]:
    found = [{"status": "active", "port": None, "proxy_protocol_version": "v1", **server} for server in servers]
    port = NAMES.get(name, 25)
    return {"farm_id": number, "protocol": "tcp", "zone": zone, "display_name": name, "port": port, "servers": found}


def frontend(name: str, zone: str = "all") -> dict[str, Any]:
    return {"protocol": "tcp", "zone": zone, "display_name": name}


def test_every_service_has_a_farm_and_a_frontend_in_each_zone() -> None:
    services = declare(zones=["gra", "rbx"])
    declared = balancer_side.declaration(services, hosts(services), complete=True)
    assert {(item["display_name"], item["zone"], item["port"]) for item in declared["farms"]} == {
        (name, zone, port) for name, port in NAMES.items() for zone in ("gra", "rbx")
    }
    assert {(item["display_name"], item["zone"], item["port"]) for item in declared["frontends"]} == {
        (name, zone, str(port)) for name, port in NAMES.items() for zone in ("gra", "rbx")
    }
    for item in declared["farms"]:
        assert [server["address"] for server in item["servers"]] == ["192.0.2.11", "192.0.2.12"]


def test_a_hosts_own_options_win() -> None:
    services = declare()
    host = balancer_side.servers(services, "192.0.2.11", {"weight": 7})
    assert {server["weight"] for server in host.values()} == {7}


def test_a_service_that_is_gone_from_the_list_is_in_no_declaration() -> None:
    services = declare(names=("smtp",))
    declared = balancer_side.declaration(services, hosts(services), complete=True)
    assert [item["display_name"] for item in declared["farms"] + declared["frontends"]] == ["smtp", "smtp"]


def test_an_absent_service_is_removed_by_a_run_over_all_hosts_alone() -> None:
    services = declare(absent=("submission",))
    whole = balancer_side.declaration(services, hosts(services), complete=True)
    part = balancer_side.declaration(services, hosts(services), complete=False)
    absent = [{"display_name": "submission", "protocol": "tcp", "zone": "all", "state": "absent"}]
    assert [item for item in whole["farms"] if item["display_name"] == "submission"] == absent
    assert [item for item in whole["frontends"] if item["display_name"] == "submission"] == absent
    assert [item for item in part["farms"] + part["frontends"] if item["display_name"] == "submission"] == []


def test_a_list_of_absent_services_alone_declares_nothing_that_could_not_be_deployed() -> None:
    services = declare(absent=tuple(NAMES))
    assert balancer_side.declaration(services, hosts(services), complete=True) == {"farms": [], "frontends": []}


def test_one_host_is_taken_out_of_all_its_farms_at_once() -> None:
    services = declare(zones=["gra", "rbx"])
    farms = balancer_side.host_farms(services, hosts(services)[0], "inactive")
    assert len(farms) == 6
    assert {tuple(item["servers"][0].items()) for item in farms} == {
        (("address", "192.0.2.11"), ("port", None), ("status", "inactive"))
    }


def test_a_host_returns_only_to_the_farms_it_was_taken_out_of() -> None:
    services = declare()
    host = hosts(services)[0]
    result = {
        "plan": [
            {"kind": "server", "key": "tcp/all/smtp/192.0.2.11:25", "before": {"status": "active"}},
            {"kind": "server", "key": "tcp/all/submission/192.0.2.11:587", "before": {"weight": 0}},
        ]
    }
    back = balancer_side.drained(services, host, result)
    assert [item["display_name"] for item in back] == ["smtp"]
    assert back[0]["servers"] == [{"address": "192.0.2.11", "port": None, "status": "active"}]
    assert balancer_side.drained(services, host, {"failed": True}) == []


def test_a_header_turned_on_under_mail_is_a_cut_over_and_another_version_is_none() -> None:
    def update(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        return {"kind": "server", "action": "update", "key": str(before), "before": before, "after": after}

    version = "proxy_protocol_version"
    on = update({version: None}, {version: "v1"})
    off = update({version: "v2"}, {version: None})
    newer = update({version: "v1"}, {version: "v2"})
    idle = update({version: None, "status": "inactive"}, {version: "v1", "status": "active"})
    weight = update({"weight": 1}, {"weight": 2})
    assert balancer_side.cutover([on, off, newer, idle, weight]) == [on["key"], off["key"]]


def test_servers_of_other_farms_at_odds_are_found_on_their_own_port_alone() -> None:
    services = declare(absent=("submission",))
    ours = hosts(services, 1)
    plain = {"address": "192.0.2.11", "proxy_protocol_version": None}
    farms = [
        farm("smtp", plain, number=1),  # our own, about to change
        farm("by hand", plain, number=2),  # port 25 without a header
        farm("by hand", {"address": "192.0.2.11"}, number=3),  # port 25 with one, as we do
        farm("by hand", {"address": "192.0.2.11", "port": 587}, number=4),  # a header for what is to be absent
        farm("by hand", {**plain, "port": 587}, number=5),
        farm("by hand", {**plain, "status": "inactive"}, number=6),
        farm("by hand", {**plain, "address": "192.0.2.99"}, number=7),
        farm("by hand", {**plain, "port": 2525}, number=8),
    ]
    found = balancer_side.elsewhere(services, ours, farms, services)
    assert [(item["farm_id"], item["service"], item["header"]) for item in found] == [
        (2, "smtp", "without"),
        (4, "submission", "with"),
    ]


def test_a_farm_in_a_zone_that_is_not_declared_is_anothers() -> None:
    services = declare(names=("smtp",), zones=["gra"])
    plain = {"address": "192.0.2.11", "proxy_protocol_version": None}
    found = balancer_side.elsewhere(services, hosts(services), [farm("smtp", plain, zone="rbx")], services)
    assert [item["address"] for item in found] == ["192.0.2.11"]


def test_some_hosts_leave_and_the_farms_stay() -> None:
    services = declare(names=("smtp", "submission"))
    existing = {"farms": [farm("smtp", {"address": "192.0.2.11"})], "frontends": [frontend("smtp")]}
    left = balancer_side.giving_up(services, hosts(services, 1), existing, ["backend2"])
    assert left["farms"] == [
        {
            "display_name": "smtp",
            "protocol": "tcp",
            "zone": "all",
            "servers": [{"address": "192.0.2.11", "port": None, "state": "absent"}],
        }
    ]
    assert (left["frontends"], left["kept"]) == ([], [])


def test_the_last_frontends_are_kept_disabled_on_empty_farms() -> None:
    services = declare(names=("smtp", "submission"))
    existing = {
        "farms": [farm("smtp", {"address": "192.0.2.11"}), farm("submission", {"address": "192.0.2.11"})],
        "frontends": [frontend("smtp"), frontend("submission")],
    }
    left = balancer_side.giving_up(services, hosts(services, 1), existing, [])
    assert left["kept"] == ["smtp", "submission"]
    assert [item["disabled"] for item in left["frontends"]] == [True, True]
    assert all(item["servers"][0]["state"] == "absent" for item in left["farms"])


def test_beside_other_frontends_nothing_is_kept() -> None:
    services = declare(names=("submission",))
    existing = {"farms": [farm("submission")], "frontends": [frontend("submission"), frontend("smtp")]}
    left = balancer_side.giving_up(services, hosts(services), existing, [])
    gone = [{"display_name": "submission", "protocol": "tcp", "zone": "all", "state": "absent"}]
    assert (left["farms"], left["frontends"], left["kept"]) == (gone, gone, [])


def test_servers_of_others_are_named() -> None:
    services = declare(names=("smtp",))
    existing = {
        "farms": [farm("smtp", {"address": "192.0.2.11"}, {"address": "192.0.2.99"})],
        "frontends": [frontend("smtp")],
    }
    assert balancer_side.giving_up(services, hosts(services), existing, [])["others"] == ["192.0.2.99"]


@pytest.mark.parametrize("option", ["proxy_protocol_version", "address", "port"])
def test_a_host_changes_nothing_behind_the_back_of_its_postfix(option: str) -> None:
    with pytest.raises(Refused, match=f"smtp_load_balancer_server_options can not have {option}"):
        balancer_side.servers(declare(), "192.0.2.11", {option: None})


def test_the_port_of_the_only_service_may_be_another_on_a_host() -> None:
    services = declare(names=("smtp",))
    assert balancer_side.servers(services, "192.0.2.11", {"port": 2525})["smtp"]["port"] == 2525


def test_a_host_is_a_server_of_the_services_whose_farms_have_it() -> None:
    services = declare(absent=("submission",))
    host = hosts(services)[0]
    farms = [farm("smtp", {"address": "192.0.2.12"}), farm("submission", {"address": "192.0.2.11"})]
    assert balancer_side.served(services, host, farms) == [services[1]]
    assert balancer_side.served(services, host, [farm("submission", {"address": "192.0.2.11"}, zone="gra")]) == []


def test_a_host_comes_back_to_other_services_with_nothing_but_its_status() -> None:
    services = declare(absent=("submission",))
    back = balancer_side.host_status(services, hosts(services)[0])
    assert [item["display_name"] for item in back] == ["smtp", "submissions"]
    assert [item["servers"] for item in back] == [[{"address": "192.0.2.11", "port": None, "status": "active"}]] * 2


@given(st.sets(st.sampled_from(sorted(NAMES))), st.sets(st.sampled_from(sorted(NAMES))), st.booleans(), st.booleans())
def test_giving_up_always_leaves_something_that_can_be_deployed(
    given_up: set[str], there: set[str], others: bool, limited: bool
) -> None:
    """Whatever exists: a frontend is left, and no farm is made that was not there."""
    services = declare(names=tuple(sorted(given_up)) or ("smtp",))
    existing = {
        "farms": [farm(name, {"address": "192.0.2.11"}) for name in there],
        "frontends": [frontend(name) for name in there] + [frontend("other")] * others,
    }
    left = balancer_side.giving_up(services, hosts(services), existing, ["backend9"] if limited else [])
    gone = {item["display_name"] for item in left["frontends"] if item.get("state") == "absent"}
    remaining = {item["display_name"] for item in existing["frontends"]} - gone
    assert remaining or not existing["frontends"]
    assert {item["display_name"] for item in left["farms"] if item.get("state") != "absent"} <= there
    if limited and there & {service.name for service in services}:
        assert not any(item.get("state") == "absent" for item in left["farms"] + left["frontends"])


def test_every_service_is_spoken_to_in_its_own_way() -> None:
    asked = balancer_side.confirmations(declare(absent=("smtp",)), "198.51.100.25")
    assert [(item["host"], item["port"], item["tls"]) for item in asked] == [
        ("198.51.100.25", 587, "starttls"),
        ("198.51.100.25", 465, "implicit"),
    ]


def test_a_service_whose_tls_the_load_balancer_ends_is_spoken_to_by_tls() -> None:
    """A plain EHLO would wait in vain: the load balancer waits for the client's part of the handshake."""
    asked = balancer_side.confirmations(declare(frontend_options={"ssl": True}), "198.51.100.25")
    assert {(item["port"], item["tls"]) for item in asked} == {(port, "implicit") for port in NAMES.values()}
    assert all("TLS handshake" in item["says"] for item in asked)
