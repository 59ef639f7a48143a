# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWX declared by the playbook: what is there afterwards, and that a second run changes nothing."""

from __future__ import annotations

import json

import pytest
import yaml

from awx.conftest import KEY, NAME, PROJECT, VARIABLES, Awx, changed, private_key

SECRETS = ("theApplicationSecret", "theConsumerKey", "theApplicationKey", KEY.splitlines()[1], "chat.example.com/hook")
# Every run syncs the project, which changes nothing that is declared.
SYNC = "POST projects update"


def stored_inputs(awx: Awx) -> dict[str, str]:
    """What AWX has of the API's credential, and never shows."""
    identifier = awx.objects("credentials")[f"{NAME}: API"]["id"]
    inputs: dict[str, str] = awx.controller.objects["credentials"][identifier]["inputs"]
    return inputs


@pytest.fixture(scope="module")
def first(awx: Awx) -> str:
    """The output of the first run."""
    done = awx.play(VARIABLES, "-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def declared(awx: Awx, first: str) -> Awx:
    return awx


def test_the_first_run_declares_everything(awx: Awx, first: str) -> None:
    assert changed(first) > 0
    templates = awx.objects("job_templates")
    jobs = ("converge", "drift", "rollout", "maintenance", "teardown", "notify")
    assert set(templates) == {f"{NAME}: {job}" for job in jobs}
    for job in jobs:
        template = templates[f"{NAME}: {job}"]
        assert (PROJECT / template["playbook"]).is_file()
        assert template["survey_enabled"] is (job != "notify")
    assert awx.objects("inventory_sources")["Observed"]["source_path"] == "inventory/smtp.iplb.yml"
    for source in awx.objects("inventory_sources").values():
        assert (PROJECT / source["source_path"]).is_file()
    assert awx.objects("execution_environments")[NAME]["image"] == VARIABLES["iplb_awx_image"]


def test_a_second_run_changes_nothing(declared: Awx) -> None:
    declared.controller.writes.clear()
    done = declared.play(VARIABLES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert changed(done.stdout) == 0
    assert declared.controller.writes == [SYNC]


def test_one_change_is_one_change_and_a_secret_is_none(declared: Awx) -> None:
    declared.controller.writes.clear()
    inputs = {**VARIABLES["iplb_awx_ovh_inputs"], "consumer_key": "theNewConsumerKey"}
    done = declared.play({**VARIABLES, "iplb_awx_image": "example.com/iplb:2", "iplb_awx_ovh_inputs": inputs})
    assert changed(done.stdout) == 1
    assert declared.controller.writes == ["PATCH execution_environments", SYNC]
    assert stored_inputs(declared)["consumer_key"] == "theConsumerKey"


def test_the_example_file_is_enough_and_secrets_are_replaced_on_demand(declared: Awx) -> None:
    key = declared.directory / "id_awx"
    key.write_text(private_key("theNewPrivateKey"))
    declared.environment.update(
        OVH_APPLICATION_KEY="theApplicationKey",
        OVH_APPLICATION_SECRET="theApplicationSecret",
        OVH_CONSUMER_KEY="theNewConsumerKey",
        IPLB_NOTIFY_URL="https://chat.example.com/hook",
    )
    example = yaml.safe_load((PROJECT / "awx.yml").read_text())
    example["iplb_awx_machine_inputs"]["ssh_key_data"] = f"{{{{ lookup('ansible.builtin.file', '{key}') }}}}"
    done = declared.play({**example, "iplb_awx_update_secrets": True})
    assert done.returncode == 0, done.stdout + done.stderr
    assert stored_inputs(declared)["consumer_key"] == "theNewConsumerKey"


def test_no_secret_is_shown(declared: Awx, first: str) -> None:
    shown = json.dumps(declared.objects("credentials"))
    for secret in SECRETS:
        assert secret not in first
        assert secret not in shown
    inputs = declared.objects("credentials")[f"{NAME}: API"]["inputs"]
    assert inputs["endpoint"] == "ovh-eu"
    assert inputs["application_secret"] == inputs["consumer_key"] == inputs["application_key"] == "$encrypted$"
    assert "access_token" not in inputs


def test_a_drift_is_told_and_approved_before_it_is_corrected(declared: Awx) -> None:
    nodes = "workflow_job_template_nodes"
    assert declared.linked(nodes, "drift", "failure_nodes") == ["notify"]
    assert declared.linked(nodes, "drift", "success_nodes") == []
    assert declared.linked(nodes, "notify", "success_nodes") == ["approval"]
    assert declared.linked(nodes, "approval", "success_nodes") == ["converge"]
    approval = declared.objects("workflow_approval_templates")["Correct the drift"]
    assert declared.objects(nodes)["approval"]["unified_job_template"] == approval["id"]
    assert declared.objects(nodes)["drift"]["extra_data"] == {"drift_action": "fail"}
    workflow = declared.objects("workflow_job_templates")[f"{NAME}: correct drift"]
    assert declared.objects("schedules")[workflow["name"]]["unified_job_template"] == workflow["id"]


def test_no_unattended_job_publishes_changes_of_others(declared: Awx) -> None:
    for template in declared.objects("job_templates").values():
        assert json.loads(template["extra_vars"])["smtp_load_balancer_foreign_changes"] == "refuse"
    survey = declared.controller.surveys[declared.objects("job_templates")[f"{NAME}: converge"]["id"]]
    assert survey["spec"][0]["default"] == "refuse"
    node = declared.objects("workflow_job_template_nodes")["converge"]
    assert node["extra_data"] == {"smtp_load_balancer_foreign_changes": "refuse"}


def test_jobs_get_credentials_by_environment(declared: Awx) -> None:
    credential_type = declared.objects("credential_types")["OVHcloud API"]
    environment = credential_type["injectors"]["env"]
    assert environment["OVH_CONSUMER_KEY"] == "{{ consumer_key }}"
    assert set(environment) == {
        "OVH_IPLB_SERVICE",
        *(f"OVH_{item['id'].upper()}" for item in credential_type["inputs"]["fields"] if item["id"] != "service_name"),
    }
    used = declared.linked("job_templates", f"{NAME}: converge", "credentials")
    assert set(used) == {f"{NAME}: API", f"{NAME}: backends"}
    assert declared.linked("job_templates", f"{NAME}: notify", "credentials") == [f"{NAME}: chat"]


def test_what_is_missing_is_named_before_anything_is_written(declared: Awx) -> None:
    declared.controller.writes.clear()
    done = declared.play({})
    assert done.returncode != 0
    for name in VARIABLES:
        assert f"{name} is not set" in done.stdout + done.stderr
    assert declared.controller.writes == []
