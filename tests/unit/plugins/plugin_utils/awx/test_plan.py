# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook for AWX decides before it writes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._awx import connection
from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._awx import plan as awx

Record = dict[str, Any]

URL = {"id": "url", "label": "URL", "secret": True}
DECLARED: Record = {
    "name": "SMTP",
    "organization": "Mail",
    "project_credential": None,
    "notification_templates": [],
    "credential_types": [{"name": "Chat", "inputs": {"fields": [URL], "required": ["url"]}}],
    "credentials": [{"name": "SMTP: chat", "type": "Chat"}, {"name": "Shared", "type": "Machine"}],
    "source_credential": "SMTP: chat",
    "inventory_sources": [{"name": "Declared", "path": "hosts.yml"}],
    "job_credentials": ["SMTP: chat", "Shared"],
    "job_templates": [{"name": "drift"}, {"name": "converge", "survey": [{"variable": "which"}]}],
    "extra_vars": {"always": 1},
    "nodes": [
        {"name": "look", "template": "drift", "failure_nodes": ["mend"]},
        {"name": "mend", "template": "converge", "extra_data": {"which": "a", "always": 1}},
    ],
}
COLLECTIONS = (*awx.KINDS, "notification_templates")
EMPTY: dict[str, list[Record]] = {kind: [] for kind in COLLECTIONS if kind != "ways"}


TYPES = {item["name"]: {"name": item["type"]} for item in DECLARED["credentials"]}


def item(name: str, organization: str | None = "Mail", **values: Any) -> Record:
    summary = {"organization": {"name": organization}} if organization else {}
    summary.update({"credential_type": TYPES[name]} if name in TYPES else {})
    return {"name": name, "summary_fields": {**summary, **values.pop("summary", {})}, **values}


def plan(present: dict[str, list[Record]], check: bool = False, **declared: Any) -> Record:
    return awx.plan({**DECLARED, **declared}, {**EMPTY, **present}, check)


def test_an_empty_awx_takes_everything() -> None:
    done = plan({})
    assert done["refused"] == done["would"] == done["requests"] == []
    assert not any(done["later"].values())
    assert done["steps"] == {"remove": [], "make": ["look", "mend"], "order": ["look", "mend"]}


def test_check_mode_leaves_out_what_refers_to_what_is_missing_and_says_so() -> None:
    present = {
        "organizations": [item("Mail")],
        "credential_types": [item("Machine", managed=True, id=1)],
        "credentials": [item("Shared", credential_type=1)],
        "inventories": [item("SMTP")],
    }
    done = plan(present, check=True)
    assert done["later"]["credentials"] == ["SMTP: chat"]
    assert done["later"]["execution_environments"] == done["later"]["inventories"] == []
    assert done["later"]["workflow_job_templates"] == []
    assert done["later"]["ways"] == ["look", "mend"]
    assert "credential SMTP: chat would be made" in done["would"]
    assert "job template SMTP: drift would be made" in done["would"]


def test_check_mode_in_an_organization_that_is_missing_asks_for_nothing_in_it() -> None:
    later = plan({}, check=True)["later"]
    assert {kind for kind, names in later.items() if not names} == set()


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("credentials", item("SMTP: chat", "Other", credential_type=9)),
        ("credentials", item("Shared", "Other", credential_type=9)),
        ("credentials", item("Shared", None, credential_type=9)),
        ("execution_environments", item("SMTP", "Other")),
        ("execution_environments", item("SMTP", None)),
        ("projects", item("SMTP: project", "Other", credential=None)),
        ("inventories", item("SMTP", "Other")),
        ("job_templates", item("SMTP: drift", "Other")),
        ("job_templates", item("SMTP: another", "Other")),
        ("workflow_job_templates", item("SMTP: correct drift", "Other")),
    ],
)
def test_a_name_in_another_organization_is_told_before_anything_is_written(kind: str, taken: Record) -> None:
    (reason,) = plan({kind: [taken]})["refused"]
    assert taken["name"] in reason
    assert ("organization Other" if "organization" in taken["summary_fields"] else "no organization") in reason
    assert "iplb_awx_name" in reason


@pytest.mark.parametrize("name", ["SMTP2", "SMTP for others", "Another"])
def test_a_name_that_only_begins_alike_is_no_ones_business(name: str) -> None:
    assert plan({"job_templates": [item(name, "Other")], "inventories": [item(name, "Other")]})["refused"] == []


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ({"job_templates": [{"name": "drift"}] * 2, "nodes": []}, "job template drift is declared twice"),
        ({"credentials": DECLARED["credentials"][:1] * 2}, "credential SMTP: chat is declared twice"),
        ({"project_credential": "git"}, "iplb_awx_project_credential: AWX has no credential of the name git"),
        ({"notification_templates": ["mail"]}, "AWX has no notification template of the name mail"),
        ({"nodes": [{"name": "a"}]}, "iplb_awx_workflow_nodes: step a needs"),
    ],
)
def test_what_awx_would_refuse_halfway_is_told_before(declared: Record, reason: str) -> None:
    (found,) = plan({}, **declared)["refused"]
    assert reason in found


def test_a_name_that_two_have_is_no_name() -> None:
    found = plan({"notification_templates": [item("mail"), item("mail", "Other")]}, notification_templates=["mail"])
    assert found["refused"] == [
        "iplb_awx_notification_templates: AWX has several notification templates of the name mail"
    ]


def test_a_credential_type_in_use_keeps_its_fields() -> None:
    there = item("Chat", None, id=5, managed=False, inputs={"fields": [{**URL, "type": "string"}], "required": ["url"]})
    used = {"credential_types": [there], "credentials": [item("SMTP: chat", credential_type=5)]}
    assert plan(used)["refused"] == []
    other = [{"name": "Chat", "inputs": {"fields": [URL, {"id": "more", "label": "More"}], "required": ["url"]}}]
    (reason,) = plan(used, credential_types=other)["refused"]
    assert "credential type Chat has other fields" in reason
    assert "SMTP: chat" in reason
    assert plan({"credential_types": [there]}, credential_types=other)["refused"] == []


def test_a_credential_of_another_type_is_not_doubled() -> None:
    there = item("SMTP: chat", credential_type=1, summary={"credential_type": {"name": "Machine"}})
    (reason,) = plan({"credentials": [there]})["refused"]
    assert "credential SMTP: chat is of type Machine, not Chat" in reason


def test_a_credential_type_of_awx_itself_is_not_ours() -> None:
    there = item("Chat", None, id=5, managed=True, inputs=DECLARED["credential_types"][0]["inputs"])
    assert plan({"credential_types": [there]})["refused"] == [
        "credential type Chat is one of AWX's own: give yours another name"
    ]


def test_only_what_is_ours_is_removed() -> None:
    ours, others = {"project": {"name": "SMTP: project"}}, {"project": {"name": "Their project"}}
    templates = [
        item("SMTP: drift", summary=ours),
        item("SMTP: old", summary=ours),
        item("SMTP: theirs", summary=others),
        item("SMTP2: old", summary=ours),
    ]
    sources = [item("Declared", None, url="/1/"), item("Old", None, url="/2/")]
    done = plan({"job_templates": templates, "inventory_sources": sources})
    assert done["remove"] == {"job_templates": ["SMTP: old"], "inventory_sources": ["Old"]}
    assert [(request["method"], request["path"]) for request in done["requests"]] == [
        ("DELETE", "/2/hosts/"),
        ("DELETE", "/2/groups/"),
    ]


@pytest.mark.parametrize(("has", "wants", "count"), [(7, None, 1), (7, "git", 0), (None, None, 0)])
def test_a_project_loses_its_credential_only_where_none_is_declared(has: Any, wants: Any, count: int) -> None:
    present = {
        "projects": [item("SMTP: project", credential=has, url="/7/")],
        "credentials": [item("git", credential_type=2)],
    }
    done = plan(present, check=True, project_credential=wants)
    assert len(done["requests"]) == count
    assert ("project SMTP: project would lose its credential" in done["would"]) == bool(count)


# The connection


def test_the_lookup_is_told_what_the_modules_are_told() -> None:
    options = {"controller_host": "a", "controller_oauthtoken": {"token": "t"}, "validate_certs": False}
    assert connection.lookup_options(options) == {"host": "a", "oauth_token": "t", "verify_ssl": False}


def test_an_option_that_is_none_is_named_without_its_value() -> None:
    with pytest.raises(ValueError, match="iplb_awx_connection has controller_pass;") as error:
        connection.lookup_options({"controller_pass": "secret"})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "environment", "authorization"),
    [
        ({"controller_oauthtoken": "t"}, {"CONTROLLER_HOST": "a.example"}, "Bearer t"),
        ({}, {"CONTROLLER_HOST": "a.example", "CONTROLLER_OAUTH_TOKEN": "t"}, "Bearer t"),
        (
            {"controller_username": "u", "controller_password": "p", "controller_host": "https://a.example/"},
            {"CONTROLLER_HOST": "b.example"},
            "Basic dTpw",
        ),
    ],
)
def test_a_request_is_signed_as_the_modules_sign_theirs(
    options: Record, environment: dict[str, str], authorization: str
) -> None:
    found = connection.endpoint(options, environment)
    assert found["url"] == "https://a.example"
    assert found["headers"] == {"Authorization": authorization}


@pytest.mark.parametrize(
    ("options", "environment", "is_checked"),
    [
        ({}, {}, True),
        ({}, {"CONTROLLER_VERIFY_SSL": "false"}, False),
        ({"validate_certs": "no"}, {}, False),
        ({"validate_certs": True}, {"CONTROLLER_VERIFY_SSL": "false"}, True),
    ],
)
def test_the_certificate_is_checked_where_the_modules_check_it(
    options: Record, environment: dict[str, str], is_checked: bool
) -> None:
    found = connection.endpoint(options, {"CONTROLLER_HOST": "a", "CONTROLLER_OAUTH_TOKEN": "t", **environment})
    assert found["validate_certs"] is is_checked


@pytest.mark.parametrize("environment", [{}, {"CONTROLLER_HOST": "a"}, {"CONTROLLER_OAUTH_TOKEN": "t"}])
def test_a_connection_that_is_not_there_is_told(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="set CONTROLLER_HOST and CONTROLLER_OAUTH_TOKEN, or iplb_awx_connection"):
        connection.endpoint({}, environment)
