# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge and drift as jobs of ansible-runner."""

from __future__ import annotations

import json
import stat

from runner.conftest import Jobs
from simulator import credentials
from tools.waiting import eventually

SECRETS = (credentials.APPLICATION_KEY, credentials.APPLICATION_SECRET, credentials.CONSUMER_KEY)


def objects(jobs: Jobs) -> dict[str, int]:
    return {kind: len(found) for kind, found in jobs.simulator.admin("GET", "staged").items()}


def test_converge_and_drift_need_no_more_than_credentials_in_the_environment(jobs: Jobs) -> None:
    before = jobs.run("drift.yml")
    assert (before.status, before.artifact_data()) == ("successful", {"drift_found": True})
    first = jobs.run("converge.yml")
    assert (first.status, first.changed()) == ("successful", 1)
    assert objects(jobs) == {"tcp/farm": 1, "tcp/server": 2, "tcp/frontend": 1}
    assert jobs.simulator.admin("GET", "live")["gra"]
    second = jobs.run("converge.yml")
    assert (second.status, second.changed()) == ("successful", 0)
    after = jobs.run("drift.yml")
    assert (after.status, after.artifact_data()) == ("successful", {"drift_found": False})


def test_the_result_is_in_the_job_events(jobs: Jobs) -> None:
    job = jobs.run("converge.yml")
    (event,) = (event for event in job.events if event["event"] == "runner_on_ok")
    assert event["event_data"]["task_action"] == "mailops.ovh_iplb.load_balancer"
    result = event["event_data"]["res"]
    assert [step["kind"] for step in result["plan"]] == ["farm", "server", "server", "frontend"]
    assert result["tasks"][0]["status"] == "done"


def test_no_secret_is_in_artifacts_events_or_output(jobs: Jobs) -> None:
    job = jobs.run("converge.yml", verbosity=3)
    assert job.status == "successful"
    files = [path for path in job.artifacts.rglob("*") if path.is_file()]
    # ansible-runner itself notes the environment that a job started with, for its user alone.
    noted = job.artifacts / "command"
    assert stat.S_IMODE(noted.stat().st_mode) == 0o600
    assert len(files) > 5
    for secret in SECRETS:
        assert secret not in json.dumps(job.events)
        assert [path.name for path in files if path != noted and secret in path.read_text()] == []


def test_no_secret_is_shown_by_a_job_that_fails(jobs: Jobs) -> None:
    jobs.environment["OVH_APPLICATION_SECRET"] = "notTheRightSecret"
    job = jobs.run("converge.yml", verbosity=3)
    assert job.status == "failed"
    assert "check application_secret and consumer_key" in job.stdout
    for secret in (*SECRETS, "notTheRightSecret"):
        assert secret not in job.stdout + json.dumps(job.events)


def test_a_refresh_goes_on_when_its_job_is_cancelled(jobs: Jobs) -> None:
    jobs.simulator.switch(refresh_seconds=500)
    job = jobs.run_until("converge.yml", lambda: jobs.simulator.admin("GET", "tasks"))
    assert job.status == "canceled"
    eventually(lambda: jobs.simulator.admin("GET", "live").get("gra"), "the refresh did not end")
    assert jobs.run("converge.yml").changed() == 0


def test_a_job_that_is_cancelled_while_it_writes_is_finished_by_the_next(jobs: Jobs) -> None:
    server = {"method": "POST", "path": ".*/tcp/farm/[0-9]+/server", "count": 1, "delay": 3600}
    jobs.simulator.admin("POST", "faults", server)
    job = jobs.run_until("converge.yml", lambda: objects(jobs).get("tcp/farm"))
    assert job.status == "canceled"
    jobs.simulator.admin("DELETE", "faults")
    # What the cancelled job left waiting is not its successor's: an unattended one says so, and a person decides. Its
    # module may outlive it, and end the work by itself.
    refused = jobs.run("converge.yml")
    assert refused.status == "successful" or "foreign_changes" in refused.stdout
    assert jobs.run("converge.yml", extravars={"foreign_changes": "apply"}).status == "successful"
    assert objects(jobs) == {"tcp/farm": 1, "tcp/server": 2, "tcp/frontend": 1}
    assert jobs.run("converge.yml").changed() == 0
