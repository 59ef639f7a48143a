# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a simulator for a test, in a process of its own on a free loopback port."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from .credentials import ACCESS_TOKEN
from .lifetime import dies_with_us

TESTS = Path(__file__).resolve().parent.parent
TIMEOUT = 30  # seconds


@dataclass
class Running:
    """``environment`` has the OVH_* variables that the simulator printed."""

    process: subprocess.Popen[str]
    environment: dict[str, str]

    @property
    def endpoint(self) -> str:
        """The API's URL, which ends in /1.0."""
        return self.environment["OVH_ENDPOINT"]

    @property
    def base(self) -> str:
        return self.endpoint.removesuffix("/1.0")

    @property
    def service(self) -> str:
        return self.environment["OVH_IPLB_SERVICE"]

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Calls ``/_simulator/PATH``; the decoded answer, or its text where it is not JSON."""
        answer = requests.request(method, f"{self.base}/_simulator/{path}", json=body, timeout=TIMEOUT)
        answer.raise_for_status()
        is_json = answer.headers["content-type"].startswith("application/json")
        return answer.json() if is_json else answer.text

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Calls the API below the service, as somebody else would; the decoded answer."""
        url = f"{self.endpoint}/ipLoadbalancing/{self.service}/{path}"
        headers = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
        answer = requests.request(method, url, json=body, headers=headers, timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def reset(self, **switches: Any) -> None:
        self.admin("POST", "reset", {"switches": switches})

    def switch(self, **switches: Any) -> None:
        self.admin("PUT", "switches", switches)

    def stop(self) -> int:
        """Ends it as ``kill`` would; returns its exit status."""
        self.process.terminate()
        return self.process.wait(TIMEOUT)


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """Command line options of ``python -m simulator``; the port is free unless given. Stopped at the end."""
    command = [*dies_with_us(), sys.executable, "-m", "simulator", "--port", "0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Running(process, dict(exported(process)))
        finally:
            if process.poll() is None:
                process.terminate()


def exported(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    """Name and value of the lines ``export NAME=VALUE``, which come first."""
    assert process.stdout is not None
    for line in process.stdout:
        if not line.startswith("export "):
            return
        name, value = line.removeprefix("export ").strip().split("=", 1)
        yield name, value
    raise RuntimeError(f"the simulator did not start: exit status {process.wait()}")
