# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs in what the execution environment holds, and in nothing else, as no container engine is there to build it.

The packages are those that ansible-builder finds for the collection, with the ansible-core and ansible-runner of
execution-environment.yml; the collection is its built artifact.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from runner.conftest import PROGRAMS, PROJECT, ROOT
from simulator.launcher import Running
from tools.checkout import copy_collection
from tools.environments import environment_with, find_python

# The Python of the base image. A backend of the inventory below is this machine, with its own.
PYTHON = "3.12"
BACKENDS = "[smtp_backends]\nmx1 ansible_connection=local ansible_host=192.0.2.11\n"

pytestmark = pytest.mark.skipif(find_python(PYTHON) is None, reason=f"this machine has no Python {PYTHON}")


def run(*command: str | Path, **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory into which the built collection was installed."""
    directory = tmp_path_factory.mktemp("collections")
    galaxy = PROGRAMS / "ansible-galaxy"
    run(galaxy, "collection", "build", "--output-path", directory, copy_collection(directory / "source"))
    (artifact,) = directory.glob("*.tar.gz")
    installed = directory / "installed"
    # The checkout, where a shell may have it on a path, does not count as installed.
    run(galaxy, "collection", "install", "--force", "--offline", "-p", installed, artifact, PYTHONPATH="")
    return installed


@pytest.fixture(scope="module")
def packages(programs: Path, collections: Path) -> list[str]:
    """What pip installs when the execution environment is built."""
    dependencies = yaml.safe_load((ROOT / "execution-environment.yml").read_text())["dependencies"]
    found = yaml.safe_load(run(programs / "ansible-builder", "introspect", collections))["python"]
    assert found
    base = [dependencies[name]["package_pip"] for name in ("ansible_core", "ansible_runner")]
    return [*base, *(requirement.partition("#")[0].strip() for requirement in found)]


def job(playbook: str, packages: list[str], collections: Path, directory: Path, simulator: Running) -> dict[str, int]:
    """The changed tasks by host of a job that succeeded."""
    interpreter = environment_with(packages, PYTHON, "execution")
    if not directory.exists():
        (directory / "inventory").mkdir(parents=True)
        (directory / "inventory/hosts").write_text(f"{BACKENDS}[all:vars]\ndrift_report_dir={directory}/report\n")
        (directory / "project").symlink_to(PROJECT)
    environment = {
        "PATH": f"{interpreter.parent}:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(directory),
        "PYTHONPATH": "",
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        **simulator.environment,
    }
    run(interpreter.with_name("ansible-runner"), "run", directory, "-p", playbook, "-i", playbook, **environment)
    files = (directory / "artifacts" / playbook / "job_events").glob("*-*.json")
    events = [json.loads(path.read_text()) for path in files]
    (stats,) = (event["event_data"] for event in events if event["event"] == "playbook_on_stats")
    changed: dict[str, int] = stats["changed"]
    return changed


def test_converge_and_drift_need_no_more_than_what_the_execution_environment_has(
    packages: list[str], collections: Path, tmp_path: Path, simulator: Running
) -> None:
    simulator.reset()
    directory = tmp_path / "job"
    assert job("converge.yml", packages, collections, directory, simulator) == {"localhost": 1}
    job("mailops.ovh_iplb.drift", packages, collections, directory, simulator)
    report = json.loads((directory / "report/drift.json").read_text())
    assert report["service_name"] == simulator.service
    assert report["drift_found"], "the role declares other zones than the job before"
