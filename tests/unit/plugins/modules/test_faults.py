# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An API that is slow, full, away or cut off at any point: no duplicates, and the next run finishes the work."""

from __future__ import annotations

from typing import Any

import pytest

from tools.waiting import eventually
from unit.plugins.modules.harness import Service, Values

SERVERS = [
    {"address": f"192.0.2.{number}", "status": "active", "probe": True, "proxy_protocol_version": "v1"}
    for number in (11, 12)
]
TASK: Values = {
    "farms": [
        {"display_name": "smtp", "zone": "gra", "port": 25, "probe": {"type": "smtp"}, "servers": SERVERS},
        {"display_name": "smtp", "zone": "rbx", "port": 25, "probe": {"type": "smtp"}, "servers": SERVERS},
    ],
    "frontends": [
        {"display_name": "smtp", "zone": zone, "port": "25", "default_farm": "smtp"} for zone in ("gra", "rbx")
    ],
}
WRITES = 9  # two farms, four servers, two frontends, one refresh
GONE: Values = {
    "farms": [{"display_name": "smtp", "zone": "rbx", "state": "absent"}],
    "frontends": [{"display_name": "smtp", "zone": "rbx", "state": "absent"}],
}
GONE_WRITES = 5  # frontend, two servers, farm, refresh


def without_ids(objects: Values) -> list[str]:
    """What stands in the service, comparable between two services."""
    names = {farm["farmId"]: (farm["displayName"], farm["zone"]) for farm in objects.get("tcp/farm", [])}
    described = []
    for kind, items in objects.items():
        for item in items:
            fields = {name: value for name, value in item.items() if not name.endswith("Id")}
            fields |= {name: names.get(item.get(name)) for name in ("parent", "defaultFarmId") if name in item}
            described.append(f"{kind} {sorted(fields.items(), key=str)}")
    return sorted(described)


@pytest.fixture
def wanted(service: Service) -> list[str]:
    """What the task leaves behind when nothing goes wrong; the service is empty again."""
    service.run("load_balancer", **TASK)
    assert len(service.writes()) == WRITES
    state = without_ids(service.everything())
    service.simulator.reset()
    return state


def nth_write(service: Service, number: int, method: str, **fault: Any) -> None:
    """Something happens to one request of that method, counted from 0."""
    if number:
        service.fault(method=method, count=number)
    service.fault(method=method, **fault)


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("number", range(WRITES))
def test_a_lost_answer_makes_no_duplicate(service: Service, wanted: list[str], number: int, drop: str) -> None:
    nth_write(service, number, "POST", drop=drop)
    service.run("load_balancer", **TASK)
    assert without_ids(service.everything()) == wanted
    assert len(service.live("gra", "tcp/server")) == 2
    assert not service.run("load_balancer", **TASK)["changed"]


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("number", range(GONE_WRITES - 1))
def test_a_lost_answer_to_a_deletion_is_no_error(service: Service, number: int, drop: str) -> None:
    service.run("load_balancer", **TASK)
    nth_write(service, number, "DELETE", drop=drop)
    assert service.run("load_balancer", **GONE)["changed"]
    assert [farm["zone"] for farm in service.staged("tcp/farm")] == ["gra"]
    assert not service.run("load_balancer", **GONE)["changed"]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_to_a_change_is_repeated(service: Service, drop: str) -> None:
    service.run("load_balancer", **TASK)
    service.fault(method="PUT", drop=drop)
    assert service.run("farm", display_name="smtp", zone="gra", balance="source")["changed"]
    assert not service.run("farm", display_name="smtp", zone="gra", balance="source")["changed"]


@pytest.mark.parametrize("number", range(WRITES))
def test_the_run_after_a_cut_finishes_the_work(service: Service, wanted: list[str], number: int) -> None:
    nth_write(service, number, "POST", status=500, body={"message": "Internal server error"})
    failed = service.failure("load_balancer", **TASK)
    assert "Internal server error; run again" in failed["msg"]
    # What was under way beside the one that failed is carried out, and told.
    if number < WRITES - 1:
        assert number <= len(failed["written"]) < WRITES
        assert failed["changed"] is bool(failed["written"])
    assert service.live("gra", "tcp/farm") == [], "traffic changed before everything was written"
    service.run("load_balancer", **TASK)
    assert without_ids(service.everything()) == wanted
    assert not service.run("load_balancer", **TASK)["changed"]


@pytest.mark.parametrize("number", range(GONE_WRITES - 1))
def test_the_run_after_a_cut_finishes_the_deletion(service: Service, number: int) -> None:
    service.run("load_balancer", **TASK)
    nth_write(service, number, "DELETE", status=500, body={"message": "Internal server error"})
    service.fail("load_balancer", **GONE)
    assert len(service.live("rbx", "tcp/frontend")) == 1
    service.run("load_balancer", **GONE)
    assert service.live("rbx", "tcp/frontend") == service.live("rbx", "tcp/farm") == []
    assert not service.run("load_balancer", **GONE)["changed"]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_busy_api_is_asked_again(service: Service, wanted: list[str], status: int, method: str) -> None:
    pages = "<html>Busy</html>"
    service.fault(method=method, status=status, body=pages, headers={"Retry-After": "0"}, count=2)
    service.run("load_balancer", **TASK)
    assert without_ids(service.everything()) == wanted
    service.run("farm", display_name="smtp", zone="gra", balance="source")
    service.run("load_balancer", **GONE)
    assert [farm["balance"] for farm in service.staged("tcp/farm")] == ["source"]


def test_an_api_that_stays_busy_is_given_up(service: Service) -> None:
    service.fault(status=503, count=None, body={"message": "Down for maintenance"})
    assert "Down for maintenance; the API is down or under maintenance; run again later (503)" in service.fail(
        "load_balancer", **TASK, retries=1
    )
    assert len(service.log()) == 2


def test_an_api_that_does_not_answer_in_time_is_given_up(service: Service) -> None:
    service.fault(delay=0.2, count=2)
    assert "timed out" in service.fail("load_balancer_info", timeout=0.1, retries=1)
    eventually(lambda: all(entry["status"] is not None for entry in service.log()), "the delayed answers did not end")


def test_the_rate_limit_of_the_api_is_respected(service: Service, wanted: list[str]) -> None:
    """A minute is 60 ms for this simulator; Retry-After, in whole seconds, is one of them."""
    service.simulator.switch(requests_per_minute=25)
    service.run("load_balancer", **TASK)
    service.simulator.switch(requests_per_minute=0)
    assert without_ids(service.everything()) == wanted


def test_reads_are_concurrent_with_a_bound(service: Service) -> None:
    service.run("load_balancer", **TASK)
    service.forget()
    service.simulator.switch(latency_ms=20)
    service.run("load_balancer_info")
    assert 1 < service.simulator.admin("GET", "requests")["max_concurrency"] <= 5


def test_an_object_that_vanishes_while_it_is_read_is_left_out(service: Service) -> None:
    service.run("load_balancer", **TASK)
    gone = service.staged("tcp/server")[-1]["serverId"]
    service.fault(path=f".*/server/{gone}", status=404, body={"message": "gone"}, count=2)
    farms = service.run("load_balancer_info", bulk_reads="never")["farms"]
    servers = [server["server_id"] for farm in farms for server in farm["servers"]]
    assert len(servers) == 3
    assert gone not in servers


def test_a_task_that_vanishes_while_the_list_is_read_is_left_out(service: Service) -> None:
    service.run("load_balancer", **TASK)
    gone = max(service.api("GET", "task"))
    service.run("farm", display_name="other", zone="gra")
    service.fault(method="GET", path=f".*/task/{gone}", status=404, body={"message": "It does not exist"}, count=None)
    told = service.run("load_balancer_info", gather=["tasks"])["tasks"]
    assert [task["id"] for task in told] == sorted(set(service.api("GET", "task")) - {gone})


def test_a_private_network_of_another_shape_is_told(service: Service) -> None:
    """The guard of a port is made of these: none may be missing from it without a word."""
    service.run("service", vrack="pn-1")
    service.run("vrack_network", display_name="mail", subnet="10.9.0.0/16", nat_ip="10.9.1.0/24", refresh=False)
    service.fault(method="GET", path=".*/vrack/network/[0-9]+", status=200, body={})
    assert "not what the API describes" in service.fail("load_balancer_info", gather=["nat_ip"])


@pytest.mark.parametrize("number", ["3", [], {"all": 1}, 1.5], ids=str)
def test_changes_that_can_not_be_counted_are_told(service: Service, number: Any) -> None:
    service.fault(method="GET", path=".*/pendingChanges", status=200, body=[{"zone": "gra", "number": number}])
    result = service.attempt("refresh")
    assert "GET /ipLoadbalancing/" in result["msg"] if number else not result["changed"]


def test_a_server_without_address_can_not_be_taken_to_a_new_farm(service: Service) -> None:
    service.run("load_balancer", **TASK)
    farm = {"display_name": "smtp", "zone": "all", "replace": True}
    old = next(item for item in service.staged("tcp/farm") if item["zone"] == "gra")
    server = next(item for item in service.staged("tcp/server") if item["parent"] == old["farmId"])
    path = f".*/server/{server['serverId']}"
    service.fault(method="GET", path=path, status=200, body={**server, "address": None}, count=None)
    task: Values = {"farms": [{**farm, "farm_id": old["farmId"]}], "bulk_reads": "never", "check": True}
    assert "address is missing" in service.fail("load_balancer", **task)


@pytest.mark.parametrize(
    ("method", "module", "task"),
    [
        ("PUT", "farm", {"display_name": "smtp", "balance": "source"}),
        ("DELETE", "server", {"farm": "smtp", "address": "192.0.2.11", "state": "absent"}),
    ],
)
@pytest.mark.parametrize("status", [404, 409])
def test_what_changed_between_reading_and_writing_is_told_with_what_to_do(
    service: Service, method: str, module: str, task: Values, status: int
) -> None:
    service.run("load_balancer", **TASK)
    service.fault(method=method, path=".*", status=status, body={"message": "No"}, count=None)
    message = service.fail(module, zone="gra", **task, refresh=False)
    assert f"{method} /ipLoadbalancing/" in message
    assert "run again" in message
