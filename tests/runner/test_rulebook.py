# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebook under ansible-rulebook, with the playbooks of tests/runner/project."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from runner.conftest import COLLECTIONS, HOSTS, PROJECT, ROOT
from simulator.launcher import Running
from tools.ports import free_port
from tools.waiting import eventually

pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="ansible-rulebook needs java")

TOKEN = "theWebhookToken"
PATIENCE = 120  # seconds: a rulebook starts Java, and then playbooks
EXAMPLE = ROOT / "examples/event-driven/vars.yml"


class Rulebook:
    """A running ansible-rulebook. Its output goes into a file."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, port: int) -> None:
        self.process = process
        self.output = output
        self.url = f"http://127.0.0.1:{port}/"

    def says(self, text: str, times: int = 1) -> bool:
        assert self.process.poll() is None, self.output.read_text()
        return self.output.read_text().count(text) >= times

    def post(self, token: str = TOKEN, **body: Any) -> int:
        return requests.post(self.url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code

    def is_up(self) -> bool:
        try:
            return self.post("wrong") == 401
        except requests.ConnectionError:
            return False


@contextmanager
def rulebook(programs: Path, simulator: Running, directory: Path, **changes: Any) -> Iterator[Rulebook]:
    """Runs the rulebook with the variables of the example, and those changes."""
    port = free_port()
    variables = {
        **yaml.safe_load(EXAMPLE.read_text()),
        "iplb_drift_playbook": str(PROJECT / "drift.yml"),
        "iplb_converge_playbook": str(PROJECT / "converge.yml"),
        "iplb_webhook_port": port,
        **changes,
    }
    (directory / "vars.yml").write_text(yaml.safe_dump(variables))
    (directory / "hosts").write_text(HOSTS)
    output = directory / "output"
    command = [str(programs / "ansible-rulebook"), "--rulebook", "mailops.ovh_iplb.drift"]
    command += ["--inventory", str(directory / "hosts"), "--vars", str(directory / "vars.yml")]
    command += ["--env-vars", "IPLB_WEBHOOK_TOKEN"]
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(directory),
        "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
        "IPLB_WEBHOOK_TOKEN": TOKEN,
        **simulator.environment,
    }
    with (
        output.open("wb") as stream,
        subprocess.Popen(command, env=environment, stdout=stream, stderr=stream) as process,
    ):
        try:
            started = Rulebook(process, output, port)
            eventually(lambda: process.poll() is not None or started.is_up(), "the rulebook did not start", PATIENCE)
            assert process.poll() is None, output.read_text()
            yield started
        finally:
            process.terminate()


@pytest.fixture
def service(simulator: Running) -> Running:
    simulator.reset()
    return simulator


def objects(service: Running, zone: str, kind: str) -> list[dict[str, Any]]:
    """What is live in a zone."""
    found: list[dict[str, Any]] = service.admin("GET", "live").get(zone, {}).get(kind, [])
    return found


def test_a_drift_is_corrected_where_that_is_allowed(programs: Path, service: Running, tmp_path: Path) -> None:
    with rulebook(programs, service, tmp_path, iplb_converge_allowed=True) as running:

        def balance() -> str | None:
            found = objects(service, "gra", "tcp/farm")
            return found[0]["balance"] if found else None

        # The first look comes with the start, and the load balancer is empty.
        eventually(lambda: balance() == "roundrobin", "the drift was not corrected", PATIENCE)
        farm = objects(service, "gra", "tcp/farm")[0]["farmId"]
        service.call("PUT", f"tcp/farm/{farm}", {"balance": "first"})
        service.call("POST", "refresh")
        eventually(lambda: balance() == "first", "the change did not go live", PATIENCE)
        assert running.post(action="drift") == 200
        eventually(lambda: balance() == "roundrobin", "the webhook did not lead to a correction", PATIENCE)


def test_a_drift_is_left_to_a_person_where_correcting_is_not_allowed(
    programs: Path, service: Running, tmp_path: Path
) -> None:
    with rulebook(programs, service, tmp_path, iplb_interval=1) as running:
        said = "iplb_converge_allowed is false"
        # Twice, so the timer goes on.
        eventually(lambda: running.says(said, times=2), "no drift was found", PATIENCE)
        assert running.post("wrong", action="drift") == 401
    assert service.admin("GET", "staged") == {}


def test_the_playbooks_of_the_collection_are_found_by_name(programs: Path, service: Running, tmp_path: Path) -> None:
    named = yaml.safe_load(EXAMPLE.read_text())["iplb_drift_playbook"]
    with rulebook(programs, service, tmp_path, iplb_drift_playbook=named) as running:
        # It runs, and refuses an inventory without backends.
        eventually(lambda: running.says("has no host in the group smtp_backends"), "the playbook did not run", PATIENCE)
