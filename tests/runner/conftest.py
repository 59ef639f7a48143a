# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A load balancer, and jobs for it in private data directories.

The jobs run the playbooks of tests/runner/project on a simulator.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from runner.programs import environment
from simulator.launcher import Running, running

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Path(__file__).parent / "project"
PROGRAMS = Path(sys.executable).parent
COLLECTIONS = os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(ROOT / ".venv/collections"))
HOSTS = "localhost ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
TIMEOUT = 120  # seconds


@dataclass
class Job:
    """A job that ended. artifacts is the directory that ansible-runner leaves."""

    status: str
    rc: int | None
    stats: dict[str, Any]
    artifacts: Path
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def stdout(self) -> str:
        return (self.artifacts / "stdout").read_text()

    def changed(self) -> int:
        return sum(self.stats.get("changed", {}).values())

    def artifact_data(self) -> dict[str, Any]:
        """What set_stats handed on."""
        (event,) = (event for event in self.events if event["event"] == "playbook_on_stats")
        data: dict[str, Any] = event["event_data"]["artifact_data"]
        return data


class Jobs:
    """Runs jobs as AWX does: no file with credentials, only environment variables."""

    def __init__(self, simulator: Running, directory: Path) -> None:
        self.simulator = simulator
        self.directory = directory
        (directory / "project").symlink_to(PROJECT)
        (directory / "inventory").mkdir()
        (directory / "inventory/hosts").write_text(HOSTS)
        self.environment = {
            "ANSIBLE_COLLECTIONS_PATH": COLLECTIONS,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "HOME": str(directory),
            **simulator.environment,
        }

    def run(self, playbook: str, **options: Any) -> Job:
        ended = ansible_runner.run(
            private_data_dir=str(self.directory),
            playbook=playbook,
            envvars=self.environment,
            suppress_env_files=True,
            quiet=True,
            **options,
        )
        events = [json.loads(path.read_text()) for path in self.event_files(Path(ended.config.artifact_dir))]
        stats = ended.stats or {}
        return Job(ended.status, ended.rc, stats, Path(ended.config.artifact_dir), events)

    @staticmethod
    def event_files(artifacts: Path) -> list[Path]:
        return sorted((artifacts / "job_events").glob("[0-9]*.json"), key=lambda path: int(path.name.split("-")[0]))

    def run_until(self, playbook: str, condition: Callable[[], Any]) -> Job:
        """Cancels the job once the condition holds."""
        reached = threading.Event()
        ended = threading.Event()

        def watch() -> None:
            while not condition() and not ended.wait(0.02):
                pass
            reached.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            return self.run(playbook, cancel_callback=reached.is_set)
        finally:
            ended.set()
            watcher.join()


@pytest.fixture(scope="session")
def simulator() -> Iterator[Running]:
    with running("--no-haproxy", "--time-scale", "0.01") as started:
        yield started


@pytest.fixture
def jobs(simulator: Running, tmp_path: Path) -> Jobs:
    simulator.reset()
    return Jobs(simulator, tmp_path)


@pytest.fixture(scope="session")
def programs() -> Path:
    return environment()
