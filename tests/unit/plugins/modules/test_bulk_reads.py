# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists that come whole: what they save, and that one that is old, cut or of another shape misleads nobody."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.module_utils._iplb.snapshot import Observed

from unit.plugins.modules.harness import Service, Values

FARM: Values = {"display_name": "smtp", "zone": "gra", "port": 25}
SERVERS = [{"address": f"192.0.2.{number}", "status": "active"} for number in (11, 12, 13)]
TASK: Values = {
    "farms": [{**FARM, "servers": SERVERS}],
    "frontends": [{"display_name": "smtp", "zone": "gra", "port": "25", "default_farm": "smtp"}],
}
STALE: Values = {"bulk_lists": "stale_always", "bulk_stale_seconds": 600}
WARNING = "bulk answers of the API were not up to date"


@pytest.fixture
def deployed(service: Service) -> Service:
    service.run("load_balancer", **TASK)
    service.forget()
    return service


@pytest.fixture
def stale(deployed: Service) -> Service:
    """From now on every bulk answer is what it is at this moment."""
    deployed.simulator.switch(**STALE)
    deployed.run("load_balancer", **TASK, check=True)
    deployed.forget()
    return deployed


def farm_path(service: Service) -> str:
    return f"tcp/farm/{service.only('tcp/farm')['farmId']}"


def server_path(service: Service, address: str = "192.0.2.11") -> str:
    ids = {server["address"]: server["serverId"] for server in service.staged("tcp/server")}
    return f"{farm_path(service)}/server/{ids[address]}"


def reads(service: Service, pattern: str) -> int:
    return sum(bool(re.search(pattern, entry["path"])) for entry in service.log() if entry["method"] == "GET")


def only_address(address: str) -> Callable[[list[Observed], int], list[Observed]]:
    """A random choice that meets the server with this address."""
    return lambda items, number: [item for item in items if item.values.get("address") == address]


def test_a_big_service_costs_a_call_a_list(service: Service) -> None:
    farms = [{**FARM, "display_name": f"smtp{number}", "servers": SERVERS} for number in range(10)]
    frontends = [{**TASK["frontends"][0], "default_farm": "smtp0"}]
    service.run("load_balancer", farms=farms, frontends=frontends)
    calls = {}
    for way in ("auto", "never"):
        service.forget()
        assert not service.run("load_balancer", farms=farms, frontends=frontends, bulk_reads=way)["changed"]
        calls[way] = len(service.log())
    # Ten lists of servers instead of those and thirty servers, one of farms; a few single reads prove it.
    assert calls["auto"] < 22
    assert calls["never"] > 50


def test_a_server_made_meanwhile_is_not_doubled(stale: Service) -> None:
    body = {"address": "192.0.2.14", "status": "active"}
    stale.api("POST", f"{farm_path(stale)}/server", body)
    done = stale.run("server", farm="smtp", **body, refresh=False)
    assert not done["plan"]
    assert len(stale.staged("tcp/server")) == 4


def test_a_farm_made_meanwhile_is_not_doubled(stale: Service) -> None:
    stale.api("POST", "tcp/farm", {"displayName": "mx", "zone": "gra", "port": 25})
    assert not stale.run("farm", **{**FARM, "display_name": "mx"}, refresh=False)["plan"]
    assert len(stale.staged("tcp/farm")) == 2


def test_a_server_is_found_in_a_farm_that_was_made_meanwhile(stale: Service) -> None:
    stale.api("POST", "tcp/farm", {"displayName": "mx", "zone": "gra", "port": 25})
    done = stale.run("server", farm="mx", address="192.0.2.11", status="active", refresh=False)
    assert [item["action"] for item in done["plan"]] == ["create"]


def test_what_somebody_deleted_meanwhile_is_made_again(stale: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    stale.api("DELETE", server_path(stale))
    monkeypatch.setattr(random, "sample", only_address("192.0.2.11"))
    done = stale.run("load_balancer", **TASK, purge_servers=True)
    assert WARNING in str(done["warnings"])
    assert len(stale.live("gra", "tcp/server")) == 3


def test_absent_does_not_stay_because_a_list_is_old(stale: Service) -> None:
    stale.api("POST", f"{farm_path(stale)}/server", {"address": "192.0.2.14", "status": "active"})
    done = stale.run("server", farm="smtp", address="192.0.2.14", state="absent", refresh=False)
    assert [item["action"] for item in done["plan"]] == ["delete"]
    assert len(stale.staged("tcp/server")) == 3


def test_a_purge_that_changes_a_farm_reaches_what_was_made_in_it_meanwhile(stale: Service) -> None:
    stale.api("POST", f"{farm_path(stale)}/server", {"address": "192.0.2.14", "status": "active"})
    more = [*SERVERS, {"address": "192.0.2.15", "status": "active"}]
    stale.run("load_balancer", farms=[{**FARM, "servers": more}], purge_servers=True, refresh=False)
    assert sorted(item["address"] for item in stale.staged("tcp/server")) == [item["address"] for item in more]


def test_a_change_is_not_built_on_what_somebody_changed_meanwhile(stale: Service) -> None:
    """The probe that is written is merged with the one that is there now, not with the one that was there."""
    stale.api("PUT", farm_path(stale), {"probe": {"type": "tcp", "interval": 60}})
    stale.run("farm", display_name="smtp", probe={"port": 2525}, refresh=False)
    probe = stale.only("tcp/farm")["probe"]
    assert (probe["type"], probe["interval"], probe["port"]) == ("tcp", 60, 2525)


def test_unchanged_is_not_built_on_an_old_list_for_ever(stale: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some objects are read singly in each run: here the one that somebody changed."""
    stale.api("PUT", server_path(stale, "192.0.2.12"), {"status": "inactive"})
    monkeypatch.setattr(random, "sample", only_address("192.0.2.12"))
    done = stale.run("load_balancer", **TASK)
    assert WARNING in str(done["warnings"])
    assert [item["status"] for item in stale.staged("tcp/server")] == ["active"] * 3


def test_a_report_is_not_built_on_an_old_list(stale: Service) -> None:
    stale.run("load_balancer_info", gather=["farms"])
    stale.api("DELETE", server_path(stale))
    (told,) = stale.run("load_balancer_info", gather=["farms"])["farms"]
    assert len(told["servers"]) == 2


@pytest.mark.parametrize(
    "switches", [{"bulk_lists": "ids"}, {"bulk_lists": "refused"}, {"bulk_lists": "cut", "bulk_cut": 1}], ids=str
)
def test_an_answer_of_another_shape_is_no_answer(deployed: Service, switches: Values) -> None:
    deployed.simulator.switch(**switches)
    assert not deployed.run("load_balancer", **TASK)["changed"]
    added = {"farms": [{**FARM, "servers": [*SERVERS, {"address": "192.0.2.14", "status": "active"}]}]}
    assert [item["key"] for item in deployed.run("load_balancer", **added)["plan"]] == ["tcp/gra/smtp/192.0.2.14:25"]
    (told,) = deployed.run("load_balancer_info", gather=["farms"])["farms"]
    assert len(told["servers"]) == 4


def test_a_refusal_costs_one_call(deployed: Service) -> None:
    deployed.simulator.switch(bulk_lists="refused")
    deployed.run("load_balancer", **TASK)
    assert sum(entry["status"] == 400 for entry in deployed.log()) == 1


def test_an_error_of_a_list_is_no_refusal_of_its_whole_form(deployed: Service) -> None:
    deployed.fault(path=".*/tcp/farm", status=403, body={"message": "This call has not been granted"})
    assert "has not been granted" in deployed.fail("load_balancer", **TASK)


def test_absence_is_proved_by_the_plain_list_before_anything_is_written(deployed: Service) -> None:
    deployed.run("server", farm="smtp", address="192.0.2.14", status="active", refresh=False)
    calls = [(entry["method"], entry["path"]) for entry in deployed.log()]
    list_path = f"/ipLoadbalancing/{deployed.simulator.service}/{farm_path(deployed)}/server"
    created = calls.index(("POST", list_path))
    # Filtered, whole, and plain.
    assert calls[:created].count(("GET", list_path)) == 3


def test_the_last_healthy_server_is_not_drained_on_an_old_word(service: Service) -> None:
    probed = [{**server, "probe": True} for server in SERVERS[:2]]
    farm = {**FARM, "probe": {"type": "smtp"}, "servers": probed}
    service.run("load_balancer", farms=[farm], frontends=TASK["frontends"])
    health = {server["address"]: "UP" for server in probed}
    service.simulator.admin("PUT", "health", health)
    service.simulator.switch(**STALE)
    drain: Values = {"farm": "smtp", "address": "192.0.2.11", "weight": 0, "require_healthy_peers": True}
    service.run("server", **drain, check=True)
    service.simulator.admin("PUT", "health", {**health, "192.0.2.12": "DOWN"})
    assert "would leave the farm without a server that is healthy" in service.fail("server", **drain)


def test_a_rule_is_not_broken_by_a_list_that_is_old(service: Service) -> None:
    """No frontend in a list of before, and one of another farm's: both are said of what is there now."""
    service.simulator.switch(**STALE)
    service.run("load_balancer_info", gather=["farms", "frontends"])
    service.run("load_balancer", **TASK, refresh=False)
    assert service.run("refresh", check=True)["refreshed_zones"] == ["gra"]
    assert service.run("farm", **FARM, balance="source")["refreshed_zones"] == ["gra"]


def test_what_an_old_list_names_may_be_gone(deployed: Service) -> None:
    deployed.run("farm", display_name="other", zone="gra", port=25)
    deployed.simulator.switch(**STALE)
    deployed.run("load_balancer_info", gather=["farms"])
    (gone,) = [farm for farm in deployed.staged("tcp/farm") if farm["displayName"] == "other"]
    deployed.api("DELETE", f"tcp/farm/{gone['farmId']}")
    told = deployed.run("load_balancer_info", gather=["farms"])
    assert [farm["display_name"] for farm in told["farms"]] == ["smtp"]
    both: Values = {"farms": [*TASK["farms"], {"display_name": "other", "state": "absent"}]}
    assert not deployed.run("load_balancer", **both, refresh=False)["plan"]
    assert not deployed.run("load_balancer", **TASK, purge_farms=True, refresh=False)["plan"]


@pytest.fixture
def twins(service: Service) -> Service:
    """Two farms of one name and two servers of one address, of which a bulk list tells the first alone."""
    service.run("load_balancer", **TASK)
    body = {"displayName": "smtp", "zone": "gra", "port": 25}
    service.api("POST", "tcp/farm", body)
    service.api("POST", f"tcp/farm/{service.staged('tcp/farm')[0]['farmId']}/server", {**TWIN, "port": 2525})
    service.simulator.switch(bulk_lists="cut", bulk_cut=1)
    service.forget()
    return service


TWIN = {"address": "192.0.2.11", "status": "active"}
NAMED_BY_TWO: dict[str, tuple[str, Values]] = {
    "the farm itself": ("farm", {**FARM, "balance": "source"}),
    "the farm of a server": ("server", {"farm": "smtp", "address": "192.0.2.99", "status": "active"}),
    "the farm of a frontend": (
        "frontend",
        {"display_name": "other", "zone": "gra", "port": "587", "default_farm": "smtp"},
    ),
    "the farm whose servers go": ("load_balancer", {"farms": [{**FARM, "servers": []}], "purge_servers": True}),
}


@pytest.mark.parametrize("named", NAMED_BY_TWO)
def test_no_twin_that_a_list_leaves_out_is_passed_over(twins: Service, named: str) -> None:
    module, task = NAMED_BY_TWO[named]
    assert "smtp" in twins.fail(module, **task)
    assert twins.writes() == []


@pytest.mark.parametrize("weight", [None, 7])
def test_no_server_of_the_same_address_is_passed_over(twins: Service, weight: int | None) -> None:
    farm = min(farm["farmId"] for farm in twins.staged("tcp/farm"))
    options = {"farm_id": farm, **TWIN, **({"weight": weight} if weight else {})}
    assert "say which with port or server_id" in twins.fail("server", **options)
    assert twins.writes() == []


# What a name or a filter found may be old too


def swap_names(service: Service, one: str, other: str) -> Values:
    """Two farms take each other's name; returns their ids by the names that they have then."""
    ids = {farm["displayName"]: farm["farmId"] for farm in service.staged("tcp/farm")}
    for name, taken in ((one, other), (other, one)):
        service.api("PUT", f"tcp/farm/{ids[name]}", {"displayName": taken})
    return {one: ids[other], other: ids[one]}


@pytest.fixture
def renamed(deployed: Service) -> Callable[..., Values]:
    """Runs a task whose farms had each other's name when the bulk answers were new; returns the ids by name."""

    def run(module: str, **task: object) -> Values:
        deployed.run("farm", display_name="mx", zone="gra", port=25, refresh=False)
        deployed.simulator.switch(**STALE)
        deployed.run(module, check=True, refresh=False, **task)
        ids = swap_names(deployed, "smtp", "mx")
        deployed.run(module, refresh=False, **task)
        return ids

    return run


def test_a_server_goes_to_the_farm_that_has_the_name_now(
    deployed: Service, renamed: Callable[..., Values], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "sample", lambda items, number: [])
    ids = renamed("server", farm="mx", address="192.0.2.14", status="active")
    (made,) = [item for item in deployed.staged("tcp/server") if item["address"] == "192.0.2.14"]
    assert made["parent"] == ids["mx"]


def test_a_frontend_leads_to_the_farm_that_has_the_name_now(
    deployed: Service, renamed: Callable[..., Values], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "sample", lambda items, number: [])
    ids = renamed("frontend", display_name="mx", zone="gra", port="26", default_farm="mx")
    (made,) = [item for item in deployed.staged("tcp/frontend") if item["displayName"] == "mx"]
    assert made["defaultFarmId"] == ids["mx"]


@pytest.mark.parametrize(("state", "left"), [("present", 4), ("absent", 3)])
def test_a_second_port_of_an_address_is_not_missing_because_a_filtered_list_is_old(
    deployed: Service, state: str, left: int
) -> None:
    task: Values = {"farm": "smtp", "address": "192.0.2.11", "port": 587, "status": "active", "refresh": False}
    deployed.simulator.switch(**STALE)
    deployed.run("server", **task, check=True)
    deployed.api("POST", f"{farm_path(deployed)}/server", {key: task[key] for key in ("address", "port", "status")})
    deployed.run("server", **task, state=state)
    assert len(deployed.staged("tcp/server")) == left


# Health, and what can be deployed


@pytest.mark.parametrize(
    "before",
    [[], [{"address": "192.0.2.11", "status": "inactive", "probe": True}], [SERVERS[0]]],
    ids=["new", "made active", "now probed"],
)
def test_health_is_not_that_of_an_old_list(service: Service, before: list[Values]) -> None:
    farm: Values = {**FARM, "probe": {"type": "smtp"}}
    service.run("load_balancer", farms=[{**farm, "servers": before}], frontends=TASK["frontends"])
    service.simulator.admin("PUT", "health", {"192.0.2.11": "DOWN"})
    service.simulator.switch(**STALE)
    wanted = {**farm, "servers": [{**SERVERS[0], "probe": True}]}
    gate: Values = {"wait_for_healthy": True, "wait_timeout": 0.5}
    assert "192.0.2.11: " in service.fail("load_balancer", farms=[wanted], **gate)


@pytest.mark.parametrize(("module", "task"), [("farm", {**FARM, "balance": "source"}), ("refresh", {})])
def test_nothing_is_refused_because_a_list_is_old(service: Service, module: str, task: Values) -> None:
    service.run("farm", **FARM, refresh=False)
    service.simulator.switch(**STALE)
    frontend: Values = TASK["frontends"][0]
    service.run("frontend", **frontend, check=True)
    body = {"displayName": "smtp", "zone": "gra", "port": "25", "defaultFarmId": service.only("tcp/farm")["farmId"]}
    service.api("POST", "tcp/frontend", body)
    assert service.run(module, **task)["refreshed_zones"] == ["gra"]
    assert len(service.live("gra", "tcp/frontend")) == 1


def test_a_whole_answer_has_the_health_too(deployed: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "sample", lambda items, number: [])
    unknown = [{key: value for key, value in item.items() if key != "parent"} for item in deployed.staged("tcp/server")]
    deployed.fault(path=f".*/{farm_path(deployed)}/server", status=200, body=unknown)
    (told,) = deployed.run("load_balancer_info", gather=["farms"])["farms"]
    assert [bool(server["server_state"]) for server in told["servers"]] == [True] * 3


def test_a_free_certificate_is_not_ordered_twice_because_a_list_is_old(deployed: Service) -> None:
    deployed.simulator.switch(**STALE)
    deployed.run("load_balancer_info", gather=["certificates"])
    order: Values = {"fqdn": ["mail.example.com"], "display_name": "free", "wait_timeout": 5}
    deployed.run("certificate", **order)
    assert not deployed.run("certificate", **order)["changed"]
    assert len(deployed.staged("ssl")) == 1


@pytest.mark.parametrize("answer", [{"farmId": None}, {"farmId": "17"}], ids=str)
def test_an_object_has_the_id_of_its_list(deployed: Service, answer: Values) -> None:
    farm = deployed.only("tcp/farm")
    deployed.fault(method="GET", path=".*/tcp/farm/[0-9]+", status=200, body={**farm, **answer}, count=None)
    task: Values = {"farms": [{"farm_id": farm["farmId"], "balance": "source"}]}
    deployed.run("load_balancer", **task, purge_farms=True, bulk_reads="never", refresh=False)
    assert deployed.only("tcp/farm")["balance"] == "source"


def test_no_server_of_a_few_farms_is_left_out(service: Service) -> None:
    """One list is cut, of a farm with more servers than the others, and no other list tells of it."""
    farms = [{**FARM, "display_name": f"smtp{number}", "servers": SERVERS[:1]} for number in range(4)]
    farms[2]["servers"] = [{**SERVERS[0], "address": f"192.0.2.{number}"} for number in range(21, 26)]
    service.run("load_balancer", farms=farms, refresh=False)
    service.simulator.switch(bulk_lists="cut", bulk_cut=4)
    for _look in range(5):
        told = service.run("load_balancer_info", gather=["farms"])["farms"]
        assert sorted(len(farm["servers"]) for farm in told) == [1, 1, 1, 5]
