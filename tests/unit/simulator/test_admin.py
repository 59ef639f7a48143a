# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The administration: faults, request log, reset."""

from __future__ import annotations

import threading
from typing import Any

import ovh.exceptions
import pytest
import requests

from simulator.launcher import Running

from .conftest import Service


def fault(service: Service, **body: Any) -> None:
    service.simulator.admin("POST", "faults", body)


def test_fault_answers_instead_of_the_api(service: Service) -> None:
    fault(
        service, method="POST", path=".*/tcp/farm", status=429, body={"message": "slow"}, headers={"Retry-After": "7"}
    )
    with pytest.raises(ovh.exceptions.APIError) as caught:
        service.farm()
    assert caught.value.response.headers["Retry-After"] == "7"
    assert service.get("tcp/farm") == []
    assert service.farm()


def test_fault_with_html(service: Service) -> None:
    fault(service, status=502, body="<html>Bad gateway</html>")
    with pytest.raises(ovh.exceptions.InvalidResponse):
        service.get("tcp/farm")


@pytest.mark.parametrize(("drop", "farms"), [("before", 0), ("after", 1)])
def test_lost_answers(service: Service, drop: str, farms: int) -> None:
    """Either way the client learns nothing; what differs is whether the API did it."""
    fault(service, method="POST", path=".*/tcp/farm", drop=drop)
    with pytest.raises(ovh.exceptions.HTTPError):
        service.farm()
    assert len(service.get("tcp/farm")) == farms


def test_faults_can_be_taken_back(service: Service) -> None:
    fault(service, status=500, count=None)
    service.simulator.admin("DELETE", "faults")
    assert service.get("tcp/farm") == []


def test_request_log_shows_concurrency(service: Service) -> None:
    service.get("tcp/farm")
    service.simulator.switch(latency_ms=200)
    service.simulator.admin("DELETE", "requests")
    threads = [threading.Thread(target=Service(service.simulator).get, args=("natIp",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = service.simulator.admin("GET", "requests")
    read = [entry for entry in log["requests"] if entry["path"].endswith("/natIp")]
    assert [(entry["method"], entry["status"]) for entry in read] == [("GET", 200)] * 3
    assert log["max_concurrency"] >= 2


def test_reset(service: Service) -> None:
    farm = service.farm()
    service.frontend(defaultFarmId=farm)
    service.refresh()
    service.simulator.reset(second_refresh="noop")
    assert service.simulator.admin("GET", "staged") == service.simulator.admin("GET", "live") == {}
    assert service.simulator.admin("GET", "switches")["second_refresh"] == "noop"
    assert service.get("task") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("PUT", "switches", {"colour": "red"}, "colour"),
        ("PUT", "switches", {"second_refresh": "red"}, "conflict, noop"),
        ("POST", "faults", {"colour": "red"}, "colour"),
        ("POST", "faults", {"drop": "red"}, "before"),
        ("PUT", "health", {"192.0.2.1": {"colour": "red"}}, "colour"),
    ],
)
def test_mistakes_are_told(simulator: Running, method: str, path: str, body: dict[str, Any], message: str) -> None:
    answer = requests.request(method, f"{simulator.base}/_simulator/{path}", json=body, timeout=10)
    assert answer.status_code == 400
    assert message in answer.json()["message"]
