# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The query with which the automation platform counts, on the events of a real job."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

from runner.conftest import ROOT, Jobs

QUERIES: dict[str, Any] = yaml.safe_load((ROOT / "extensions/audit/event_query.yml").read_text())
GROUP = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["all"]
PROGRAM = """
import jq, json, sys
query, result = json.load(sys.stdin)
print(json.dumps(jq.compile(query).input(result).all()))
"""


def count(programs: Path, module: str, result: dict[str, Any]) -> list[dict[str, Any]]:
    query = QUERIES[module]["query"]
    command = [str(programs / "python"), "-c", PROGRAM]
    done = subprocess.run(command, input=json.dumps([query, result]), capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_job_counts_the_load_balancer_it_manages(programs: Path, jobs: Jobs) -> None:
    job = jobs.run("converge.yml")
    (event,) = (event["event_data"] for event in job.events if event["event"] == "runner_on_ok")
    (counted,) = count(programs, event["task_action"], event["res"])
    assert counted["name"] == jobs.simulator.service
    assert counted["canonical_facts"] == {"service_name": jobs.simulator.service}
    assert counted["facts"]["zones"] == ["gra", "rbx"]


def test_every_module_that_manages_counts_and_none_that_reads() -> None:
    # refresh publishes what others manage.
    managing = set(GROUP) - {"load_balancer_info", "refresh"}
    assert set(QUERIES) == {f"mailops.ovh_iplb.{name}" for name in managing}


def test_a_task_that_failed_counts_nothing(programs: Path) -> None:
    assert count(programs, "mailops.ovh_iplb.farm", {"changed": False, "msg": "wrong credentials"}) == []
