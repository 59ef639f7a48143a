# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example project runs as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from awx.conftest import PROGRAMS, PROJECT, ROOT
from simulator.launcher import Running, running

PLAYBOOKS = sorted((PROJECT / "playbooks").glob("*.yml"))


@pytest.fixture(scope="module")
def simulator() -> Iterator[Running]:
    with running("--no-haproxy", "--time-scale", "0.001") as started:
        yield started


def run(simulator: Running, program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "HOME": os.environ["HOME"],
        "ANSIBLE_COLLECTIONS_PATH": os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".venv/collections")),
        "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
        **simulator.environment,
        **variables,
    }
    command = [str(PROGRAMS / program), *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def test_the_inventory_holds_what_is_declared_and_what_is_there(simulator: Running) -> None:
    for module, options in (
        ("farm", "display_name=smtp zone=all"),
        ("server", "farm=smtp address=192.0.2.11 display_name=mx1.example.com status=active"),
    ):
        command = ["localhost", "-m", f"mailops.ovh_iplb.{module}", "-a", f"{options} refresh=false"]
        assert run(simulator, "ansible", "-i", "inventory/hosts.yml", *command).returncode == 0
    done = run(simulator, "ansible-inventory", "-i", "inventory", "--graph")
    assert done.returncode == 0, done.stderr
    groups = {group.split(":")[0]: group for group in done.stdout.split("@")}
    assert "mx1.example.com" in groups["iplb_farm_smtp"]
    assert "mx1.example.com" in groups["smtp_backends"]
    assert "mx2.example.com" in groups["smtp_backends"]
    assert "mx2.example.com" not in groups["iplb_farm_smtp"]


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_each_playbook_finds_what_it_imports(simulator: Running, playbook: Path) -> None:
    done = run(simulator, "ansible-playbook", "-i", "inventory/hosts.yml", "--syntax-check", str(playbook))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((), None),
        (("--limit", "mx1.example.com"), None),
        (("-e", "smtp_load_balancer_service_name=another"), "another"),
        (("-e", "smtp_load_balancer_service_name="), "the name of a load balancer"),
    ],
)
def test_a_teardown_wants_the_name_of_the_load_balancer(
    simulator: Running, arguments: tuple[str, ...], name: str | None
) -> None:
    before = simulator.admin("GET", "staged")
    confirmed = ("-e", f"teardown_confirm={simulator.service}") if name else ()
    done = run(
        simulator, "ansible-playbook", "-i", "inventory/hosts.yml", "playbooks/teardown.yml", *confirmed, *arguments
    )
    assert done.returncode != 0
    assert f"teardown_confirm is not {name or simulator.service}" in " ".join((done.stdout + done.stderr).split())
    assert simulator.admin("GET", "staged") == before


def test_a_drift_job_that_failed_without_a_report_ends_the_workflow(simulator: Running) -> None:
    done = run(simulator, "ansible-playbook", "-i", "inventory/hosts.yml", "playbooks/notify.yml")
    assert done.returncode != 0
    assert "The drift job failed without a report" in done.stdout + done.stderr


class Chat(BaseHTTPRequestHandler):
    """Takes messages."""

    messages: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.messages.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()


def test_a_drift_is_told_object_by_object(simulator: Running) -> None:
    findings = [
        {"level": "drift", "where": "load balancer", "object": "farm smtp (gra)", "field": "balance"},
        {"level": "drift", "where": "mx1.example.com", "object": "main.cf", "field": None},
        {"level": "notice", "where": "mx1.example.com", "object": "certificate", "field": None},
    ]
    handed_on = json.dumps({"drift_found": True, "drift_findings": findings})
    with HTTPServer(("127.0.0.1", 0), Chat) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        command = ["-i", "inventory/hosts.yml", "playbooks/notify.yml", "-e", handed_on]
        done = run(simulator, "ansible-playbook", *command, IPLB_NOTIFY_URL=url)
        assert done.returncode == 0, done.stdout
        thread.join()
    (message,) = Chat.messages
    told = message["text"].splitlines()[1:]
    assert told == ["- load balancer: farm smtp (gra) balance", "- mx1.example.com: main.cf"]
    assert url not in done.stdout
