# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode, syncs of the project, other organizations, and launches with what the API is given."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from awx.conftest import NAME, PROJECT, VARIABLES, Awx, changed
from awx.test_changes import DEFAULTS


def output(awx: Awx, variables: dict[str, Any], *arguments: str) -> tuple[int, str]:
    """The exit code and the output on one line, of a run that notes what it writes."""
    awx.controller.writes.clear()
    done = awx.play(variables, *arguments)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def checked(awx: Awx) -> str:
    """What check mode says of an AWX with nothing in it."""
    done = awx.play(VARIABLES, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert awx.controller.writes == []
    return done.stdout


@pytest.fixture(scope="module")
def declared(awx: Awx, checked: str) -> Awx:
    done = awx.play(VARIABLES)
    assert done.returncode == 0, done.stdout + done.stderr
    return awx


def test_check_mode_on_a_fresh_awx_says_what_would_be_made(checked: str) -> None:
    assert changed(checked) > 0
    for made in (
        f"credential {NAME}: API",
        f"project {NAME}: project",
        "inventory source Declared",
        *(f"job template {NAME}: {item['name']}" for item in DEFAULTS["iplb_awx_job_templates"]),
        f"workflow {NAME}: correct drift",
        *(f"step of the workflow {node['name']}" for node in DEFAULTS["iplb_awx_workflow_nodes"]),
        f"schedule {NAME}: correct drift",
    ):
        assert f"{made} would be made" in checked


def test_check_mode_changes_nothing_and_starts_no_sync(declared: Awx) -> None:
    declared.controller.writes.clear()
    done = declared.play(VARIABLES, "--check")
    assert changed(done.stdout) == 0, done.stdout
    assert declared.controller.writes == []


def test_check_mode_tells_of_a_step_and_its_way_that_would_be_new(declared: Awx) -> None:
    nodes = [*DEFAULTS["iplb_awx_workflow_nodes"][:3], {"name": "again", "template": "converge"}]
    nodes[2] = {**nodes[2], "success_nodes": ["again"]}
    code, text = output(declared, {**VARIABLES, "iplb_awx_workflow_nodes": nodes}, "--check")
    assert code == 0, text
    assert "ways from the step approval would be changed" in text
    assert declared.controller.writes == []


def test_a_sync_that_never_ends_does_not_hang_the_playbook(declared: Awx) -> None:
    declared.controller.sync_seconds = math.inf
    try:
        code, text = output(declared, {**VARIABLES, "iplb_awx_sync_timeout": 1})
    finally:
        declared.controller.sync_seconds = 0.05
        for update in declared.controller.objects["project_updates"]:
            declared.controller.ends[update] = 0
    assert code != 0
    assert "aborted due to timeout" in text
    assert "iplb_awx_sync_timeout, 1 seconds" in text


def test_a_sync_that_fails_fails_every_run(declared: Awx) -> None:
    declared.controller.sync_status = "failed"
    try:
        for _run in range(2):
            code, text = output(declared, VARIABLES)
            assert code != 0
            assert f"AWX did not sync the project {NAME}: project" in text
    finally:
        declared.controller.sync_status = "successful"


def test_a_second_organization_does_not_break_the_first(declared: Awx) -> None:
    code, text = output(declared, {**VARIABLES, "iplb_awx_organization": "Second"})
    assert code != 0
    assert f"inventory {NAME} belongs to organization Default, not to Second" in text
    assert f"credential {NAME}: API belongs to organization Default" in text
    assert "give iplb_awx_name a value that nothing else in AWX begins with" in text
    assert declared.controller.writes == []


def test_a_second_organization_goes_with_names_of_its_own(declared: Awx) -> None:
    other = {**VARIABLES, "iplb_awx_organization": "Second", "iplb_awx_name": "Second balancer"}
    code, text = output(declared, other)
    assert code == 0, text
    assert output(declared, VARIABLES)[0] == 0
    assert set(declared.controller.writes) == {"POST projects update"}
    assert f"{NAME}: converge" in declared.objects("job_templates")
    assert "Second balancer: converge" in declared.objects("job_templates")


def test_an_execution_environment_of_no_organization_is_not_taken_over(declared: Awx) -> None:
    made = declared.call("POST", "execution_environments", {"name": "Third", "image": "a/b"})
    assert made.status_code == 201
    code, text = output(declared, {**VARIABLES, "iplb_awx_name": "Third"})
    assert code != 0
    assert "execution environment Third belongs to no organization" in text
    assert declared.controller.writes == []


def test_fields_of_a_credential_type_that_awx_will_not_change_are_told_before_anything_is_written(
    declared: Awx,
) -> None:
    types = [{**item, "inputs": {"fields": []}} for item in DEFAULTS["iplb_awx_credential_types"]]
    types[1]["inputs"] = {"fields": [{"id": "url", "label": "Address", "type": "string", "secret": True}]}
    code, text = output(declared, {**VARIABLES, "iplb_awx_credential_types": types[1:]})
    assert code != 0
    assert "credential type Chat webhook has other fields, which AWX does not change" in text
    assert f"{NAME}: chat" in text
    assert declared.controller.writes == []


@pytest.mark.parametrize("job", ["converge", "drift", "rollout", "maintenance", "notify"])
def test_a_caller_of_the_api_has_to_pass_nothing_that_has_a_default(declared: Awx, job: str) -> None:
    template = declared.objects("job_templates")[f"{NAME}: {job}"]["id"]
    launched = declared.call("POST", f"job_templates/{template}/launch", {})
    assert launched.status_code == 201, launched.text
    (given,) = (item for item in DEFAULTS["iplb_awx_job_templates"] if item["name"] == job)
    for question in given.get("survey", ()):
        assert launched.json()["extra_vars"][question["variable"]] == question["default"]


@pytest.mark.parametrize(
    ("job", "answers"),
    [
        ("teardown", {}),
        ("teardown", {"teardown_confirm": ""}),
        ("maintenance", {"maintenance_tasks": ""}),
        ("rollout", {"smtp_load_balancer_drain_timeout": 0}),
        ("rollout", {"smtp_load_balancer_only": ""}),
        ("converge", {"smtp_load_balancer_foreign_changes": ""}),
    ],
)
def test_an_empty_answer_starts_no_job(declared: Awx, job: str, answers: dict[str, Any]) -> None:
    template = declared.objects("job_templates")[f"{NAME}: {job}"]["id"]
    launched = declared.call("POST", f"job_templates/{template}/launch", {"extra_vars": answers})
    assert launched.status_code == 400
    assert "variables_needed_to_start" in launched.json()


def test_a_new_playbook_and_its_job_template_come_in_one_run(declared: Awx, tmp_path: Path) -> None:
    declared.controller.checkout = tmp_path / "checkout"
    shutil.copytree(PROJECT, declared.controller.checkout)
    (declared.controller.checkout / "playbooks/audit.yml").touch()
    declared.controller.revision = "1" * 40
    jobs = [*DEFAULTS["iplb_awx_job_templates"], {"name": "audit", "description": "New."}]
    code, text = output(declared, {**VARIABLES, "iplb_awx_job_templates": jobs})
    assert code == 0, text
    assert declared.objects("job_templates")[f"{NAME}: audit"]["playbook"] == "playbooks/audit.yml"
