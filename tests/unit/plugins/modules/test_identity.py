# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which object a task means: names, ids, zones, ports; what was made by hand; what is ambiguous."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plugins.modules.harness import Service, Values

STAGE = {"refresh": False}


def create(service: Service, kind: str, **values: Any) -> Values:
    """An object made by hand; returns it as the API does."""
    made: Values = service.api("POST", kind, values)
    return made


# Farms and frontends


@pytest.mark.parametrize("module", ["farm", "frontend"])
def test_an_object_made_by_hand_is_adopted_by_its_name(service: Service, module: str) -> None:
    port = {"port": "25"} if module == "frontend" else {}
    create(service, f"tcp/{module}", displayName="mail", zone="gra", **port)
    assert not service.run(module, **STAGE, display_name="mail", zone="GRA", **port)["changed"]
    assert not service.run(module, **STAGE, display_name="mail")["changed"]
    assert service.run(module, **STAGE, display_name="mail", zone="rbx", port="26")["changed"]
    assert len(service.staged(f"tcp/{module}")) == 2


@pytest.mark.parametrize("module", ["farm", "frontend"])
def test_two_objects_of_one_name_are_told_apart_by_id(service: Service, module: str) -> None:
    port = {"port": "25"} if module == "frontend" else {}
    ids = [
        create(service, f"tcp/{module}", displayName=name, zone="gra", **port)[f"{module}Id"] for name in 2 * ["mail"]
    ]
    service.forget()
    for options in ({"zone": "gra"}, {}):
        message = service.fail(module, **STAGE, display_name="mail", **options, port="26")
        assert "mail" in message
        assert all(str(number) in message for number in ids)
        assert f"{module}_id" in message
    whole = service.fail("load_balancer", **STAGE, **{f"{module}s": [{"display_name": "mail", "zone": "gra"}]})
    assert all(str(number) in whole for number in ids)
    assert service.writes() == []

    renamed = service.run(module, **STAGE, **{f"{module}_id": ids[1]}, display_name="other")
    assert renamed["plan"][0]["id"] == ids[1]
    assert not service.run(module, **STAGE, **{f"{module}_id": ids[1]}, display_name="other")["changed"]
    assert service.run(module, **STAGE, display_name="mail", port="26")["plan"][0]["id"] == ids[0]


@pytest.mark.parametrize("module", ["farm", "frontend"])
def test_a_name_is_reset_by_id(service: Service, module: str) -> None:
    port = {"port": "25"} if module == "frontend" else {}
    made = create(service, f"tcp/{module}", displayName="mail", zone="gra", **port)
    by_id = {f"{module}_id": made[f"{module}Id"], "display_name": None}
    assert service.run(module, **STAGE, **by_id)["changed"]
    assert service.only(f"tcp/{module}")["displayName"] is None
    assert not service.run(module, **STAGE, **by_id)["changed"]


@pytest.mark.parametrize("module", ["farm", "frontend"])
def test_an_unknown_id_is_refused_and_absent_is_content_with_it(service: Service, module: str) -> None:
    message = service.fail(module, **STAGE, **{f"{module}_id": 99}, port="25")
    assert f"{module}_id 99 is not a tcp {module} of this service" in message
    assert not service.run(module, **STAGE, **{f"{module}_id": 99}, state="absent")["changed"]


@pytest.mark.parametrize("module", ["farm", "frontend"])
def test_the_same_name_in_another_protocol_or_zone_is_another_object(service: Service, module: str) -> None:
    port = {"port": "25"}
    for protocol, zone in (("tcp", "gra"), ("tcp", "rbx"), ("tcp", "all"), ("http", "gra"), ("udp", "gra")):
        options = {"display_name": "mail", "protocol": protocol, "zone": zone, **port}
        assert service.run(module, **STAGE, **options)["plan"][0]["action"] == "create"
        assert not service.run(module, **STAGE, **options)["changed"]
    assert "zone gra" in service.fail(module, **STAGE, display_name="mail", state="absent")
    service.run(module, **STAGE, display_name="mail", zone="rbx", state="absent")
    assert {item["zone"] for item in service.staged(f"tcp/{module}")} == {"gra", "all"}


def test_the_zone_of_a_farm_can_not_change(service: Service) -> None:
    made = create(service, "tcp/farm", displayName="mail", zone="gra")
    service.forget()
    message = service.fail("farm", **STAGE, farm_id=made["farmId"], zone="rbx")
    assert "zone can not change from gra to rbx" in message
    assert service.writes() == []


# Servers


@pytest.fixture
def farm_id(service: Service) -> int:
    number: int = create(service, "tcp/farm", displayName="mail", zone="gra", port=25)["farmId"]
    return number


def hand_made(service: Service, farm_id: int, **values: Any) -> int:
    made = create(service, f"tcp/farm/{farm_id}/server", address="192.0.2.11", status="active", **values)
    number: int = made["serverId"]
    return number


def test_a_server_without_port_is_one_with_the_port_of_its_farm(service: Service, farm_id: int) -> None:
    server = {"farm": "mail", "address": "192.0.2.11", "status": "active", **STAGE}
    service.run("server", **server)
    for port in ({}, {"port": 25}, {"port": None}):
        assert not service.run("server", **server, **port)["changed"]
    assert service.run("server", **server, port=2525)["plan"][0]["action"] == "create"
    assert [item["port"] for item in service.staged("tcp/server")] == [None, 2525]
    assert not service.run("server", **server, port=2525)["changed"]


def test_servers_of_one_address_are_told_apart_by_port_or_id(service: Service, farm_id: int) -> None:
    ids = [hand_made(service, farm_id), hand_made(service, farm_id, port=2525)]
    service.forget()
    server = {"farm": "mail", "address": "192.0.2.11", **STAGE}
    message = service.fail("server", **server, weight=0)
    assert all(str(number) in message for number in ids)
    assert "server_id" in message
    assert service.writes() == []
    assert service.run("server", **server, weight=0, port=None)["plan"][0]["id"] == ids[0]
    assert service.run("server", farm="mail", server_id=ids[1], port=26, **STAGE)["plan"][0]["after"] == {"port": 26}
    assert not service.run("server", farm="mail", server_id=ids[1], port=26, **STAGE)["changed"]
    assert service.run("server", farm="mail", server_id=ids[1], port=None, **STAGE)["changed"]


def test_a_server_is_found_by_the_id_of_its_farm(service: Service, farm_id: int) -> None:
    create(service, "tcp/farm", displayName="mail", zone="gra", port=25)
    server = {"address": "192.0.2.11", "status": "active", **STAGE}
    assert str(farm_id) in service.fail("server", farm="mail", **server)
    assert service.run("server", farm_id=farm_id, **server)["changed"]
    assert not service.run("server", farm_id=farm_id, **server)["changed"]
    assert service.only("tcp/server")["parent"] == farm_id


def test_the_address_of_a_server_can_not_change(service: Service, farm_id: int) -> None:
    number = hand_made(service, farm_id)
    message = service.fail("server", farm="mail", server_id=number, address="192.0.2.12", **STAGE)
    assert "address can not change from 192.0.2.11 to 192.0.2.12" in message


@pytest.mark.parametrize("check", [True, False])
def test_an_id_and_the_address_of_another_server_are_a_mistake(service: Service, farm_id: int, check: bool) -> None:
    made = service.run("server", farm_id=farm_id, address="192.0.2.11", status="active", **STAGE)
    service.run("server", farm_id=farm_id, address="192.0.2.12", status="active", **STAGE)
    server_id = made["farms"][0]["servers"][0]["server_id"]
    mixed = {"farm_id": farm_id, "server_id": server_id, "address": "192.0.2.12"}
    assert "address can not change from 192.0.2.11" in service.fail("server", check=check, **mixed, **STAGE)
    message = service.fail("server", check=check, **mixed, state="absent", **STAGE)
    assert f"server_id {server_id} is the server 192.0.2.11; correct the address" in message
    assert len(service.staged("tcp/server")) == 2
    if not check:
        service.run("server", farm_id=farm_id, server_id=server_id, state="absent", **STAGE)
        assert service.only("tcp/server")["address"] == "192.0.2.12"


def test_a_server_is_not_made_in_a_farm_that_does_not_exist(service: Service, farm_id: int) -> None:
    server = {"address": "192.0.2.11", "status": "active", **STAGE}
    assert 'farm "mial" does not exist' in service.fail("server", farm="mial", **server)
    assert "zone" in service.fail("server", farm="mail", zone="rbx", **server)
    assert not service.run("server", farm="mial", state="absent", **server)["changed"]
    assert "server_id 99 does not exist" in service.fail("server", farm="mail", server_id=99, weight=1, **STAGE)
    assert not service.run("server", farm="mail", server_id=99, state="absent", **STAGE)["changed"]


# Default farms


def test_the_default_farm_is_set_changed_and_detached(service: Service) -> None:
    first, second = (create(service, "tcp/farm", displayName=name, zone="gra")["farmId"] for name in ("a", "b"))
    frontend: Values = {"display_name": "mail", "zone": "gra", "port": "25", **STAGE}
    for options, held in (
        ({"default_farm": "a"}, first),
        ({"default_farm": "b"}, second),
        ({"default_farm_id": first}, first),
        ({"default_farm_id": None}, None),
        ({"default_farm_id": second}, second),
        ({"default_farm": None}, None),
    ):
        assert service.run("frontend", **frontend, **options)["changed"], options
        assert service.only("tcp/frontend")["defaultFarmId"] == held
        assert not service.run("frontend", **frontend, **options)["changed"], options
        assert not service.run("frontend", **frontend)["changed"], options


def test_the_default_farm_is_of_the_frontends_zone_or_of_all(service: Service) -> None:
    create(service, "tcp/farm", displayName="a", zone="rbx")
    frontend: Values = {"display_name": "mail", "zone": "gra", "port": "25", "default_farm": "a", **STAGE}
    assert "zone rbx, the frontend in gra" in service.fail("frontend", **frontend)
    everywhere = create(service, "tcp/farm", displayName="a", zone="all")["farmId"]
    service.run("frontend", **frontend)
    assert service.only("tcp/frontend")["defaultFarmId"] == everywhere
    here = create(service, "tcp/farm", displayName="a", zone="gra")["farmId"]
    message = service.fail("frontend", **frontend)
    assert str(here) in message
    assert str(everywhere) in message
    assert "default_farm_id" in message
    del frontend["default_farm"]
    assert service.run("frontend", **frontend, default_farm_id=here)["changed"]


def test_a_new_farm_and_its_frontend_are_made_in_one_task(service: Service) -> None:
    task: Values = {
        "farms": [{"display_name": "a", "zone": "gra"}],
        "frontends": [{"display_name": "mail", "zone": "gra", "port": "25", "default_farm": "a"}],
        **STAGE,
    }
    assert [operation["kind"] for operation in service.run("load_balancer", **task)["plan"]] == ["farm", "frontend"]
    assert service.only("tcp/frontend")["defaultFarmId"] == service.only("tcp/farm")["farmId"]
    assert not service.run("load_balancer", **task)["changed"]
