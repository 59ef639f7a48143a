# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making changes live: the zones that changed, one at a time, what others changed, verdicts, health."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Reader

from unit.plugins.modules.harness import Service, Values

ZONES = ("gra", "rbx")
SOURCE: Values = {"display_name": "smtp", "zone": "gra", "balance": "source"}
SWITCHED: list[Values] = [
    {"pending_zero_entries": zero, "zone_counts_for_all": counts}
    for zero in ("on", "off")
    for counts in ("each", "all")
]


def farm(zone: str, **options: Any) -> Values:
    server = {"address": "192.0.2.11", "status": "active", "probe": True}
    return {"display_name": "smtp", "zone": zone, "port": 25, "probe": {"type": "smtp"}, "servers": [server], **options}


def frontend(zone: str) -> Values:
    return {"display_name": "smtp", "zone": zone, "port": "25", "default_farm": "smtp"}


def both(**options: Any) -> Values:
    return {"farms": [farm(zone, **options) for zone in ZONES], "frontends": [frontend(zone) for zone in ZONES]}


@pytest.fixture
def deployed(service: Service) -> Service:
    """The same farm and frontend live in both zones."""
    service.run("load_balancer", **both())
    service.forget()
    return service


def refreshes(service: Service) -> int:
    return service.writes().count("POST refresh")


def live_balance(service: Service) -> list[str | None]:
    return [service.live(zone, "tcp/farm")[0]["balance"] for zone in ZONES]


def test_what_does_not_wait_for_a_refresh_needs_none(service: Service) -> None:
    service.simulator.reset(vrack="active", refresh_nothing_pending="refuse")
    service.run("load_balancer", **both(vrack_network_id=301))
    network = {"display_name": "spare", "subnet": "10.9.0.0/16", "nat_ip": "10.9.1.0/24"}
    assert service.run("vrack_network", **network)["tasks"] == []
    assert service.run("vrack_network", display_name="spare", state="absent")["changed"]
    assert not service.run("refresh")["changed"]


def test_a_refused_refresh_fails_where_something_waits(deployed: Service) -> None:
    deployed.fault(method="POST", path=".*/refresh", status=400, body={"message": "Not now"})
    assert "Not now" in deployed.fail("farm", display_name="smtp", zone="rbx", balance="source")
    assert live_balance(deployed) == [None, None]


def test_only_the_zones_that_changed_are_refreshed(deployed: Service) -> None:
    done = deployed.run("farm", display_name="smtp", zone="rbx", balance="source")
    assert done["refreshed_zones"] == ["rbx"]
    assert [task["zones"] for task in done["tasks"]] == [["rbx"]]
    assert [task["status"] for task in done["tasks"]] == ["done"]
    assert live_balance(deployed) == [None, "source"]
    assert refreshes(deployed) == 1


def test_both_zones_are_refreshed_at_once(deployed: Service) -> None:
    done = deployed.run("load_balancer", **both(balance="source"))
    assert done["refreshed_zones"] == ["gra", "rbx"]
    assert live_balance(deployed) == ["source", "source"]
    assert refreshes(deployed) == 1


def test_nothing_is_refreshed_without_changes_or_on_request(deployed: Service) -> None:
    assert deployed.run("load_balancer", **both())["refreshed_zones"] == []
    staged = deployed.run("load_balancer", **both(balance="source"), refresh=False)
    assert (staged["changed"], staged["refreshed_zones"]) == (True, [])
    planned = deployed.run("load_balancer", **both(balance="first"), check=True)
    assert planned["refreshed_zones"] == ["gra", "rbx"]
    assert refreshes(deployed) == 0
    assert live_balance(deployed) == [None, None]


def test_what_an_interrupted_run_staged_goes_live_with_the_next(deployed: Service) -> None:
    deployed.run("load_balancer", **both(balance="source"), refresh=False)
    done = deployed.run("load_balancer", **both(balance="source"))
    assert (done["changed"], done["plan"], done["refreshed_zones"]) == (True, [], ["gra", "rbx"])
    assert done["foreign_changes"] == {"gra": 1, "rbx": 1}
    assert live_balance(deployed) == ["source", "source"]
    assert not deployed.run("load_balancer", **both(balance="source"))["changed"]


GONE: Values = {"display_name": "smtp", "state": "absent"}


@pytest.mark.parametrize(
    ("task", "zones"),
    [
        ({"farms": [{**GONE, "zone": "rbx"}], "frontends": [{**GONE, "zone": "rbx"}]}, ["rbx"]),
        (
            {"farms": [farm("gra")], "purge_farms": True, "frontends": [frontend("gra")], "purge_frontends": True},
            ["rbx"],
        ),
    ],
    ids=["absent", "purge"],
)
def test_a_deletion_that_an_interrupted_run_staged_goes_live_with_the_next(
    deployed: Service, task: Values, zones: list[str]
) -> None:
    """Its objects are not there any more, but the load balancer still sends mail to them."""
    deployed.run("load_balancer", **task, refresh=False)
    assert deployed.live("rbx", "tcp/farm")
    done = deployed.run("load_balancer", **task)
    assert (done["changed"], done["plan"], done["refreshed_zones"]) == (True, [], zones)
    assert not deployed.live("rbx", "tcp/farm")
    assert not deployed.run("load_balancer", **task)["changed"]


def test_a_server_deleted_with_its_farm_goes_with_the_next_run_too(deployed: Service) -> None:
    deployed.run("load_balancer", farms=[{**GONE, "zone": "rbx"}], frontends=[{**GONE, "zone": "rbx"}], refresh=False)
    deployed.run("server", farm="smtp", zone="rbx", address="192.0.2.11", state="absent")
    assert not deployed.live("rbx", "tcp/farm")


def test_a_run_without_changes_waits_for_the_refresh_of_an_earlier_one(deployed: Service) -> None:
    deployed.simulator.switch(refresh_seconds=600, pending_over="started")
    change: Values = {"display_name": "smtp", "zone": "gra", "balance": "source"}
    deployed.run("farm", **change, wait=False)
    assert deployed.api("GET", "pendingChanges") == []
    assert not deployed.run("farm", **change)["changed"]
    assert live_balance(deployed) == ["source", None]


@pytest.mark.parametrize("module", ["farm", "refresh"])
def test_the_refresh_of_an_earlier_run_is_not_taken_for_live_when_it_fails(deployed: Service, module: str) -> None:
    deployed.simulator.switch(refresh_seconds=600, pending_over="started", task_outcome="error")
    change: Values = {"display_name": "smtp", "zone": "gra", "balance": "source"}
    deployed.run("farm", **change, wait=False)
    assert "the refresh ended as error" in deployed.fail(module, **(change if module == "farm" else {}))


@pytest.fixture
def failed(deployed: Service) -> Service:
    """A change in zone gra is written and its refresh failed, where the API does not count it as waiting any more."""
    deployed.simulator.switch(pending_over="started", task_outcome="error")
    assert "ended as error" in deployed.fail("farm", **SOURCE)
    deployed.simulator.switch(task_outcome="done")
    assert deployed.api("GET", "pendingChanges") == []
    return deployed


@pytest.mark.parametrize(("module", "options"), [("farm", SOURCE), ("refresh", {})])
def test_what_a_failed_refresh_left_goes_live_with_the_next_run(failed: Service, module: str, options: Values) -> None:
    assert failed.run(module, **options, check=True)["refreshed_zones"] == ["gra"]
    assert live_balance(failed) == [None, None]
    assert failed.run(module, **options)["refreshed_zones"] == ["gra"]
    assert live_balance(failed) == ["source", None]
    assert not failed.run(module, **options)["changed"]


def test_what_a_failed_refresh_left_is_not_published_against_ones_will(failed: Service) -> None:
    assert "waiting in zone gra" in failed.fail("farm", **SOURCE, foreign_changes="refuse")
    assert "waiting in zone gra" in failed.fail("farm", **{**SOURCE, "balance": "first"}, foreign_changes="refuse")
    assert not failed.run("farm", display_name="smtp", zone="rbx", foreign_changes="refuse")["changed"]


@pytest.mark.parametrize(("module", "options"), [("farm", SOURCE), ("refresh", {})])
def test_a_failed_refresh_that_can_not_be_repeated_is_told(failed: Service, module: str, options: Values) -> None:
    failed.simulator.switch(refresh_nothing_pending="refuse")
    assert "the last refresh of gra failed" in failed.fail(module, **options)
    assert failed.run("farm", **{**SOURCE, "balance": "first"})["changed"]
    assert live_balance(failed) == ["first", None]


@pytest.mark.parametrize("switches", SWITCHED, ids=str)
def test_an_object_in_all_zones_is_live_in_all(service: Service, switches: Values) -> None:
    service.simulator.reset(**switches)
    task: Values = {"farms": [farm("all")], "frontends": [frontend("all")]}
    assert service.run("load_balancer", **task, check=True)["refreshed_zones"] == ["gra", "rbx"]
    assert service.run("load_balancer", **task)["refreshed_zones"] == ["gra", "rbx"]
    assert [len(service.live(zone, "tcp/frontend")) for zone in ZONES] == [1, 1]
    assert not service.run("load_balancer", **task)["changed"]
    assert not service.run("refresh")["changed"]
    service.run("farm", display_name="smtp", balance="source", refresh=False)
    done = service.run("refresh", zones=["rbx"])
    assert done["changed"]
    assert live_balance(service)[1] == "source"
    service.run("load_balancer", **task)
    assert live_balance(service) == ["source", "source"]
    assert not service.run("refresh")["changed"]


# What others changed


def foreign_change(service: Service, zone: str) -> None:
    """Somebody changes a farm of that zone by hand and does not refresh."""
    farm_id = next(item["farmId"] for item in service.staged("tcp/farm") if item["zone"] == zone)
    service.api("PUT", f"tcp/farm/{farm_id}", {"balance": "leastconn"})


def test_what_others_changed_goes_live_with_a_warning(deployed: Service) -> None:
    foreign_change(deployed, "gra")
    done = deployed.run("server", farm="smtp", zone="gra", address="192.0.2.11", weight=0)
    assert done["foreign_changes"] == {"gra": 1}
    assert any("1 in gra" in str(warning) for warning in done["warnings"])
    assert live_balance(deployed) == ["leastconn", None]


def test_what_others_changed_is_not_published_when_refused(deployed: Service) -> None:
    foreign_change(deployed, "gra")
    deployed.forget()
    before = deployed.everything()
    server: Values = {"farm": "smtp", "zone": "gra", "address": "192.0.2.11", "foreign_changes": "refuse"}
    for check in (True, False):
        message = deployed.fail("server", check=check, **server, weight=0)
        assert "waiting in zone gra (1)" in message
        assert "mailops.ovh_iplb.refresh (zones: [gra])" in message
    assert deployed.fail("server", **server) == message, "a run without changes of its own would have published them"
    planned = deployed.failure("server", check=True, **server, weight=0)["plan"]
    assert [item["after"] for item in planned] == [{"weight": 0}], "a drift report names what differs all the same"
    assert (deployed.writes(), deployed.everything()) == ([], before)
    assert deployed.run("server", **{**server, "zone": "rbx"}, weight=0)["refreshed_zones"] == ["rbx"]
    assert deployed.run("server", **server, refresh=False, weight=0)["changed"]
    assert live_balance(deployed) == [None, None]
    assert deployed.run("refresh", zones=["gra"])["pending_changes"] == {"gra": 2}
    assert not deployed.run("server", **server, weight=0)["changed"]


def test_what_others_change_during_the_refresh_goes_live_too(deployed: Service) -> None:
    """The API counts a change that arrives while a refresh runs; it is waiting afterwards, and is refreshed again."""
    deployed.simulator.switch(refresh_seconds=300)  # 0.3 s
    deployed.run("farm", display_name="smtp", zone="gra", balance="source", wait=False)
    deployed.run("farm", display_name="smtp", zone="gra", balance="first")
    assert live_balance(deployed) == ["first", None]
    assert not deployed.run("refresh")["changed"]


# The module refresh


def test_waiting_changes_are_refreshed_by_zone(deployed: Service) -> None:
    deployed.run("load_balancer", **both(balance="source"), refresh=False)
    planned = deployed.run("refresh", zones=["GRA"], check=True)
    assert (planned["changed"], planned["refreshed_zones"], planned["diff"]["before"]) == (True, ["gra"], {"gra": 1})
    assert refreshes(deployed) == 0
    done = deployed.run("refresh", zones=["GRA"])
    assert done["pending_changes"] == {"gra": 1}
    assert live_balance(deployed) == ["source", None]
    assert not deployed.run("refresh", zones=["gra"])["changed"]
    assert deployed.run("refresh")["refreshed_zones"] == ["rbx"]
    assert not deployed.run("refresh")["changed"]
    assert not deployed.run("refresh", zones=["all"])["changed"]
    assert refreshes(deployed) == 2


def test_what_can_not_be_deployed_is_not_refreshed(deployed: Service) -> None:
    deployed.run("frontend", display_name="smtp", zone="gra", default_farm=None, refresh=False)
    deployed.forget()
    assert "frontend tcp/gra/smtp would have no default farm" in deployed.fail("refresh")
    assert refreshes(deployed) == 0


# One at a time


@pytest.mark.parametrize("second", ["conflict", "noop"])
@pytest.mark.parametrize("writes", ["accept", "refuse"])
def test_a_running_refresh_is_waited_for(deployed: Service, second: str, writes: str) -> None:
    deployed.simulator.switch(second_refresh=second, writes_during_refresh=writes, refresh_seconds=300)
    foreign_change(deployed, "rbx")
    running = deployed.api("POST", "refresh", {"zone": "rbx"})
    done = deployed.run("farm", display_name="smtp", zone="gra", balance="source")
    assert [task["zones"] for task in done["tasks"]] == [["gra"]]
    assert deployed.api("GET", f"task/{running['id']}")["status"] == "done"
    assert live_balance(deployed) == ["source", "leastconn"]
    assert not deployed.run("farm", display_name="smtp", zone="gra", balance="source")["changed"]


def test_a_refresh_that_does_not_end_is_given_up(deployed: Service) -> None:
    deployed.simulator.switch(refresh_seconds=100000)
    failed = deployed.failure("farm", display_name="smtp", zone="gra", balance="source", wait_timeout=0.1)
    assert "not done after 0.1 s" in failed["msg"]
    assert "wait_timeout" in failed["msg"]
    assert (failed["changed"], failed["task"]["status"]) == (True, "todo")
    failed = deployed.failure("farm", display_name="smtp", zone="gra", balance="first", wait_timeout=0.1)
    assert "0.1 s" in failed["msg"]
    assert live_balance(deployed) == [None, None]


def test_without_wait_the_refresh_is_only_started(deployed: Service) -> None:
    deployed.simulator.switch(refresh_seconds=100000)
    done = deployed.run("load_balancer", **both(balance="source"), wait=False)
    assert [task["status"] for task in done["tasks"]] == ["todo"]
    assert live_balance(deployed) == [None, None]


# Verdicts


@pytest.mark.parametrize("outcome", ["error", "cancelled", "blocked", "blocked_then_done"])
def test_a_refresh_that_fails_fails_the_task(deployed: Service, outcome: str) -> None:
    status = outcome.removesuffix("_then_done")
    deployed.simulator.switch(task_outcome=outcome, refresh_seconds=100)
    failed = deployed.failure("farm", display_name="smtp", zone="gra", balance="source")
    assert f"ended as {status}" in failed["msg"]
    assert "gra" in failed["msg"]
    assert str(failed["task"]["id"]) in failed["msg"]
    assert failed["changed"]
    assert live_balance(deployed) == [None, None]


def test_the_run_after_a_failed_refresh_makes_it_live(deployed: Service) -> None:
    deployed.simulator.switch(task_outcome="error")
    deployed.fail("farm", display_name="smtp", zone="gra", balance="source")
    deployed.simulator.switch(task_outcome="done")
    done = deployed.run("farm", display_name="smtp", zone="gra", balance="source")
    assert (done["plan"], done["refreshed_zones"]) == ([], ["gra"])
    assert live_balance(deployed) == ["source", None]


@pytest.mark.parametrize("undeployable", ["refuse", "task_error"])
def test_a_refusal_of_the_api_fails_the_task(
    deployed: Service, monkeypatch: pytest.MonkeyPatch, undeployable: str
) -> None:
    """Somebody else may attach the service to a vRack while the task runs, and then its farms need networks."""
    outside = Reader.service
    monkeypatch.setattr(Reader, "service", lambda reader: {**outside(reader), "vrackName": None})
    deployed.simulator.switch(vrack="active", undeployable_refresh=undeployable)
    failed = deployed.failure("farm", display_name="smtp", zone="gra", balance="source")
    assert "vRack" in failed["msg"] or "ended as error" in failed["msg"]
    assert failed["changed"]


def test_a_farm_without_network_is_refused_in_a_vrack_before_anything_is_written(deployed: Service) -> None:
    deployed.simulator.switch(vrack="active")
    deployed.forget()
    for check in (True, False):
        message = deployed.fail("farm", check=check, display_name="smtp", zone="gra", balance="source")
        assert "farm tcp/gra/smtp would have no private network, which every farm needs in a vRack" in message
    assert deployed.writes() == []


# Health


def test_health_is_awaited_after_the_refresh(deployed: Service) -> None:
    deployed.simulator.switch(server_state_missing="absent")
    second = {"address": "192.0.2.12", "status": "active", "probe": True}
    inactive = {"address": "192.0.2.13", "status": "inactive"}
    task: Values = {"farms": [farm("gra", servers=[second, inactive])], "wait_for_healthy": True}
    assert deployed.run("load_balancer", **task)["changed"]
    assert not deployed.run("load_balancer", **task)["changed"]
    assert deployed.run("load_balancer", **task, check=True)["changed"] is False


def test_a_server_that_drains_is_healthy_without_weight_only(deployed: Service) -> None:
    deployed.simulator.admin("PUT", "health", {"192.0.2.11": "DRAIN"})
    server: Values = {"farm": "smtp", "zone": "gra", "address": "192.0.2.11", "wait_for_healthy": True}
    assert deployed.run("server", **server, weight=0)["changed"]
    assert "says DRAIN" in deployed.fail("server", **server, weight=1, wait_timeout=0.1)


@pytest.mark.parametrize("missing", ["empty", "null", "absent"])
def test_a_server_that_nothing_checked_yet_is_not_healthy(deployed: Service, missing: str) -> None:
    """Its interval, 30 s here, outlasts the wait."""
    deployed.simulator.switch(server_state_missing=missing)
    probe = {"interval": 30000}
    server = {"address": "192.0.2.12", "status": "active", "probe": True}
    task: Values = {"farms": [farm("gra", probe=probe, servers=[server])], "wait_for_healthy": True}
    message = deployed.fail("load_balancer", **task, wait_timeout=0.3)
    assert "192.0.2.12: not checked since the refresh" in message or "192.0.2.12: no check" in message


def test_an_ill_server_is_named_with_its_last_check(deployed: Service) -> None:
    ill = {"status": "DOWN", "checkStatus": "L7RSP", "checkCode": "421", "lastCheckContent": "421 4.3.0 no header"}
    deployed.simulator.admin("PUT", "health", {"192.0.2.11": ill})
    task: Values = {"farms": [farm("gra", balance="source")], "wait_for_healthy": True, "wait_timeout": 0.3}
    failed = deployed.failure("load_balancer", **task)
    for word in ("192.0.2.11", "DOWN", "L7RSP", "421 4.3.0 no header", "PROXY"):
        assert word in failed["msg"]
    assert failed["changed"]
    assert live_balance(deployed)[0] == "source"
    deployed.simulator.admin("PUT", "health", {})
    assert not deployed.run("load_balancer", **{**task, "wait_timeout": 30})["changed"]


# Taking servers out


@pytest.mark.parametrize("options", [{"status": "inactive"}, {"state": "absent"}], ids=str)
def test_the_last_healthy_server_is_not_taken_out_on_request(deployed: Service, options: Values) -> None:
    last: Values = {"farm": "smtp", "zone": "gra", "address": "192.0.2.11", "require_healthy_peers": True, **options}
    peer: Values = {"farm": "smtp", "zone": "gra", "address": "192.0.2.12", "status": "active", "probe": True}
    assert "192.0.2.11:25 would leave the farm without a server" in deployed.fail("server", **last)
    deployed.run("server", **peer, wait_for_healthy=True)
    deployed.simulator.admin("PUT", "health", {"192.0.2.12": "DOWN"})
    deployed.forget()
    assert "192.0.2.11:25 would leave the farm without a server" in deployed.fail("server", **last)
    assert deployed.writes() == []
    deployed.simulator.admin("PUT", "health", {})
    assert deployed.run("server", **last)["changed"]
    assert not deployed.run("server", **last)["changed"]
