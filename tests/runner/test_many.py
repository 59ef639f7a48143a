# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example with many load balancers, below one rate limit."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.conftest import COLLECTIONS, PROGRAMS, ROOT
from runner.limiter import Limiter
from simulator.credentials import ACCESS_TOKEN
from simulator.launcher import running
from tools.serving import serving

EXAMPLE = ROOT / "examples/many-load-balancers"
SERVICES = [f"loadbalancer-{number:016x}" for number in range(1, 7)]


@pytest.fixture(scope="module")
def limiter() -> Iterator[Limiter]:
    with ExitStack() as stack:
        options = ("--no-haproxy", "--time-scale", "0.001", "--service")
        simulators = {name: stack.enter_context(running(*options, name)) for name in SERVICES}
        yield Limiter(simulators, limit=40, window=2)


def play(limiter: Limiter, directory: Path, services: list[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and the summary of a run over these services, three at once."""
    template = yaml.safe_load((EXAMPLE / "hosts.yml").read_text())
    some = next(iter(template["load_balancers"]["hosts"].values()))
    template["load_balancers"]["hosts"] = dict.fromkeys(services, some)
    (directory / "hosts.yml").write_text(yaml.safe_dump(template))
    command = [str(PROGRAMS / "ansible-playbook"), "-i", str(directory / "hosts.yml"), str(EXAMPLE / "site.yml")]
    with serving(limiter.app()) as url:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
            "ANSIBLE_SHOW_CUSTOM_STATS": "true",
            "OVH_ENDPOINT": f"{url}/1.0",
            "OVH_ACCESS_TOKEN": ACCESS_TOKEN,
        }
        command += ["-e", "at_once=3", "-e", "pace=0", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    stats = done.stdout.partition("RUN: ")[2]
    assert stats, done.stdout + done.stderr
    summary: dict[str, Any] = json.loads(stats)["load_balancers"]
    return done.returncode, summary


def test_many_load_balancers_converge_below_one_rate_limit(limiter: Limiter, tmp_path: Path) -> None:
    assert play(limiter, tmp_path, SERVICES) == (0, {"changed": SERVICES, "unchanged": [], "failed": {}})
    for simulator in limiter.simulators.values():
        assert len(simulator.admin("GET", "live")["gra"]["tcp/server"]) == 2
    # The limit was met, and waited out.
    assert limiter.refused > 0
    assert play(limiter, tmp_path, SERVICES) == (0, {"changed": [], "unchanged": SERVICES, "failed": {}})


def test_one_that_fails_does_not_stop_the_others(limiter: Limiter, tmp_path: Path) -> None:
    services = ["loadbalancer-unknown", *SERVICES[:2]]
    status, summary = play(limiter, tmp_path, services, "--check")
    assert status != 0
    assert list(summary["failed"]) == ["loadbalancer-unknown"]
    assert "does not exist" in summary["failed"]["loadbalancer-unknown"]
    assert sorted([*summary["changed"], *summary["unchanged"]]) == SERVICES[:2]
