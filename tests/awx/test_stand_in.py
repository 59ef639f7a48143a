# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in takes and refuses what AWX 24.6.1 does, so that a playbook that works here works there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from awx.app import API, TOKEN, build
from awx.conftest import KEY, PROJECT
from awx.controller import Controller
from tools.serving import serving
from tools.waiting import eventually

Answer = tuple[int, Any]
FIELD = {"id": "key", "label": "Key", "type": "string"}
QUESTION = {"question_name": "Which", "variable": "which", "type": "text", "required": True}
CHOICE = {**QUESTION, "type": "multiplechoice", "choices": "a\nb"}
START = "DTSTART;TZID=Europe/Paris:20260101T050000"


class Api:
    def __init__(self, controller: Controller, url: str) -> None:
        self.controller = controller
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
        self.organization = 3

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        done = self.client.request(method, f"{API}/{path}/".replace("//", "/"), json=body)
        return done.status_code, done.json() if done.content else None

    def make(self, collection: str, **values: Any) -> int:
        status, body = self.call("POST", collection, values)
        assert status == 201, body
        identifier: int = body["id"]
        return identifier

    def project(self) -> int:
        """A project that AWX has synced."""
        made = self.make("projects", name="p", organization=self.organization, scm_type="git", scm_url="https://a.b/c")
        eventually(lambda: self.call("GET", f"projects/{made}")[1]["status"] == "successful")
        return made

    def template(self, **values: Any) -> int:
        inventory = self.make("inventories", name="i", organization=self.organization)
        given = {"name": "t", "project": self.project(), "playbook": "playbooks/drift.yml", "inventory": inventory}
        return self.make("job_templates", **{**given, **values})

    def nodes(self, *names: str) -> list[int]:
        workflow = self.make("workflow_job_templates", name="w", organization=self.organization)
        return [self.make("workflow_job_template_nodes", workflow_job_template=workflow, identifier=n) for n in names]

    def lead(self, parent: int, child: int, relation: str = "success_nodes") -> Answer:
        return self.call("POST", f"workflow_job_template_nodes/{parent}/{relation}", {"id": child})


@pytest.fixture
def api() -> Iterator[Api]:
    controller = Controller(PROJECT)
    with serving(build(controller)) as url:
        yield Api(controller, url)


def credential_type(inputs: Any = None, env: Any = None) -> dict[str, Any]:
    injectors = {"env": env} if env else {}
    return {"name": "c", "kind": "cloud", "inputs": {"fields": [inputs or FIELD]}, "injectors": injectors}


def test_a_sync_is_pending_first_and_may_fail(api: Api) -> None:
    project = api.project()
    api.controller.sync_status, api.controller.sync_seconds = "failed", math.inf
    status, update = api.call("POST", f"projects/{project}/update")
    assert (status, update["status"], update["finished"]) == (202, "pending", None)
    api.controller.ends[update["id"]] = 0
    ended = api.call("GET", f"project_updates/{update['id']}")[1]
    assert (ended["status"], ended["failed"], ended["event_processing_finished"]) == ("failed", True, True)


def test_a_playbook_counts_once_a_sync_has_found_it(api: Api, tmp_path: Path) -> None:
    template = api.template()
    api.controller.checkout = tmp_path
    (tmp_path / "new.yml").touch()
    expected = (400, {"playbook": ["Playbook not found for project."]})
    assert api.call("PATCH", f"job_templates/{template}", {"playbook": "new.yml"}) == expected
    project = api.call("GET", f"job_templates/{template}")[1]["project"]
    update = api.call("POST", f"projects/{project}/update")[1]["id"]
    eventually(lambda: api.call("GET", f"project_updates/{update}")[1]["status"] == "successful")
    assert api.call("PATCH", f"job_templates/{template}", {"playbook": "new.yml"})[0] == 200


@pytest.mark.parametrize("key", ["theKey", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_key_has_to_be_one(api: Api, key: str) -> None:
    values = {"name": "m", "organization": api.organization, "credential_type": 1}
    assert api.call("POST", "credentials", {**values, "inputs": {"ssh_key_data": key}})[0] == 400
    assert api.call("POST", "credentials", {**values, "inputs": {"ssh_key_data": KEY}})[0] == 201


def test_the_organization_of_an_execution_environment_stays(api: Api) -> None:
    made = api.make("execution_environments", name="e", image="a/b")
    status, body = api.call("PATCH", f"execution_environments/{made}", {"organization": api.organization})
    assert (status, list(body)) == (400, ["organization"])
    assert api.call("PATCH", f"execution_environments/{made}", {"organization": None})[0] == 200


def test_the_fields_of_a_credential_type_in_use_stay(api: Api) -> None:
    made = api.make("credential_types", **credential_type())
    api.make("credentials", name="c", organization=api.organization, credential_type=made, inputs={"key": "a"})
    other = {"inputs": {"fields": [FIELD, {"id": "more", "label": "More"}]}}
    status, body = api.call("PATCH", f"credential_types/{made}", other)
    assert (status, list(body)) == (403, ["detail"])
    assert api.call("PATCH", f"credential_types/{made}", {"description": "d"})[0] == 200
    assert api.call("DELETE", f"credential_types/{made}")[0] == 403


def test_a_managed_credential_type_stays(api: Api) -> None:
    assert api.call("PATCH", "credential_types/1", {"description": "d"})[0] == 403
    assert api.call("DELETE", "credential_types/1")[0] == 403


def test_edges_make_no_circle_and_no_child_has_two_of_a_parent(api: Api) -> None:
    a, b, c = api.nodes("a", "b", "c")
    assert api.lead(a, a) == (400, {"Error": "Cycle detected."})
    assert api.lead(a, b)[0] == api.lead(a, b)[0] == api.lead(b, c, "always_nodes")[0] == 204
    assert api.lead(c, a, "failure_nodes") == (400, {"Error": "Cycle detected."})
    assert api.lead(a, b, "failure_nodes") == (400, {"Error": "Relationship not allowed."})
    assert api.call("GET", f"workflow_job_template_nodes/{a}")[1]["success_nodes"] == [b]


@pytest.mark.parametrize(
    ("inputs", "env"),
    [
        (None, {"ANSIBLE_CONFIG": "{{ key }}"}),
        (None, {"OVH-KEY": "{{ key }}"}),
        (None, {"PATH": "{{ key }}"}),
        (None, {"OVH_KEY": "{{ other }}"}),
        ({**FIELD, "id": "tower"}, None),
        ({**FIELD, "id": "a-b"}, None),
        ({**FIELD, "type": "boolean", "secret": True}, None),
        ({**FIELD, "surprise": 1}, None),
        ({"id": "key", "type": "string"}, None),
        ({**FIELD, "default": 5}, None),
    ],
)
def test_a_credential_type_is_refused(api: Api, inputs: Any, env: Any) -> None:
    assert api.call("POST", "credential_types", credential_type(inputs, env))[0] == 400


def test_a_credential_type_needs_no_type_of_a_field_and_a_credential_no_required_input(api: Api) -> None:
    values = credential_type({"id": "key", "label": "Key"}, {"OVH_KEY": "{{ key }}"})
    values["inputs"]["required"] = ["key"]
    made = api.make("credential_types", **values)
    assert api.call("GET", f"credential_types/{made}")[1]["inputs"]["fields"][0]["type"] == "string"
    api.make("credentials", name="c", organization=api.organization, credential_type=made, inputs={})


def test_a_git_project_has_a_url_and_a_credential_of_its_kind(api: Api) -> None:
    values = {"name": "p", "organization": api.organization, "scm_type": "git"}
    assert api.call("POST", "projects", values) == (400, {"scm_url": ["SCM URL is required."]})
    machine = api.make("credentials", name="m", organization=api.organization, credential_type=1, inputs={})
    status, body = api.call("POST", "projects", {**values, "scm_url": "https://a.b/c", "credential": machine})
    assert (status, list(body)) == (400, ["credential"])


def test_variables_are_a_dictionary(api: Api) -> None:
    template = api.template(extra_vars='{"a": 1}')
    for wrong in ("[1, 2]", "- a", "a: [", ["a"]):
        status, body = api.call("PATCH", f"job_templates/{template}", {"extra_vars": wrong})
        assert (status, list(body)) == (400, ["extra_vars"])


@pytest.mark.parametrize(
    "question",
    [
        {**QUESTION, "min": "1"},
        {**QUESTION, "max": 1.5},
        {**QUESTION, "type": "date"},
        {**QUESTION, "required": "yes"},
        {**QUESTION, "default": 5},
        {**CHOICE, "default": "c"},
        {**CHOICE, "default": "a\nb"},
        {key: value for key, value in QUESTION.items() if key != "required"},
    ],
)
def test_a_survey_is_refused(api: Api, question: Any) -> None:
    survey = {"name": "", "description": "", "spec": [question]}
    status, body = api.call("POST", f"job_templates/{api.template()}/survey_spec", survey)
    assert (status, list(body)) == (400, ["error"])


def test_a_survey_may_have_choices_as_a_list_and_keys_that_awx_does_not_know(api: Api) -> None:
    path = f"job_templates/{api.template()}/survey_spec"
    survey = {"name": "", "description": "", "spec": [{**CHOICE, "choices": ["a", "b"], "default": "a", "new": 1}]}
    assert api.call("POST", path, survey)[0] == 200
    assert api.call("GET", path)[1] == survey
    assert api.call("DELETE", path)[0] == 200
    assert api.call("GET", path)[1] == {}


@pytest.mark.parametrize(
    ("question", "answers", "status"),
    [
        (QUESTION, {}, 400),
        ({**QUESTION, "default": "a"}, {}, 400),
        ({**QUESTION, "default": "a", "required": False}, {}, 201),
        (QUESTION, {"which": ""}, 201),
        ({**QUESTION, "min": 1}, {"which": ""}, 400),
        ({**CHOICE, "required": False}, {"which": "c"}, 400),
        ({**QUESTION, "type": "integer", "max": 9}, {"which": 10}, 400),
        ({**QUESTION, "type": "integer"}, {"which": "1"}, 400),
        (QUESTION, {"which": "a", "other": "b"}, 201),
    ],
)
def test_answers_are_judged_at_launch(api: Api, question: Any, answers: Any, status: int) -> None:
    template = api.template(survey_enabled=True, extra_vars="which: mine")
    survey = {"name": "", "description": "", "spec": [question]}
    api.call("POST", f"job_templates/{template}/survey_spec", survey)
    done, body = api.call("POST", f"job_templates/{template}/launch", {"extra_vars": answers})
    assert done == status, body
    if status == 201:
        expected = {"which": "mine", **({"which": question["default"]} if "default" in question else {})}
        answers.pop("other", None)
        assert body["extra_vars"] == {**expected, **answers}


@pytest.mark.parametrize(
    "rrule",
    [
        "DTSTART;TZID=Europe/Nowhere:20260101T050000 RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART;TZID=Europe/Paris:20260101T050000Z RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260101T050000 RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20261301T050000Z RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260230T050000Z RRULE:FREQ=DAILY;INTERVAL=1",
        "RRULE:FREQ=DAILY;INTERVAL=1",
        START,
        f"{START} RRULE:FREQ=DAILY",
        f"{START} RRULE:FREQ=SECONDLY;INTERVAL=1",
        f"{START} RRULE:FREQ=DAILY;INTERVAL=1;COUNT=1000",
        f"{START} RRULE:FREQ=DAILY;INTERVAL=1;COUNT=2;UNTIL=20270101T000000Z",
        f"{START} RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=XX",
        f"{START} RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=20MO",
        f"{START} RRULE:FREQ=DAILY;INTERVAL=1;UNTIL=20270231T000000Z",
        f"{START} RRULE:FREQ=DAILY;INTERVAL=1 EXDATE:20260102T050000Z",
    ],
)
def test_a_schedule_is_refused(api: Api, rrule: str) -> None:
    values = {"name": "s", "unified_job_template": api.template(), "rrule": rrule}
    status, body = api.call("POST", "schedules", values)
    assert (status, list(body)) == (400, ["rrule"])


def test_objects_are_replaced_described_and_deleted(api: Api) -> None:
    made = api.make("organizations", name="o", description="d")
    assert api.call("PUT", f"organizations/{made}", {"description": "e"}) == (
        400,
        {"name": ["This field is required."]},
    )
    assert api.call("PUT", f"organizations/{made}", {"name": "o"})[1]["description"] == ""
    assert "name" in api.call("OPTIONS", "organizations")[1]["actions"]["POST"]
    assert api.call("DELETE", f"organizations/{made}") == (204, None)
    assert api.call("GET", f"organizations/{made}")[0] == 404


def test_what_is_deleted_takes_its_own_along_and_leaves_the_rest(api: Api) -> None:
    template = api.template()
    schedule = api.make(
        "schedules", name="s", unified_job_template=template, rrule=f"{START} RRULE:FREQ=DAILY;INTERVAL=1"
    )
    first, second = api.nodes("first", "second")
    api.lead(first, second)
    api.call("PATCH", f"workflow_job_template_nodes/{first}", {"unified_job_template": template})
    api.call("POST", f"workflow_job_template_nodes/{second}/create_approval_template", {"name": "ok"})
    api.call("DELETE", f"job_templates/{template}")
    assert api.call("GET", f"schedules/{schedule}")[0] == 404
    assert api.call("GET", f"workflow_job_template_nodes/{first}")[1]["unified_job_template"] is None
    api.call("DELETE", f"workflow_job_template_nodes/{second}")
    assert api.call("GET", f"workflow_job_template_nodes/{first}")[1]["success_nodes"] == []
    assert api.controller.objects["workflow_approval_templates"] == {}


def test_prompts_that_are_not_set_are_null(api: Api) -> None:
    (node,) = api.nodes("a")
    shown = api.call("GET", f"workflow_job_template_nodes/{node}")[1]
    for prompt in ("limit", "job_type", "scm_branch", "diff_mode", "verbosity", "inventory", "timeout"):
        assert shown[prompt] is None
    assert shown["extra_data"] == {}


@pytest.mark.parametrize(("collection", "more"), [("organizations", {}), ("execution_environments", {"image": "a/b"})])
def test_a_name_that_is_taken_is_told_of_the_name(api: Api, collection: str, more: dict[str, str]) -> None:
    api.make(collection, name="n", **more)
    status, body = api.call("POST", collection, {"name": "n", **more})
    assert (status, list(body)) == (400, ["name"])


def test_fields_that_awx_does_not_know_are_ignored(api: Api) -> None:
    made = api.make("organizations", name="o", surprise=1)
    assert "surprise" not in api.call("GET", f"organizations/{made}")[1]
    assert api.call("PATCH", f"organizations/{made}", {"surprise": 2})[0] == 200


def test_a_long_list_comes_in_pages(api: Api) -> None:
    for number in range(30):
        api.make("organizations", name=f"o{number}")
    status, body = api.call("GET", "organizations")
    assert (status, body["count"], len(body["results"])) == (200, 31, 25)
    assert len(api.client.get(body["next"]).json()["results"]) == 6
