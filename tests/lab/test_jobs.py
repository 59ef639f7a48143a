# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks as jobs of ansible-runner, which is what AWX runs them with: real hosts, credentials by environment."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .driver import LAB, PROJECT, Lab, await_result

# Runs in the controller's place: ident, playbook, directory.
JOB = """
import json, os, sys, ansible_runner
ident, playbook, directory = sys.argv[1:]
ended = ansible_runner.run(
    ident=ident, private_data_dir=directory, playbook=playbook, envvars=dict(os.environ), suppress_env_files=True,
    extravars={"drift_report_dir": f"{directory}/report"}, quiet=True, verbosity=3,
)
print(json.dumps(ended.status))
"""


@dataclass(frozen=True)
class Job:
    status: str
    artifacts: Path

    @property
    def files(self) -> dict[str, str]:
        """What ansible-runner left, without the note of the job's environment that it makes for its user alone."""
        found = (path for path in self.artifacts.rglob("*") if path.is_file() and path != self.artifacts / "command")
        return {str(path.relative_to(self.artifacts)): path.read_text() for path in found}

    @property
    def handed_on(self) -> dict[str, Any]:
        """What set_stats gave to the next job."""
        events = [json.loads(text) for name, text in self.files.items() if name.startswith("job_events/")]
        (stats,) = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
        handed: dict[str, Any] = stats["artifact_data"]
        return handed


def run(lab: Lab, ident: str, playbook: str, directory: Path) -> Job:
    environment = [f"{name}={value}" for name, value in lab.environment().items()]
    path = f"PATH={Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    job: list[str | Path] = [sys.executable, "-c", JOB, ident, playbook, directory]
    done = lab.run("controller", "env", "-i", path, f"HOME={directory}", "LC_ALL=C.UTF-8", *environment, *job)
    return Job(json.loads(done.stdout.splitlines()[-1]), directory / "artifacts" / ident)


def test_drift_and_converge_are_jobs_that_show_no_secret(converged: Lab, tmp_path: Path) -> None:
    (tmp_path / "inventory").mkdir()
    inventory = subprocess.run([LAB, "inventory"], check=True, capture_output=True, text=True, env=converged.variables)
    (tmp_path / "inventory/hosts.yml").write_text(inventory.stdout)
    (tmp_path / "project").symlink_to(PROJECT)
    farm = converged.api("GET", "{service}/tcp/farm")[0]
    converged.api("PUT", f"{{service}}/tcp/farm/{farm}", {"balance": "leastconn"})
    task = converged.api("POST", "{service}/refresh")["id"]
    await_result(lambda: converged.api("GET", f"{{service}}/task/{task}")["status"] == "done")

    drifted = run(converged, "drifted", "playbooks/drift.yml", tmp_path)
    corrected = run(converged, "corrected", "playbooks/smtp.yml", tmp_path)
    clean = run(converged, "clean", "playbooks/drift.yml", tmp_path)

    assert [job.status for job in (drifted, corrected, clean)] == ["successful"] * 3, corrected.files["stdout"]
    assert [job.handed_on["drift_found"] for job in (drifted, clean)] == [True, False]
    assert converged.api("GET", f"{{service}}/tcp/farm/{farm}")["balance"] == "roundrobin"
    secrets = [converged.status["api"][name] for name in ("application_key", "application_secret", "consumer_key")]
    for job in (drifted, corrected, clean):
        assert "ansible-playbook [core" in job.files["stdout"], "not as verbose as it was asked to be"
        assert [name for name, text in job.files.items() for secret in secrets if secret in text] == []
