# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What load_balancer_info returns, and that it can be given back to load_balancer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.info import PARTS, gather, snake_case
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.schema import RESOURCES
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader
from hypothesis import given, settings

from unit.plugins.module_utils.iplb.engine import plan
from unit.plugins.module_utils.iplb.fake_api import SERVICE, FakeApi
from unit.plugins.module_utils.iplb.tasks import services

PUBLIC = [{"zone": "gra", "ip": ["198.51.100.128/29"]}, {"zone": "rbx", "ip": ["198.51.100.136/29"]}]


def info(api: FakeApi, *parts: str) -> dict[str, Any]:
    return gather(api, Reader(api, SERVICE), parts)


@pytest.fixture
def api() -> FakeApi:
    api = FakeApi()
    api.answers["/natIp"] = PUBLIC
    return api


def test_only_what_is_asked_for_is_read(api: FakeApi) -> None:
    assert info(api) == {
        "service": {"service_name": SERVICE, "zone": ["gra", "rbx"]},
        "zones": ["gra", "rbx"],
    }
    assert api.reads == [""]


def test_outgoing_networks_of_a_service_without_vrack(api: FakeApi) -> None:
    assert info(api, "nat_ip")["nat_ip"] == [{**item, "vrack_network_id": None} for item in PUBLIC]
    assert "/vrack/network" not in api.reads


def test_outgoing_networks_include_those_of_the_vrack(api: FakeApi) -> None:
    api.service["vrackName"] = "pn-1"
    api.answers["/vrack/network"] = [4]
    api.answers["/vrack/network/4"] = {"vrackNetworkId": 4, "natIp": "192.0.2.128/29", "subnet": "192.0.2.0/24"}
    assert info(api, "nat_ip")["nat_ip"][2:] == [{"zone": None, "ip": ["192.0.2.128/29"], "vrack_network_id": 4}]


def test_pending_changes_by_zone(api: FakeApi) -> None:
    api.pending = {"gra": 0, "rbx": 2}
    assert info(api, "pending_changes")["pending_changes"] == {"rbx": 2}


def test_tasks_come_oldest_first(api: FakeApi) -> None:
    api.answers["/task"] = [9, 8]
    api.answers["/task/8"] = {"id": 8, "doneDate": "2026-01-01T10:00:20+00:00"}
    api.answers["/task/9"] = {"id": 9, "doneDate": None}
    assert [task["id"] for task in info(api, "tasks")["tasks"]] == [8, 9]
    assert info(api, "tasks")["tasks"][0]["done_date"] == "2026-01-01T10:00:20+00:00"


def test_quota_of_each_zone(api: FakeApi) -> None:
    api.answers["/quota"] = ["gra"]
    api.answers["/quota/gra"] = {"zone": "gra", "lastUpdateDate": None, "total": 12}
    assert info(api, "quota")["quota"] == [{"zone": "gra", "last_update_date": None, "total": 12}]


def test_farms_come_with_their_servers_and_their_health(api: FakeApi) -> None:
    farm = api.add("farm", zone="gra", displayName="smtp")
    api.add("farm", "udp", zone="gra", port=53)
    server = api.add("server", farm=farm, address="192.0.2.11", status="active")
    api.of("server")[server]["serverState"] = [{"instanceId": 1, "status": "UP", "checkTime": None}]
    farms = info(api, "farms")["farms"]
    assert [(item["farm_id"], item["protocol"], len(item["servers"])) for item in farms] == [
        (farm, "tcp", 1),
        (farm + 1, "udp", 0),
    ]
    assert farms[0]["servers"][0]["server_id"] == server
    assert farms[0]["servers"][0]["server_state"] == [{"instance_id": 1, "status": "UP", "check_time": None}]


@given(services())
@settings(max_examples=50, deadline=None)
def test_what_is_read_can_be_written_back_and_changes_nothing(api: FakeApi) -> None:
    """As the documentation promises, except for the health, which is no option."""
    read = info(api, "farms", "frontends")
    for farm in read["farms"]:
        for server in farm["servers"]:
            del server["server_state"]
    lists = {name: read[name] for name in ("farms", "frontends") if read[name]}
    assert plan(api, **lists).operations == []


def test_every_kind_of_object_can_be_read() -> None:
    kinds = {resource.plural for resource in RESOURCES if not resource.parent}
    assert set(PARTS) == {"settings", "nat_ip", "pending_changes", "quota", "tasks", *kinds}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("vrackNetworkId", "vrack_network_id"), ("ipv4", "ipv4"), ("sslConfiguration", "ssl_configuration")],
)
def test_keys_are_in_snake_case_at_every_depth(answer: str, expected: str) -> None:
    assert snake_case([{answer: {answer: ["camelCase"]}}]) == [{expected: {expected: ["camelCase"]}}]
