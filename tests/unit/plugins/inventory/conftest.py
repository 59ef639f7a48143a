# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulator, and ansible-inventory on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mailops.ovh_iplb.plugins.inventory import iplb

from simulator.launcher import Running, running
from tools.waiting import eventually

# The directory that holds ansible_collections; the link in it is kept.
COLLECTIONS = Path(iplb.__file__).parents[5]
PROGRAMS = Path(sys.executable).parent


def unmarked(decoded: dict[str, Any]) -> Any:
    """ansible-inventory marks text that is no template."""
    return decoded.get("__ansible_unsafe", decoded)


class Inventory:
    """A load balancer, and an inventory source in ``directory`` that stands for it."""

    def __init__(self, simulator: Running, directory: Path) -> None:
        self.simulator = simulator
        self.directory = directory
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
            **simulator.environment,
        }

    def farm(self, protocol: str = "tcp", **body: Any) -> int:
        return int(self.simulator.call("POST", f"{protocol}/farm", {"zone": "gra", "port": 25, **body})["farmId"])

    def server(self, farm: int, address: str, protocol: str = "tcp", **body: Any) -> int:
        path = f"{protocol}/farm/{farm}/server"
        return int(self.simulator.call("POST", path, {"address": address, "status": "active", **body})["serverId"])

    def deploy(self, farm: int) -> None:
        """Makes a TCP farm live, behind a frontend."""
        self.simulator.call("POST", "tcp/frontend", {"zone": "gra", "port": "25", "defaultFarmId": farm})
        self.simulator.call("POST", "refresh")
        eventually(
            lambda: any(task["status"] == "done" for task in self.simulator.admin("GET", "tasks")),
            "the refresh did not end",
        )

    def calls(self) -> int:
        """API calls since the last reset, without those for the server's time."""
        log = self.simulator.admin("GET", "requests")["requests"]
        return sum(entry["method"] == "GET" and entry["path"].startswith("/ipLoadbalancing") for entry in log)

    def run(self, *command: str, name: str = "iplb.yml", **source: Any) -> subprocess.CompletedProcess[str]:
        """Runs an Ansible program with an inventory of these options."""
        path = self.directory / name
        path.write_text(yaml.safe_dump({"plugin": "mailops.ovh_iplb.iplb", **source}))
        arguments = [str(PROGRAMS / command[0]), "-i", str(path), *command[1:]]
        return subprocess.run(arguments, env=self.environment, capture_output=True, text=True, check=False, timeout=60)

    def load(self, **source: Any) -> dict[str, Any]:
        """The parsed ``--list``."""
        done = self.run("ansible-inventory", "--list", **source)
        assert done.returncode == 0, done.stderr
        parsed: dict[str, Any] = json.loads(done.stdout, object_hook=unmarked)
        return parsed

    def hosts(self, **source: Any) -> dict[str, dict[str, Any]]:
        variables: dict[str, dict[str, Any]] = self.load(**source)["_meta"]["hostvars"]
        return variables

    def error(self, **source: Any) -> str:
        done = self.run("ansible-inventory", "--list", **source)
        assert done.returncode != 0, done.stdout
        return " ".join(done.stderr.split())


@pytest.fixture(scope="session")
def simulator() -> Iterator[Running]:
    with running("--no-haproxy", "--time-scale", "0.001") as started:
        yield started


@pytest.fixture
def inventory(simulator: Running, tmp_path: Path) -> Inventory:
    simulator.reset()
    return Inventory(simulator, tmp_path)
