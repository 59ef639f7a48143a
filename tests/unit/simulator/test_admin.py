# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The administration: request log, counter, reset."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from simulator.launcher import Running

from .conftest import Service


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


def test_calls_are_counted_by_method_and_path(service: Service) -> None:
    service.client.get("/auth/details")
    service.simulator.admin("DELETE", "requests")
    server = service.server(service.farm())
    service.get(server)
    service.get("tcp/farm", zone="gra")
    service.get("quota/gra")
    service.client.get("/vrack/pn-1/ipLoadbalancing")
    base = "/ipLoadbalancing/{name}"
    assert service.simulator.admin("GET", "calls") == {
        "total": 6,
        "calls": {
            "GET /vrack/{name}/ipLoadbalancing": 1,
            f"GET {base}/quota/{{name}}": 1,
            f"GET {base}/tcp/farm": 1,
            f"GET {base}/tcp/farm/{{id}}/server/{{id}}": 1,
            f"POST {base}/tcp/farm": 1,
            f"POST {base}/tcp/farm/{{id}}/server": 1,
        },
    }
    service.simulator.reset()
    assert service.simulator.admin("GET", "calls")["total"] == 0


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
        ("POST", "faults", {"nth": 0}, "nth"),
        ("POST", "faults", {"switches": {"bulk_lists": "red"}}, "stale_always"),
        ("POST", "faults", {"expire": "red"}, "tokens, keys"),
        ("POST", "faults", {"meanwhile": {"colour": "red"}}, "meanwhile"),
        ("POST", "faults", {"path": "("}, "regular expression"),
        ("PUT", "catalogues", {"colour": []}, "colour"),
        ("PUT", "health", {"192.0.2.1": {"colour": "red"}}, "colour"),
    ],
)
def test_mistakes_are_told(simulator: Running, method: str, path: str, body: dict[str, Any], message: str) -> None:
    answer = requests.request(method, f"{simulator.base}/_simulator/{path}", json=body, timeout=10)
    assert answer.status_code == 400
    assert message in answer.json()["message"]
