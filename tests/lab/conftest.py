# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the end-to-end tests share: one lab, and the story of the guide played once in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .backend import fresh_lab
from .driver import Lab, Play, await_result

# Tests that run in parallel get a lab for each worker.
os.environ["MAILOPS_LAB"] = os.environ.get("MAILOPS_LAB", "") + os.environ.get("PYTEST_XDIST_WORKER", "")

CLIENTS = ("203.0.113.10", "203.0.113.11")
SMTP = "playbooks/smtp.yml"
MEASURED = "measured"  # what a test records under this name is shown at the end, also when it passed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    for report in reports:
        for name, value in report.user_properties:
            if name == MEASURED:
                terminalreporter.write_line(f"{report.nodeid}: {value}")


@dataclass(frozen=True)
class Story:
    """What happened: mail before the role, the first run, mail after it, the second run."""

    received_before: str
    first: Play
    received_after: dict[str, str]  # by client address
    second: Play


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with fresh_lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def farm() -> Iterator[Lab]:
    """A lab of its own with four backends, on which no playbook ran yet."""
    with fresh_lab("f", backends=4) as lab:
        yield lab


@pytest.fixture(scope="session")
def story(lab: Lab) -> Story:
    before = balancer_without_proxy(lab)
    return Story(
        received_before=before,
        first=lab.play(SMTP, "-e", "allow_cutover=true"),
        received_after={client: received(lab, client, f"after, {client}") for client in CLIENTS},
        second=lab.play(SMTP),
    )


@pytest.fixture(scope="session")
def converged(lab: Lab, story: Story) -> Lab:
    """The lab after the first run of the playbook."""
    assert story.first.status == 0, story.first.output
    return lab


def balancer_without_proxy(lab: Lab) -> str:
    """Configure the load balancer in front of Debian's own Postfix; the Received line of a message through it."""
    servers: list[dict[str, Any]] = [{"address": lab.address(host), "status": "active"} for host in lab.backends]
    farm = lab.api("POST", "{service}/tcp/farm", {"displayName": "smtp", "zone": "all", "port": 25})["farmId"]
    for server in servers:
        lab.api("POST", f"{{service}}/tcp/farm/{farm}/server", server)
    lab.api(
        "POST",
        "{service}/tcp/frontend",
        {"displayName": "smtp", "zone": "all", "port": "25", "defaultFarmId": farm},
    )
    task = lab.api("POST", "{service}/refresh")["id"]
    await_result(lambda: lab.api("GET", f"{{service}}/task/{task}")["status"] == "done")
    return received(lab, CLIENTS[0], "before")


def received(lab: Lab, client: str, subject: str) -> str:
    """Send a message through the load balancer; its Received line in the backend's mailbox."""
    answer = lab.send(client, subject)
    assert answer["accepted"], answer["reply"]
    dummy, message = await_result(lambda: lab.find(subject))
    return " ".join(str(message["Received"]).split())
