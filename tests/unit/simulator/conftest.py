# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running simulator, and python-ovh's own client for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ovh
import ovh.client
import pytest

from simulator import credentials
from simulator.launcher import Running, running
from tools.waiting import eventually

from .traffic import ADDITIONAL, GRA, NETWORK, RBX, SOURCE


def client_of(simulator: Running, **changes: Any) -> ovh.Client:
    """python-ovh knows endpoints by name only, so the URL goes into its table."""
    ovh.client.ENDPOINTS["simulator"] = simulator.endpoint
    keys = {
        "application_key": credentials.APPLICATION_KEY,
        "application_secret": credentials.APPLICATION_SECRET,
        "consumer_key": credentials.CONSUMER_KEY,
    }
    return ovh.Client(endpoint="simulator", **{**keys, **changes})


class Service:
    """The service as a user sees it, with python-ovh."""

    def __init__(self, simulator: Running) -> None:
        self.simulator = simulator
        self.client = client_of(simulator)
        self.path = f"/ipLoadbalancing/{simulator.service}"

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"{self.path}/{path}", **query)

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(f"{self.path}/{path}", **body)

    def put(self, path: str, **body: Any) -> Any:
        return self.client.put(f"{self.path}/{path}", **body)

    def delete(self, path: str) -> Any:
        return self.client.delete(f"{self.path}/{path}")

    def farm(self, protocol: str = "tcp", **body: Any) -> int:
        return int(self.post(f"{protocol}/farm", **{"zone": "gra", "port": 25, **body})["farmId"])

    def server(self, farm: int, protocol: str = "tcp", **body: Any) -> str:
        """Path of a new server."""
        created = self.post(f"{protocol}/farm/{farm}/server", **{"address": "192.0.2.11", "status": "active", **body})
        return f"{protocol}/farm/{farm}/server/{created['serverId']}"

    def frontend(self, protocol: str = "tcp", **body: Any) -> int:
        return int(self.post(f"{protocol}/frontend", **{"zone": "gra", "port": "25", **body})["frontendId"])

    def pending(self) -> dict[str, int]:
        return {entry["zone"]: entry["number"] for entry in self.get("pendingChanges")}

    def refresh(self, **body: Any) -> dict[str, Any]:
        """The finished task."""
        return self.finished(self.post("refresh", **body)["id"])

    def finished(self, task: int) -> dict[str, Any]:
        return dict(
            eventually(lambda: (found := self.get(f"task/{task}"))["status"] not in ("todo", "doing") and found)
        )


@pytest.fixture(scope="session")
def api() -> Iterator[Running]:
    """A simulator without HAProxy; what takes a minute takes 0.6 seconds."""
    with running("--no-haproxy", "--time-scale", "0.01") as simulator:
        yield simulator


@pytest.fixture
def simulator(api: Running) -> Running:
    api.reset()
    return api


@pytest.fixture
def service(simulator: Running) -> Service:
    return Service(simulator)


@pytest.fixture(scope="session")
def balanced() -> Iterator[Running]:
    """A simulator with HAProxy, on addresses of this process alone."""
    arguments = [
        *("--time-scale", "0.01", "--switch", "allow_loopback_servers=on"),
        *("--zone", f"gra={GRA},{SOURCE},{NETWORK}.128/29", "--zone", f"rbx={RBX}", "--failover", f"{ADDITIONAL}/32"),
    ]
    with running(*arguments) as simulator:
        yield simulator
