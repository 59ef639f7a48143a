# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What happens in AWX to what is declared no longer, and what the workflow may start meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from awx.conftest import NAME, ROOT, VARIABLES, Awx, changed, fresh
from awx.controller import EDGES, Controller

DEFAULTS = yaml.load((ROOT / "playbooks/vars/awx.yml").read_text().replace("!unsafe", ""), yaml.SafeLoader)
NODES = "workflow_job_template_nodes"
GIT = "repository of the project"


class Moments(list[str]):
    """Requests that write, and before each of them what a workflow that is launched now would start by itself."""

    def __init__(self, controller: Controller) -> None:
        super().__init__()
        self.controller = controller
        self.started: list[set[str]] = []

    def append(self, request: str) -> None:
        self.started.append(unapproved(self.controller))
        super().append(request)


def unapproved(controller: Controller) -> set[str]:
    """The steps that may run without an approval (awx/main/scheduler/dag_workflow.py).

    One that starts nothing counts as failed.
    """
    nodes = controller.objects[NODES]
    children = {child for node in nodes.values() for edge in EDGES for child in controller.linked(node, edge)}
    left = [node for key, node in nodes.items() if key not in children]
    found = set()
    for node in left:
        template = controller.find("unified_job_templates", node["unified_job_template"])
        edges = EDGES if template else ("failure_nodes", "always_nodes")
        if template and template["type"] == "workflow_approval_template":
            continue
        if template:
            found.add(node["identifier"])
        left += [nodes[child] for edge in edges for child in controller.linked(node, edge)]
    return found


def templates_of(awx: Awx) -> dict[str, Any]:
    """What each step starts, with the name of an approval or a job template."""
    templates = {item["id"]: item["name"] for item in awx.controller.unified()}
    return {name: templates.get(node["unified_job_template"]) for name, node in awx.objects(NODES).items()}


def without_survey(name: str) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = deepcopy(DEFAULTS["iplb_awx_job_templates"])
    return [{key: job[key] for key in job if key != "survey" or job["name"] != name} for job in jobs]


@pytest.fixture(scope="module")
def before(collections: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awx]:
    """AWX as a user declared it, and with something of the user's own."""
    with fresh(collections, tmp_path_factory.mktemp("awx")) as made:
        types = {item["name"]: key for key, item in made.controller.objects["credential_types"].items()}
        git = {"name": GIT, "organization": 3, "credential_type": types["Source Control"], "inputs": {}}
        assert made.call("POST", "credentials", git).status_code == 201
        done = made.play({**VARIABLES, "iplb_awx_project_credential": GIT})
        assert done.returncode == 0, done.stdout + done.stderr
        ours = made.objects("job_templates")[f"{NAME}: drift"]
        mine = {key: ours[key] for key in ("inventory", "project", "playbook")}
        for name in ("Mine", f"{NAME} and more"):
            assert made.call("POST", "job_templates", {**mine, "name": name}).status_code == 201
        yield made


@pytest.fixture(scope="module")
def change() -> dict[str, Any]:
    """What the user takes out of the variables, and a step that has another name."""
    nodes = deepcopy(DEFAULTS["iplb_awx_workflow_nodes"])
    for node in nodes:
        if node["name"] == "notify":
            node["success_nodes"] = ["ask"]
        if node["name"] == "approval":
            node["name"] = "ask"
        if node["name"] == "converge":
            del node["extra_data"]
    jobs = [job for job in without_survey("maintenance") if job["name"] != "rollout"]
    return {
        **VARIABLES,
        "iplb_awx_project_credential": None,
        "iplb_awx_workflow_nodes": nodes,
        "iplb_awx_job_templates": jobs,
        "iplb_awx_inventory_sources": DEFAULTS["iplb_awx_inventory_sources"][:1],
    }


@pytest.fixture(scope="module")
def moments(before: Awx, change: dict[str, Any]) -> Moments:
    """All that the change writes."""
    before.controller.writes = moments = Moments(before.controller)
    done = before.play(change)
    assert done.returncode == 0, done.stdout + done.stderr
    return moments


@pytest.fixture
def after(before: Awx, moments: Moments) -> Awx:
    return before


def test_no_moment_of_a_change_corrects_without_an_approval(moments: Moments) -> None:
    assert len(moments.started) > 10
    for request, started in zip(moments, moments.started, strict=True):
        assert started <= {"drift", "notify"}, request


def test_a_step_that_is_renamed_leaves_nothing_behind(after: Awx) -> None:
    assert templates_of(after) == {
        "drift": f"{NAME}: drift",
        "notify": f"{NAME}: notify",
        "ask": "Correct the drift",
        "converge": f"{NAME}: converge",
    }
    assert after.linked(NODES, "notify", "success_nodes") == ["ask"]
    assert after.linked(NODES, "ask", "success_nodes") == ["converge"]
    assert unapproved(after.controller) == {"drift", "notify"}
    assert len(after.controller.objects["workflow_approval_templates"]) == 1


def test_a_variable_that_is_taken_out_of_a_step_is_not_set_any_more(after: Awx) -> None:
    assert after.objects(NODES)["converge"]["extra_data"] == {}


def test_a_job_template_that_is_declared_no_longer_can_not_be_launched(after: Awx) -> None:
    assert f"{NAME}: rollout" not in after.objects("job_templates")


def test_job_templates_of_others_stay(after: Awx) -> None:
    assert {"Mine", f"{NAME} and more"} <= set(after.objects("job_templates"))


def test_a_survey_that_is_declared_no_longer_asks_nothing(after: Awx) -> None:
    template = after.objects("job_templates")[f"{NAME}: maintenance"]
    assert template["survey_enabled"] is False
    assert after.controller.surveys[template["id"]] == {}


def test_the_project_loses_a_credential_that_is_declared_no_longer(after: Awx) -> None:
    assert after.objects("projects")[f"{NAME}: project"]["credential"] is None
    assert GIT in after.objects("credentials")


def test_a_source_that_is_declared_no_longer_brings_no_hosts(after: Awx, moments: Moments) -> None:
    assert set(after.objects("inventory_sources")) == {"Declared"}
    removed = [moments.index(f"DELETE inventory_sources{what}") for what in (" hosts", " groups", "")]
    assert removed == sorted(removed)


def test_a_second_run_after_the_change_changes_nothing(after: Awx, change: dict[str, Any]) -> None:
    done = after.play(change)
    assert changed(done.stdout) == 0, done.stdout


def test_a_run_that_ended_halfway_is_taken_up_again(after: Awx, change: dict[str, Any]) -> None:
    converge = after.objects(NODES)["converge"]["id"]
    assert after.call("PATCH", f"{NODES}/{converge}", {"unified_job_template": None}).status_code == 200
    done = after.play(change)
    assert changed(done.stdout) > 0
    assert templates_of(after)["converge"] == f"{NAME}: converge"


@pytest.mark.parametrize(
    ("variables", "reasons"),
    [
        (
            {
                "iplb_awx_workflow_nodes": [{"name": "drift", "template": "drift", "failure_nodes": ["gone"]}],
                "iplb_awx_project_credential": "nothing",
                "iplb_awx_notification_templates": ["mail"],
            },
            (
                "step drift leads to gone, which is not declared",
                "AWX has no credential of the name nothing",
                "AWX has no notification template of the name mail",
            ),
        ),
        ({"iplb_awx_machine_inputs": {"ssh_key_data": "/root/.ssh/id"}}, ("ssh_key_data in iplb_awx_machine_inputs",)),
        ({"iplb_awx_extra_vars": "a=1"}, ("iplb_awx_extra_vars must be a dictionary",)),
        ({"iplb_awx_notification_templates": "mail"}, ("iplb_awx_notification_templates must be a list",)),
        ({"iplb_awx_sync_timeout": "soon"}, ("iplb_awx_sync_timeout is soon",)),
        ({"iplb_awx_connection": {"controller_hots": "a"}}, ("iplb_awx_connection has controller_hots",)),
    ],
)
def test_what_can_not_go_well_is_refused_before_anything_is_written(
    after: Awx, change: dict[str, Any], variables: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    after.controller.writes = []
    done = after.play({**change, **variables})
    assert done.returncode != 0
    shown = " ".join((done.stdout + done.stderr).split())
    for reason in reasons:
        assert reason in shown
    assert after.controller.writes == []
