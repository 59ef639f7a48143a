# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the service itself, alone and in one task with all the rest."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plugins.modules.harness import Service, Values

VRACK = "pn-1"
FARM: Values = {"display_name": "smtp", "zone": "gra", "port": 25}
FRONTEND: Values = {"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"}
NETWORK: Values = {"display_name": "mail", "subnet": "10.9.0.0/16", "nat_ip": "10.9.1.0/24"}


def server(address: str, **options: Any) -> Values:
    return {"address": address, "status": "active", **options}


def kinds(result: Values) -> list[tuple[str, str]]:
    return [(operation["action"], operation["kind"]) for operation in result["plan"]]


def told(service: Service) -> Values:
    settings: Values = service.run("load_balancer_info", gather=["settings"])["settings"]
    return settings


def in_vrack(service: Service) -> bool:
    return bool(service.api("GET", "vrack/status")["state"] == "active")


# One setting after the other


@pytest.mark.parametrize(
    ("option", "values", "default"),
    [
        ("display_name", ["mail", "post", ""], None),
        ("ssl_configuration", ["modern", "intermediate", "modern"], None),
        ("quota_alerts", [{"gra": 10**9}, {"gra": 0, "rbx": 5}, {"RBX": "7"}], {"gra": None, "rbx": None}),
    ],
)
def test_a_setting_is_set_kept_and_reset(service: Service, option: str, values: list[Any], default: Any) -> None:
    for value in [*values, default]:
        task = {option: value, "refresh": False}
        planned = service.run("service", check=True, **task)
        assert planned["changed"]
        done = service.run("service", **task)
        assert done["plan"] == planned["plan"]
        assert done["diff"] == planned["diff"]
        assert set(done["plan"][0]["after"]) == {option}
        assert not service.run("service", **task)["changed"], f"second run with {value}"
        assert not service.run("load_balancer", settings={option: value}, refresh=False)["changed"]
        assert not service.run("service", refresh=False)["changed"], "an absent setting was not left alone"
    assert told(service)[option] in (default, "intermediate")


def test_a_run_writes_only_what_differs(service: Service) -> None:
    service.run("service", display_name="mail", quota_alerts={"gra": 5, "rbx": 6})
    service.forget()
    service.run("service", display_name="mail", quota_alerts={"gra": 5, "rbx": 7})
    assert service.writes() == ["PUT quota/rbx"]
    assert told(service) == {
        "display_name": "mail",
        "ssl_configuration": None,
        "quota_alerts": {"gra": 5, "rbx": 7},
        "vrack": None,
    }


def test_only_how_tls_is_spoken_waits_for_a_refresh(service: Service) -> None:
    service.run("load_balancer", farms=[FARM], frontends=[FRONTEND])
    assert service.run("service", display_name="mail", quota_alerts={"gra": 5})["refreshed_zones"] == []
    made = service.run("service", ssl_configuration="modern")
    assert made["refreshed_zones"] == ["gra", "rbx"]
    assert not service.run("service", ssl_configuration="modern")["changed"]


def test_what_a_cut_run_left_waiting_goes_live_with_the_next(service: Service) -> None:
    service.run("load_balancer", farms=[FARM], frontends=[FRONTEND])
    service.run("service", ssl_configuration="modern", refresh=False)
    assert "foreign_changes" in service.fail("service", ssl_configuration="modern", foreign_changes="refuse")
    assert service.run("service", ssl_configuration="modern")["refreshed_zones"] == ["gra", "rbx"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"display_name": "x" * 51}, "service: display_name has 51 characters; the name of a service has 50 at most"),
        ({"quota_alerts": {"sbg": 5}}, "quota_alerts: sbg is not a zone of this service; use gra, rbx"),
        ({"quota_alerts": {}}, "quota_alerts names no zone"),
        ({"quota_alerts": None}, "quota_alerts names no zone"),
        ({"quota_alerts": {"gra": "1 GB"}}, 'quota_alerts.gra: "1 GB" is not a number of bytes'),
        ({"quota_alerts": {"gra": -1}}, 'quota_alerts.gra: "-1" is not a number of bytes'),
        ({"quota_alerts": {"gra": True}}, 'quota_alerts.gra: "True" is not a number of bytes'),
        ({"quota_alerts": {"gra": 1, "GRA": 2}}, "quota_alerts names a zone twice"),
        ({"vrack": " "}, "vrack is empty"),
    ],
)
def test_a_setting_that_can_not_be_is_refused_before_anything_is_written(
    service: Service, options: Values, message: str
) -> None:
    assert message in service.fail("service", **options)
    assert message.removeprefix("service: ") in service.fail("load_balancer", settings=options)
    assert service.writes() == []


# The vRack


@pytest.mark.parametrize("stays", ["stays", "vanishes"])
def test_an_empty_service_enters_a_vrack_and_leaves_it(service: Service, stays: str) -> None:
    service.simulator.switch(finished_vrack_task=stays)
    for vrack in (VRACK, None):
        planned = service.run("service", check=True, vrack=vrack)
        assert in_vrack(service) is (vrack is None), "check mode wrote"
        done = service.run("service", vrack=vrack)
        assert done["plan"] == planned["plan"]
        assert in_vrack(service) is (vrack is not None)
        assert told(service)["vrack"] == vrack
        assert not service.run("service", vrack=vrack)["changed"]


def test_a_service_with_farms_is_not_moved_alone(service: Service) -> None:
    service.run("load_balancer", farms=[FARM], frontends=[FRONTEND])
    service.forget()
    message = service.fail("service", vrack=VRACK)
    assert "farm tcp/gra/smtp would have no private network" in message
    assert service.writes() == []


def test_one_task_takes_a_service_with_farms_into_a_vrack_and_out_of_it(service: Service) -> None:
    public, private = server("192.0.2.11"), server("10.9.0.11")
    service.run("load_balancer", farms=[{**FARM, "servers": [public]}], frontends=[FRONTEND])
    inside: Values = {
        "settings": {"vrack": VRACK},
        "vrack_networks": [NETWORK],
        "farms": [{**FARM, "vrack_network": "mail", "servers": [private]}],
        "purge_servers": True,
    }
    planned = service.run("load_balancer", check=True, **inside)
    made = service.run("load_balancer", **inside)
    assert kinds(made) == [
        ("update", "service"),
        ("create", "vrack_network"),
        ("update", "farm"),
        ("create", "server"),
        ("delete", "server"),
    ]
    assert kinds(planned) == kinds(made)
    assert made["refreshed_zones"] == ["gra", "rbx"], "a network is deployed in every zone"
    assert not service.run("load_balancer", **inside)["changed"]
    outside: Values = {
        "settings": {"vrack": None},
        "vrack_networks": [{"display_name": "mail", "state": "absent"}],
        "farms": [{**FARM, "vrack_network": None}],
    }
    left = service.run("load_balancer", **outside)
    assert kinds(left) == [("update", "farm"), ("delete", "vrack_network"), ("update", "service")]
    assert not in_vrack(service)
    assert not service.run("load_balancer", **outside)["changed"]


@pytest.mark.parametrize(
    ("farms", "message"),
    [
        ([{**FARM, "vrack_network": "mail"}], "192.0.2.11:25 would have no private address"),
        ([{**FARM, "servers": [server("10.9.0.11")]}], "farm tcp/gra/smtp would have no private network"),
        (
            [{**FARM, "vrack_network": "mail", "servers": [server("10.9.0.11")]}],
            "192.0.2.11:25 would have no private address",
        ),
        (
            [{**FARM, "display_name": "new", "vrack_network": "mail", "servers": [server("10.9.0.11")]}],
            "farm tcp/gra/smtp would have no private network",
        ),
    ],
)
def test_a_farm_that_is_not_ready_for_the_vrack_is_named(service: Service, farms: list[Values], message: str) -> None:
    service.run("load_balancer", farms=[{**FARM, "servers": [server("192.0.2.11")]}], frontends=[FRONTEND])
    service.forget()
    task: Values = {"settings": {"vrack": VRACK}, "vrack_networks": [NETWORK], "farms": farms}
    assert message in service.fail("load_balancer", **task)
    assert message in service.fail("load_balancer", check=True, **task)
    assert service.writes() == []


def test_a_farm_of_another_protocol_counts_too(service: Service) -> None:
    service.run("farm", display_name="web", protocol="http", zone="gra", refresh=False)
    assert "farm http/gra/web would have no private network" in service.fail("service", vrack=VRACK)


def test_another_vrack_needs_the_way_out_first(service: Service) -> None:
    service.run("service", vrack=VRACK)
    assert "leave it with vrack: null first" in service.fail("service", vrack="pn-2")


@pytest.mark.parametrize("outcome", ["error", "cancelled"])
def test_an_attachment_that_fails_fails_the_task(service: Service, outcome: str) -> None:
    service.simulator.switch(task_outcome=outcome)
    result = service.failure("service", vrack=VRACK)
    assert "vrack: the service is inactive" in result["msg"]
    assert not in_vrack(service)
    service.simulator.switch(task_outcome="done")
    assert service.run("service", vrack=VRACK)["changed"]


def test_an_attachment_that_is_stuck_is_told(service: Service) -> None:
    service.simulator.switch(task_outcome="blocked")
    message = service.fail("service", vrack=VRACK, wait_timeout=0.1)
    assert "vrack: the service is still activating after 0.1 s" in message


def test_a_service_that_does_not_exist_is_told_as_such(service: Service) -> None:
    assert 'service_name: "other" does not exist' in service.fail("service", vrack=VRACK, service_name="other")


@pytest.mark.parametrize("task", [{"id": 1}, {"status": "done"}, {}, [], [1]], ids=str)
def test_a_task_of_another_shape_is_told(service: Service, task: Any) -> None:
    service.fault(method="GET", path="/vrack/.*/task/.*", status=200, body=task)
    assert "the answer is not what the API describes" in service.fail("service", vrack=VRACK)
    service.run("service", vrack=VRACK)
    assert in_vrack(service)


def test_what_was_written_before_a_failure_is_told(service: Service) -> None:
    service.fault(method="PUT", path=".*/quota/rbx", status=400, body={"message": "No"})
    task: Values = {"display_name": "mail", "quota_alerts": {"gra": 5, "rbx": 6}}
    failed = service.failure("service", **task)
    assert failed["changed"]
    assert [report["after"] for report in failed["written"]] == [{"display_name": "mail", "quota_alerts": {"gra": 5}}]
    assert [report["after"] for report in service.run("service", **task)["plan"]] == [{"quota_alerts": {"rbx": 6}}]
