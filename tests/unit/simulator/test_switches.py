# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Switches at their other setting; those of certificates, vRack, routes and bulk lists are where these are tested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ovh.exceptions
import pytest

from simulator import switches
from simulator.switches import SWITCHES
from tools.waiting import eventually

from .conftest import Service

refused = pytest.raises(ovh.exceptions.BadParametersError)
conflict = pytest.raises(ovh.exceptions.ResourceConflictError)


@pytest.fixture
def deployable(service: Service) -> Service:
    service.frontend(defaultFarmId=service.farm())
    return service


def states(service: Service, server: str) -> Any:
    return service.get(server)["serverState"]


def test_readme_lists_every_switch() -> None:
    readme = (Path(switches.__file__).parent / "README.md").read_text()
    for switch in SWITCHES:
        values = " ".join(f"`{value}`" for value in switch.values) or "number"
        assert f"| `{switch.name}` | {values} | `{switch.default}` | {switch.meaning} |" in readme


# Refresh and tasks


def test_second_refresh(deployable: Service) -> None:
    deployable.simulator.switch(refresh_seconds=50)
    first = deployable.post("refresh")["id"]
    with conflict:
        deployable.post("refresh")
    deployable.finished(first)
    farm = deployable.get("tcp/farm")[0]
    deployable.simulator.switch(second_refresh="noop")
    first = deployable.post("refresh")["id"]
    second = deployable.post("refresh")["id"]
    eventually(lambda: deployable.get(f"task/{first}")["status"] == "doing")
    deployable.put(f"tcp/farm/{farm}", port=26)
    assert deployable.finished(second)["status"] == "done"
    assert deployable.pending() == {"gra": 1}


def test_refresh_nothing_pending(deployable: Service) -> None:
    deployable.refresh()
    assert deployable.refresh()["status"] == "done"
    deployable.simulator.switch(refresh_nothing_pending="refuse")
    with refused:
        deployable.post("refresh")


def test_undeployable_refresh(service: Service) -> None:
    service.simulator.switch(undeployable_refresh="task_error")
    service.farm()
    assert service.refresh()["status"] == "error"
    assert service.pending() == {"gra": 1}


@pytest.mark.parametrize("outcome", ["cancelled", "blocked"])
def test_task_outcome(deployable: Service, outcome: str) -> None:
    deployable.simulator.switch(task_outcome=outcome)
    assert deployable.refresh()["status"] == outcome
    assert deployable.pending() == {"gra": 2}


def test_task_outcome_that_recovers(deployable: Service) -> None:
    deployable.simulator.switch(task_outcome="blocked_then_done")
    task = deployable.post("refresh")["id"]
    eventually(lambda: deployable.get(f"task/{task}")["status"] == "blocked")
    eventually(lambda: deployable.get(f"task/{task}")["status"] == "done")
    assert deployable.pending() == {}


def test_finished_task_vanishes(deployable: Service) -> None:
    deployable.simulator.switch(finished_task_vanishes="on")
    deployable.post("refresh")
    eventually(lambda: deployable.pending() == {})
    assert deployable.get("task") == []


def test_writes_during_refresh(deployable: Service) -> None:
    deployable.simulator.switch(writes_during_refresh="refuse", refresh_seconds=50)
    task = deployable.post("refresh")["id"]
    with conflict:
        deployable.farm()
    deployable.finished(task)
    assert deployable.farm()


# Pending changes


@pytest.mark.parametrize(("counting", "number"), [("writes", 4), ("objects", 2), ("difference", 1)])
def test_pending_counting(service: Service, counting: str, number: int) -> None:
    service.simulator.switch(pending_counting=counting)
    farm = service.farm()
    service.put(f"tcp/farm/{farm}", port=26)
    other = service.farm()
    service.delete(f"tcp/farm/{other}")
    assert service.pending() == {"gra": number}


def test_pending_zero_entries(service: Service) -> None:
    service.simulator.switch(pending_zero_entries="on")
    assert service.pending() == {"gra": 0, "rbx": 0}


def test_pending_over(deployable: Service) -> None:
    deployable.simulator.switch(pending_over="started", refresh_seconds=300)
    task = deployable.post("refresh")
    assert deployable.pending() == {}
    assert deployable.get(f"task/{task['id']}")["status"] != "done"


def test_noop_put_counts(service: Service) -> None:
    farm = service.farm()
    service.put(f"tcp/farm/{farm}", port=25)
    assert service.pending() == {"gra": 1}
    service.simulator.switch(noop_put_counts="on")
    service.put(f"tcp/farm/{farm}", port=25)
    assert service.pending() == {"gra": 2}


def test_zone_counts_for_all(service: Service) -> None:
    service.simulator.switch(zone_counts_for_all="all")
    service.farm(zone="all")
    service.farm()
    assert service.pending() == {"all": 1, "gra": 1}


# Writes


def test_delete_used_farm(service: Service) -> None:
    farm = service.farm()
    service.server(farm)
    frontend = service.frontend(defaultFarmId=farm)
    with conflict:
        service.delete(f"tcp/farm/{farm}")
    service.simulator.switch(delete_used_farm="accept")
    service.delete(f"tcp/farm/{farm}")
    assert service.get(f"tcp/frontend/{frontend}")["defaultFarmId"] is None


def test_read_only_change(service: Service) -> None:
    service.simulator.switch(read_only_change="ignore")
    farm = service.farm()
    service.put(f"tcp/farm/{farm}", zone="rbx", port=26)
    assert (service.get(f"tcp/farm/{farm}")["zone"], service.get(f"tcp/farm/{farm}")["port"]) == ("gra", 26)


def test_unknown_keys(service: Service) -> None:
    service.simulator.switch(unknown_keys="ignore")
    assert "colour" not in service.get(f"tcp/farm/{service.farm(colour='red')}")


def test_null_on_not_nullable(service: Service) -> None:
    server = service.server(service.farm(), backup=True)
    with refused:
        service.put(server, backup=None)
    service.simulator.switch(null_on_not_nullable="default")
    service.put(server, backup=None)
    assert service.get(server)["backup"] is False


def test_unknown_farm_status(service: Service) -> None:
    service.simulator.switch(unknown_farm_status=400)
    with refused:
        service.frontend(defaultFarmId=5)


def test_farm_frontend_zone_mismatch(service: Service) -> None:
    farm = service.farm(zone="rbx")
    with refused:
        service.frontend(defaultFarmId=farm)
    service.simulator.switch(farm_frontend_zone_mismatch="accept")
    assert service.frontend(defaultFarmId=farm)


def test_frontend_port_clash(service: Service) -> None:
    service.simulator.switch(frontend_port_clash="refuse")
    service.frontend(port="20-30")
    service.frontend(zone="rbx")
    with conflict:
        service.frontend(port="587,25")


def test_duplicate_server(service: Service) -> None:
    farm = service.farm()
    service.server(farm)
    service.server(farm)
    service.simulator.switch(duplicate_server="refuse")
    with conflict:
        service.server(farm, port=25)
    assert service.server(farm, port=26)


def test_unknown_dedicated_ipfo(service: Service) -> None:
    with refused:
        service.frontend(dedicatedIpfo=["203.0.113.5/32"])
    service.simulator.switch(unknown_dedicated_ipfo="accept")
    assert service.frontend(dedicatedIpfo=["203.0.113.5/32"])


def test_allow_loopback_servers(service: Service) -> None:
    service.simulator.switch(allow_loopback_servers=True)
    assert service.server(service.farm(), address="127.0.0.9")


def test_public_servers(service: Service) -> None:
    service.simulator.switch(public_servers="refuse")
    farm = service.farm()
    with refused:
        service.server(farm, address="145.239.1.1")
    assert service.server(farm, address="192.0.2.1")


def test_frontend_port_number(service: Service) -> None:
    service.simulator.switch(frontend_port_number="accept")
    assert service.get(f"tcp/frontend/{service.frontend(port=25)}")["port"] == "25"


def test_zone_case(service: Service) -> None:
    service.simulator.switch(zone_case="insensitive")
    assert service.get(f"tcp/farm/{service.farm(zone='GRA')}")["zone"] == "gra"


@pytest.mark.parametrize(("handling", "stored"), [("normalise", ["192.0.2.1/32"]), ("keep", ["192.0.2.1"])])
def test_cidr_without_mask(service: Service, handling: str, stored: list[str]) -> None:
    service.simulator.switch(cidr_without_mask=handling)
    assert service.get(f"tcp/frontend/{service.frontend(allowedSource=['192.0.2.1'])}")["allowedSource"] == stored


def test_cidr_without_mask_refused(service: Service) -> None:
    service.simulator.switch(cidr_without_mask="refuse")
    with refused:
        service.frontend(allowedSource=["192.0.2.1"])


# Probes


def test_probe_null(service: Service) -> None:
    farm = service.farm(probe={"type": "smtp"})
    service.simulator.switch(probe_null="refuse")
    with refused:
        service.put(f"tcp/farm/{farm}", probe=None)
    service.put(f"tcp/farm/{farm}", probe={})
    assert service.get(f"tcp/farm/{farm}")["probe"] is None


@pytest.mark.parametrize("written", [None, {}])
@pytest.mark.parametrize("shown", ["null", "empty", "fields"])
def test_empty_probe(service: Service, shown: str, written: Any) -> None:
    service.simulator.switch(empty_probe=shown)
    farm = service.farm(probe={"type": "smtp"})
    service.put(f"tcp/farm/{farm}", probe=written)
    probe = service.get(f"tcp/farm/{farm}")["probe"]
    assert probe is None if shown == "null" else not any(probe.values())
    assert shown != "fields" or probe["type"] is None


def test_probe_defaults(service: Service) -> None:
    filled = service.get(f"tcp/farm/{service.farm(probe={'type': 'smtp'})}")["probe"]
    assert (filled["interval"], filled["match"], filled["forceSsl"]) == (30, "default", False)
    service.simulator.switch(probe_defaults="stored")
    stored = service.get(f"tcp/farm/{service.farm(probe={'type': 'smtp'})}")["probe"]
    assert {name for name, value in stored.items() if value is not None} == {"type"}


def test_http_probe_method(service: Service) -> None:
    service.simulator.switch(http_probe_method="OPTIONS")
    assert service.get(f"tcp/farm/{service.farm(probe={'type': 'http'})}")["probe"]["method"] == "OPTIONS"


# Reading


def test_lists_shuffled(service: Service) -> None:
    farms = [service.farm() for number in range(5)]
    assert any(service.get("tcp/farm") != farms for number in range(10))
    service.simulator.switch(lists_shuffled="off")
    assert all(service.get("tcp/farm") == farms for number in range(10))


def test_null_flags(service: Service) -> None:
    service.simulator.switch(null_flags="on")
    server = service.server(service.farm(), probe=True)
    shown = service.get(server)
    assert (shown["backup"], shown["probe"], shown["ssl"]) == (None, True, None)
    service.put(server, **{name: shown[name] for name in ("address", "probe", "serverId")}, weight=5)
    assert service.get(server)["weight"] == 5


def test_generated_cookie(service: Service) -> None:
    sticky, loose = service.farm("http", stickiness="cookie"), service.farm("http")
    servers = [service.server(farm, "http") for farm in (sticky, loose)]
    assert [service.get(server)["cookie"] for server in servers] == [None, None]
    service.simulator.switch(generated_cookie="shown")
    assert [bool(service.get(server)["cookie"]) for server in servers] == [True, False]
    service.put(servers[0], cookie="one")
    assert service.get(servers[0])["cookie"] == "one"


def test_server_state_missing(service: Service) -> None:
    server = service.server(service.farm())
    service.simulator.switch(server_state_missing="null")
    assert states(service, server) is None
    service.simulator.switch(server_state_missing="absent")
    assert "serverState" not in service.get(server)


# Service and authentication; auth_error_shape and timestamp_window are in test_auth, latency_ms in test_admin


def test_vrack(deployable: Service) -> None:
    deployable.simulator.switch(vrack="active")
    assert deployable.get("vrack/status")["state"] == "active"
    with refused:
        deployable.post("refresh")
    network = deployable.get("vrack/network")[0]
    farm = deployable.get("tcp/farm")[0]
    deployable.put(f"tcp/farm/{farm}", vrackNetworkId=network)
    assert deployable.get(f"vrack/network/{network}")["farmId"] == [{"id": farm, "type": "tcp"}]
    assert deployable.refresh()["status"] == "done"


def test_requests_per_minute(service: Service) -> None:
    service.simulator.switch(requests_per_minute=3)
    # The first call also asked for the time.
    service.get("tcp/farm")
    service.get("tcp/farm")
    with pytest.raises(ovh.exceptions.APIError) as caught:
        service.get("tcp/farm")
    assert caught.value.response.status_code == 429
    assert int(caught.value.response.headers["Retry-After"]) >= 1
