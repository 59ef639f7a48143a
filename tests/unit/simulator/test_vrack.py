# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In and out of a vRack, its networks, and what they mean for farms."""

from __future__ import annotations

from typing import Any

import ovh.exceptions
import pytest

from simulator.state import GIVEN_NETWORK
from tools.waiting import eventually

from .conftest import Service

PATH = "/vrack/pn-1/ipLoadbalancing"
refused = pytest.raises(ovh.exceptions.BadParametersError)
missing = pytest.raises(ovh.exceptions.ResourceNotFoundError)
conflict = pytest.raises(ovh.exceptions.ResourceConflictError)


def attach(service: Service) -> dict[str, Any]:
    task: dict[str, Any] = service.client.post(PATH, ipLoadbalancing=service.simulator.service)
    return task


def state(service: Service) -> str:
    return str(service.get("vrack/status")["state"])


def attached(service: Service) -> None:
    attach(service)
    eventually(lambda: state(service) == "active")


def network(service: Service, **body: Any) -> int:
    values = {"subnet": "10.0.0.0/16", "natIp": "10.0.0.0/27", **body}
    return int(service.post("vrack/network", **values)["vrackNetworkId"])


@pytest.fixture
def inside(service: Service) -> Service:
    attached(service)
    return service


def test_attach_and_detach_with_their_tasks(service: Service) -> None:
    task = attach(service)
    assert (task["serviceName"], task["targetDomain"], task["status"]) == ("pn-1", service.simulator.service, "todo")
    assert service.get("vrack/status") == {"state": "activating", "task": [task["id"]], "vrackName": "pn-1"}
    assert service.client.get(f"/vrack/pn-1/task/{task['id']}")["status"] in ("todo", "doing")
    with refused:
        service.get("vrack/networkCreationRules")
    eventually(lambda: state(service) == "active")
    with missing:
        service.client.get(f"/vrack/pn-1/task/{task['id']}")
    assert service.client.get(PATH) == [service.simulator.service]
    assert service.client.get(f"{PATH}/{service.simulator.service}")["vrack"] == "pn-1"
    assert service.client.get(service.path)["vrackName"] == "pn-1"
    assert service.get("vrack/network") == []
    service.client.delete(f"{PATH}/{service.simulator.service}")
    assert state(service) == "deactivating"
    eventually(lambda: state(service) == "inactive")
    assert service.client.get(service.path)["vrackName"] is None
    with missing:
        service.client.get(f"{PATH}/{service.simulator.service}")


def test_finished_vrack_task(service: Service) -> None:
    service.simulator.switch(finished_vrack_task="stays")
    task = attach(service)
    eventually(lambda: service.client.get(f"/vrack/pn-1/task/{task['id']}")["status"] == "done")
    assert service.get(f"task/{task['id']}")["action"] == "vrackAttach"


@pytest.mark.parametrize(("outcome", "shown"), [("error", "cancelled"), ("cancelled", "cancelled")])
def test_a_failed_attachment_leaves_the_service_outside(service: Service, outcome: str, shown: str) -> None:
    service.simulator.switch(task_outcome=outcome, finished_vrack_task="stays")
    task = attach(service)
    eventually(lambda: service.client.get(f"/vrack/pn-1/task/{task['id']}")["status"] == shown)
    assert state(service) == "inactive"


def test_a_blocked_attachment_goes_on(service: Service) -> None:
    service.simulator.switch(task_outcome="blocked")
    task = attach(service)
    eventually(lambda: service.get(f"task/{task['id']}")["status"] == "blocked")
    assert service.client.get(f"/vrack/pn-1/task/{task['id']}")["status"] == "doing"
    assert state(service) == "activating"


def test_refused_attachments(inside: Service) -> None:
    with conflict:
        attach(inside)
    with missing:
        inside.client.post("/vrack/pn-2/ipLoadbalancing", ipLoadbalancing=inside.simulator.service)
    for body in ({}, {"ipLoadbalancing": "loadbalancer-other"}, {"ipLoadbalancing": 5}, {"colour": "red"}):
        with refused:
            inside.client.post(PATH, **body)


def test_network_life(inside: Service) -> None:
    rules = inside.get("vrack/networkCreationRules")
    assert rules == {"minNatIps": 16, "remainingNetworks": 10, "vrackName": "pn-1"}
    id_ = network(inside, displayName="backends", vlan=7)
    shown = inside.get(f"vrack/network/{id_}")
    assert shown == {
        "displayName": "backends",
        "farmId": [],
        "natIp": "10.0.0.0/27",
        "subnet": "10.0.0.0/16",
        "vlan": 7,
        "vrackNetworkId": id_,
    }
    assert inside.get("vrack/networkCreationRules")["remainingNetworks"] == 9
    inside.put(f"vrack/network/{id_}", **{**shown, "natIp": "10.0.1.0/28", "vlan": 0})
    assert inside.get(f"vrack/network/{id_}")["natIp"] == "10.0.1.0/28"
    assert inside.get("vrack/network", vlan=0) == [id_]
    assert inside.get("vrack/network", subnet="10.1.0.0/16") == []
    inside.delete(f"vrack/network/{id_}")
    with missing:
        inside.get(f"vrack/network/{id_}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"natIp": None}, r"\[natIp\].*Missing"),
        ({"natIp": "10.1.0.0/27"}, r"\[natIp\].*not inside"),
        ({"natIp": "10.0.0.0/29"}, r"\[natIp\].*less than 16"),
        ({"natIp": "10.0.0.1/27"}, r"\[natIp\]"),
        ({"subnet": "fd00::/64"}, r"\[subnet\]"),
        ({"subnet": ["10.0.0.0/16"]}, r"\[subnet\]"),
        ({"vlan": 4095}, r"\[vlan\]"),
        ({"vlan": "7"}, r"\[vlan\]"),
        ({"farmId": 5}, r"\[farmId\] long Data is not an array"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refused_networks(inside: Service, body: dict[str, Any], message: str) -> None:
    with pytest.raises(ovh.exceptions.BadParametersError, match=message):
        network(inside, **body)
    assert inside.get("vrack/network") == []


def test_networks_are_limited_and_for_services_in_a_vrack(service: Service) -> None:
    with refused:
        network(service)
    attached(service)
    for vlan in range(10):
        network(service, vlan=vlan)
    with refused:
        network(service)


def test_what_a_network_is_created_with_stays(inside: Service) -> None:
    id_ = network(inside)
    for body in ({"subnet": "10.1.0.0/16"}, {"farmId": [inside.farm()]}, {"natIp": "10.1.0.0/27"}):
        with refused:
            inside.put(f"vrack/network/{id_}", **body)


def test_farms_enter_and_leave_from_either_side(inside: Service) -> None:
    first, second = inside.farm(), inside.farm("http")
    id_ = network(inside, farmId=[first])
    assert inside.get(f"tcp/farm/{first}")["vrackNetworkId"] == id_
    shown = inside.post(f"vrack/network/{id_}/updateFarmId", farmId=[second])["farmId"]
    assert shown == [{"id": second, "type": "http"}]
    assert inside.get(f"tcp/farm/{first}")["vrackNetworkId"] is None
    with conflict:
        inside.delete(f"vrack/network/{id_}")
    assert inside.get("definedFarms", vrackNetworkId=id_) == [{"id": second, "type": "http"}]
    with missing:
        inside.post(f"vrack/network/{id_}/updateFarmId", farmId=[5])
    inside.post(f"vrack/network/{id_}/updateFarmId", farmId=[])
    inside.delete(f"vrack/network/{id_}")


def test_another_nat_ip_waits_for_a_refresh_where_farms_use_it(inside: Service) -> None:
    id_ = network(inside)
    inside.put(f"vrack/network/{id_}", natIp="10.0.1.0/27", displayName="backends")
    before = inside.pending()
    inside.farm(vrackNetworkId=id_)
    inside.put(f"vrack/network/{id_}", natIp="10.0.2.0/27")
    assert (before, inside.pending()) == ({}, {"gra": 2})


def test_every_farm_needs_a_network_inside_and_none_outside(service: Service) -> None:
    farm = service.farm()
    service.frontend(defaultFarmId=farm)
    assert service.refresh()["status"] == "done"
    attached(service)
    with pytest.raises(ovh.exceptions.BadParametersError, match=f"Farm {farm} has no vRack network"):
        service.post("refresh")
    service.put(f"tcp/farm/{farm}", vrackNetworkId=network(service))
    assert service.refresh()["status"] == "done"
    with missing:
        service.farm(vrackNetworkId=5)


def test_public_servers_in_vrack(inside: Service) -> None:
    farm = inside.farm(vrackNetworkId=network(inside))
    assert inside.server(farm, address="10.0.5.11")
    with refused:
        inside.server(farm, address="145.239.1.1")
    inside.simulator.switch(public_servers_in_vrack="accept")
    assert inside.server(farm, address="145.239.1.1")


def test_detach_with_networks(inside: Service) -> None:
    farm = inside.farm(vrackNetworkId=network(inside))
    with conflict:
        inside.client.delete(f"{PATH}/{inside.simulator.service}")
    inside.simulator.switch(detach_with_networks="accept")
    inside.client.delete(f"{PATH}/{inside.simulator.service}")
    eventually(lambda: state(inside) == "inactive")
    assert inside.get("vrack/network") == []
    assert inside.get(f"tcp/farm/{farm}")["vrackNetworkId"] is None


def test_a_service_may_start_inside(service: Service) -> None:
    service.simulator.reset(vrack="active")
    assert service.get("vrack/network") == [GIVEN_NETWORK]
    farm = service.farm(vrackNetworkId=GIVEN_NETWORK)
    assert service.get(f"vrack/network/{GIVEN_NETWORK}")["farmId"] == [{"id": farm, "type": "tcp"}]
