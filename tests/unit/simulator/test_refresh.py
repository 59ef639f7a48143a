# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Staged against live, pending changes, tasks."""

from __future__ import annotations

from typing import Any

import ovh.exceptions
import pytest

from tools.waiting import eventually

from .conftest import Service


@pytest.fixture
def deployable(service: Service) -> Service:
    """A service with a farm, a server with its probe on and a frontend, all staged."""
    farm = service.farm(probe={"type": "smtp", "interval": 30})
    service.server(farm, probe=True)
    service.frontend(defaultFarmId=farm)
    return service


def live(service: Service, zone: str = "gra") -> Any:
    return service.simulator.admin("GET", "live").get(zone, {})


def test_nothing_is_live_before_the_refresh(deployable: Service) -> None:
    assert live(deployable) == {}
    assert deployable.pending() == {"gra": 3}
    task = deployable.refresh()
    assert task["status"] == "done"
    assert (task["action"], task["progress"], sorted(task["zones"])) == ("refreshIplb", 100, ["gra", "rbx"])
    assert task["doneDate"]
    assert deployable.pending() == {}
    assert set(live(deployable)) == {"tcp/farm", "tcp/server", "tcp/frontend"}


def test_staged_changes_do_not_reach_the_live_configuration(deployable: Service) -> None:
    deployable.refresh()
    farm = deployable.get("tcp/farm")[0]
    deployable.put(f"tcp/farm/{farm}", port=26)
    assert live(deployable)["tcp/farm"][0]["port"] == 25
    deployable.refresh()
    assert live(deployable)["tcp/farm"][0]["port"] == 26


def test_task_passes_through_its_states(deployable: Service) -> None:
    deployable.simulator.switch(refresh_seconds=60)
    task = deployable.post("refresh")
    assert (task["status"], task["progress"], task["doneDate"]) == ("todo", 0, None)
    assert deployable.get("task", action="refreshIplb", status="todo") == [task["id"]]
    doing = eventually(lambda: (found := deployable.get(f"task/{task['id']}"))["status"] == "doing" and found)
    assert doing["progress"] == 50
    assert deployable.finished(task["id"])["status"] == "done"


def test_refresh_of_one_zone_leaves_the_others_pending(service: Service) -> None:
    farm = service.farm(zone="all")
    service.frontend(zone="all", defaultFarmId=farm)
    assert service.pending() == {"gra": 2, "rbx": 2}
    assert service.refresh(zone="rbx")["zones"] == ["rbx"]
    assert service.pending() == {"gra": 2}
    assert live(service) == {}
    assert "tcp/farm" in live(service, "rbx")


def test_moving_a_frontend_concerns_both_zones(service: Service) -> None:
    farm = service.farm(zone="all")
    frontend = service.frontend(defaultFarmId=farm)
    service.refresh()
    service.put(f"tcp/frontend/{frontend}", zone="rbx")
    assert service.pending() == {"gra": 1, "rbx": 1}


def test_writes_during_a_refresh_stay_pending(deployable: Service) -> None:
    deployable.simulator.switch(refresh_seconds=100)
    task = deployable.post("refresh")["id"]
    eventually(lambda: deployable.get(f"task/{task}")["status"] == "doing")
    farm = deployable.get("tcp/farm")[0]
    deployable.put(f"tcp/farm/{farm}", port=26)
    deployable.finished(task)
    assert deployable.pending() == {"gra": 1}
    assert live(deployable)["tcp/farm"][0]["port"] == 25


def test_unknown_zone(deployable: Service) -> None:
    with pytest.raises(ovh.exceptions.BadParametersError, match=r"\[zone\].*sbg"):
        deployable.post("refresh", zone="sbg")


def test_undeployable_configurations(service: Service) -> None:
    with pytest.raises(ovh.exceptions.BadParametersError, match="At least one frontend"):
        service.post("refresh")
    frontend = service.frontend(disabled=True)
    with pytest.raises(ovh.exceptions.BadParametersError, match=str(frontend)):
        service.post("refresh")
    route = service.post("tcp/route", frontendId=frontend, action={"type": "reject"})["routeId"]
    with pytest.raises(ovh.exceptions.BadParametersError, match=str(frontend)):
        service.post("refresh")
    service.post(f"tcp/route/{route}/rule", field="source", match="is", pattern="192.0.2.1")
    assert service.refresh()["status"] == "done"


def test_failed_task_leaves_everything_as_it_was(deployable: Service) -> None:
    deployable.simulator.switch(task_outcome="error")
    assert deployable.refresh()["status"] == "error"
    assert live(deployable) == {}
    assert deployable.pending() == {"gra": 3}


def test_health_without_haproxy(deployable: Service) -> None:
    deployable.refresh()
    farm = deployable.get("tcp/farm")[0]
    path = f"tcp/farm/{farm}/server/{deployable.get(f'tcp/farm/{farm}/server')[0]}"
    first = deployable.get(path)["serverState"]
    assert [(state["status"], state["checkStatus"], state["checkTime"]) for state in first] == [("UP", "INI", None)]
    checked = eventually(lambda: (found := deployable.get(path)["serverState"])[0]["checkTime"] and found[0])
    assert (checked["status"], checked["checkStatus"], checked["checkCode"]) == ("UP", "L7OK", "221")
    deployable.simulator.admin("PUT", "health", {"192.0.2.11": {"status": "DOWN", "lastCheckContent": "421"}})
    down = deployable.get(path)["serverState"][0]
    assert (down["status"], down["lastCheckContent"]) == ("DOWN", "421")
    assert deployable.get("status")["servers"]["status"]["error"] == 1
