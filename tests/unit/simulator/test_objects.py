# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects: what is accepted, what is refused and how, what is read back."""

from __future__ import annotations

from typing import Any

import ovh.exceptions
import pytest

from .conftest import Service

refused = pytest.raises(ovh.exceptions.BadParametersError)


def test_life_of_a_farm(service: Service) -> None:
    created = service.post("tcp/farm", zone="gra", port=25, displayName="smtp")
    assert created == {
        "balance": None,
        "displayName": "smtp",
        "farmId": created["farmId"],
        "port": 25,
        "probe": None,
        "stickiness": None,
        "vrackNetworkId": None,
        "zone": "gra",
    }
    path = f"tcp/farm/{created['farmId']}"
    assert service.put(path, displayName="mail") is None
    assert service.get(path) == {**created, "displayName": "mail"}
    assert service.delete(path) is None
    with pytest.raises(ovh.exceptions.ResourceNotFoundError):
        service.get(path)


def test_put_is_partial_and_null_resets(service: Service) -> None:
    path = f"tcp/farm/{service.farm(balance='source', stickiness='sourceIp')}"
    service.put(path, stickiness=None)
    farm = service.get(path)
    assert (farm["balance"], farm["stickiness"], farm["port"]) == ("source", None, 25)


def test_zero_is_a_value(service: Service) -> None:
    path = service.server(service.farm(), weight=0)
    assert service.get(path)["weight"] == 0
    service.put(path, weight=None)
    assert service.get(path)["weight"] is None


def test_ids_increase(service: Service) -> None:
    first, second = service.farm(), service.farm()
    assert 0 < first < second
    assert sorted(service.get("tcp/farm")) == [first, second]


def test_defaults_of_a_server(service: Service) -> None:
    farm = service.farm()
    server = service.get(service.server(farm))
    assert {name: server[name] for name in ("backup", "probe", "ssl", "weight", "port", "serverState")} == {
        "backup": False,
        "probe": False,
        "ssl": False,
        "weight": None,
        "port": None,
        "serverState": [],
    }
    assert server["backendId"] == farm


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, r"\[zone\].*Missing"),
        ({"zone": "sbg"}, r"\[zone\].*sbg"),
        ({"zone": "GRA"}, r"\[zone\].*GRA"),
        ({"zone": "gra", "colour": "red"}, "colour"),
        ({"zone": "gra", "farmId": 5}, "farmId"),
        ({"zone": "gra", "port": "25"}, r"\[port\] long"),
        ({"zone": "gra", "port": True}, r"\[port\] long"),
        ({"zone": "gra", "port": 0}, r"\[port\].*lower"),
        ({"zone": "gra", "port": 70000}, r"\[port\].*greater"),
        ({"zone": "gra", "balance": "uri"}, r"\[balance\].*uri"),
        ({"zone": "gra", "stickiness": "cookie"}, r"\[stickiness\]"),
        ({"zone": "gra", "displayName": "x" * 256}, r"\[displayName\]"),
        ({"zone": "gra", "probe": "smtp"}, r"\[probe\]"),
        ({"zone": "gra", "probe": {"type": "smtp", "colour": 1}}, "colour"),
        ({"zone": "gra", "probe": {"type": "internal"}}, r"\[type\]"),
        ({"zone": "gra", "probe": {"type": "smtp", "interval": 29}}, r"\[interval\]"),
        ({"zone": "gra", "probe": {"type": "smtp", "match": "contains", "pattern": "x"}}, "match"),
        ({"zone": "gra", "probe": {"type": "tcp", "match": "contains"}}, "pattern"),
        ({"zone": "gra", "probe": {"type": "smtp", "url": "/"}}, "url"),
        ({"zone": "gra", "probe": {"type": "oco", "port": 80}}, "79"),
        ({"zone": "gra", "probe": {"type": "tcp", "negate": True}}, "A probe can not negate without a match"),
    ],
)
def test_refused_farms(service: Service, body: dict[str, Any], message: str) -> None:
    with pytest.raises(ovh.exceptions.BadParametersError, match=message):
        service.post("tcp/farm", **body)
    assert service.get("tcp/farm") == []


@pytest.mark.parametrize(
    "address", ["2001:db8::1", "127.0.0.1", "224.0.0.1", "0.0.0.0", "mail.example", "192.0.2.1/32", 5]
)
def test_refused_addresses(service: Service, address: Any) -> None:
    farm = service.farm()
    with pytest.raises(ovh.exceptions.BadParametersError, match=r"\[address\] ipv4"):
        service.server(farm, address=address)


@pytest.mark.parametrize("address", ["192.0.2.11", "198.51.100.1", "203.0.113.254", "10.0.0.11", "145.239.1.1"])
def test_accepted_addresses(service: Service, address: str) -> None:
    assert service.get(service.server(service.farm(), address=address))["address"] == address


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"weight": 257}, "weight"),
        ({"status": "on"}, "status"),
        ({"status": None}, "status"),
        ({"backup": 1}, "backup"),
    ],
)
def test_refused_servers(service: Service, body: dict[str, Any], field: str) -> None:
    farm = service.farm()
    with pytest.raises(ovh.exceptions.BadParametersError, match=rf"\[{field}\]"):
        service.server(farm, **body)


def test_server_of_an_unknown_farm(service: Service) -> None:
    with pytest.raises(ovh.exceptions.ResourceNotFoundError):
        service.server(5)


def test_server_is_found_in_its_own_farm_only(service: Service) -> None:
    path = service.server(service.farm())
    other = service.farm()
    with pytest.raises(ovh.exceptions.ResourceNotFoundError):
        service.get(f"tcp/farm/{other}/server/{path.rpartition('/')[2]}")


@pytest.mark.parametrize("port", ["0", "70000", "25-20", "25-25", "abc", "", "25, 26", "25,", 25])
def test_refused_frontend_ports(service: Service, port: Any) -> None:
    with pytest.raises(ovh.exceptions.BadParametersError, match=r"\[port\]"):
        service.frontend(port=port)


@pytest.mark.parametrize("port", ["25", "25,587", "2500-2510", "25,2500-2510,587"])
def test_accepted_frontend_ports(service: Service, port: str) -> None:
    assert service.get(f"tcp/frontend/{service.frontend(port=port)}")["port"] == port


def test_allowed_and_denied_exclude_each_other(service: Service) -> None:
    with refused:
        service.frontend(allowedSource=["192.0.2.0/24"], deniedSource=["198.51.100.0/24"])
    frontend = service.frontend(allowedSource=["192.0.2.0/24"], deniedSource=[])
    with refused:
        service.put(f"tcp/frontend/{frontend}", deniedSource=["198.51.100.0/24"])


def test_blocks_have_to_be_a_list(service: Service) -> None:
    with pytest.raises(
        ovh.exceptions.BadParametersError, match=r"\[allowedSource\] ipBlock Data is not an array for an array type"
    ):
        service.frontend(allowedSource="192.0.2.0/24")


def test_frontend_names_a_farm_of_its_protocol(service: Service) -> None:
    farm = service.farm("http")
    with pytest.raises(ovh.exceptions.BadParametersError, match="http farm"):
        service.frontend(defaultFarmId=farm)
    with pytest.raises(ovh.exceptions.ResourceNotFoundError):
        service.frontend(defaultFarmId=5)


@pytest.mark.parametrize("field", ["defaultFarmId", "defaultSslId"])
def test_id_0_breaks_the_api(service: Service, field: str) -> None:
    with pytest.raises(ovh.exceptions.APIError) as caught:
        service.post("tcp/frontend", **{"zone": "gra", "port": "25", field: 0})
    assert caught.value.response.status_code == 500


def test_read_only_fields_may_be_echoed_but_not_changed(service: Service) -> None:
    path = service.server(service.farm())
    server = service.get(path)
    service.put(path, **{**server, "weight": 5})
    assert service.get(path)["weight"] == 5
    with pytest.raises(ovh.exceptions.BadParametersError, match=r"\[address\].*read-only"):
        service.put(path, address="192.0.2.12")


def test_list_filters(service: Service) -> None:
    gra, everywhere = service.farm(), service.farm(zone="all")
    assert service.get("tcp/farm", zone="all") == [everywhere]
    server = service.server(gra, address="192.0.2.12", status="inactive")
    service.server(gra)
    assert service.get(f"tcp/farm/{gra}/server", address="192.0.2.12", status="inactive") == [int(server[-5:])]
    frontend = service.frontend(port="2525")
    service.frontend(port="587")
    assert service.get("tcp/frontend", port="25%") == [frontend]
    with refused:
        service.get("tcp/farm", colour="red")


def test_expanded_list(service: Service) -> None:
    farms = {service.farm(), service.farm(), service.farm()}
    service.client._session.headers["X-Pagination-Mode"] = "CachedObjectList-Pages"
    assert {farm["farmId"] for farm in service.get("tcp/farm")} == farms
    service.client._session.headers["X-Pagination-Size"] = "2"
    service.client._session.headers["X-Pagination-Number"] = "2"
    assert len(service.get("tcp/farm")) == 1


def test_http_and_udp_have_fields_of_their_own(service: Service) -> None:
    farm = service.farm("http", balance="uri", stickiness="cookie")
    assert service.get(service.server(farm, "http", cookie="a"))["cookie"] == "a"
    frontend = service.frontend("http", defaultFarmId=farm, hsts=True, httpHeader=["X-Ip-Header %ci"])
    assert service.get(f"http/frontend/{frontend}")["hsts"] is True
    udp = service.farm("udp")
    assert set(service.get(f"udp/farm/{udp}")) == {"displayName", "farmId", "port", "vrackNetworkId", "zone"}
    with refused:
        service.server(udp, "udp", weight=1)


def test_service_name_and_paths(service: Service) -> None:
    with pytest.raises(ovh.exceptions.ResourceNotFoundError, match="This service does not exist"):
        service.client.get("/ipLoadbalancing/loadbalancer-other")
    with pytest.raises(ovh.exceptions.ResourceNotFoundError, match="invalid"):
        service.get("tcp/farms")


def test_what_a_service_tells(service: Service) -> None:
    assert sorted(service.get("zone")) == ["gra", "rbx"]
    assert service.get("zone/gra") == {"name": "gra", "state": "ok"}
    assert {entry["zone"]: entry["ip"] for entry in service.get("natIp")} == {
        "gra": ["198.51.100.128/29"],
        "rbx": ["198.51.100.136/29"],
    }
    assert service.get("failover") == ["127.0.0.3/32"]
    assert sorted(service.get("quota")) == ["gra", "rbx"]
    service.put("quota/gra", alert=5)
    assert service.get("quota/gra")["alert"] == 5
    service.client.put(service.path, displayName="mail")
    assert service.client.get(service.path)["displayName"] == "mail"
    farm = service.farm()
    assert service.get("definedFarms") == [{"id": farm, "type": "tcp"}]
    smtp = next(probe for probe in service.get("availableFarmProbes") if probe["type"] == "smtp")
    assert (smtp["matches"], smtp["port"]) == (["default"], True)
    assert service.get("status")["farms"]["total"] == 1
    assert service.get("vrack/network") == []
    for path in (
        "availableFarmType",
        "availableFrontendType",
        "availableRouteActions",
        "availableRouteRules",
        "definedFrontends",
        "definedRoutes",
        "serviceInfos",
        "vrack/status",
    ):
        assert service.get(path) is not None
    assert service.get(f"ssl/{service.get('ssl')[0]}")["subject"].startswith("/CN=")
