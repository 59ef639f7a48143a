# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-in knows of AWX's resources: one table, after the serializers of AWX 24 (awx/api/serializers.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# What a template may be launched with. Null, where it is not.
LAUNCH = {
    "scm_branch": "str?",
    "job_type": "str?",
    "job_tags": "str?",
    "skip_tags": "str?",
    "limit": "str?",
    "diff_mode": "bool?",
    "verbosity": "int",
    "forks": "int",
    "job_slice_count": "int",
    "timeout": "int",
    "extra_data": "any",
    "inventory": "inventories",
    "execution_environment": "execution_environments",
}
PROMPTS: dict[str, tuple[Any, ...]] = {"job_type": ("run", "check")}
NOTIFIED = ("notification_templates_started", "notification_templates_success", "notification_templates_error")


@dataclass(frozen=True)
class Resource:
    """One collection of the API.

    :param fields: what may be written, and its type: str, int, bool, any, vars (text that holds variables), or the
        collection that an id points into. Null means empty, unless the type ends in a question mark.
    :param fixed: fields that may be given at creation only; later another value is ignored.
    :param unique: fields of which no two objects have the same values.
    :param defaults: values of fields that were not given, and of some that nobody gives; others are empty.
    :param related: collections below an object, and what they hold.
    :param parent: the field whose object takes this one with it when it is deleted; other fields become null.
    """

    type: str
    fields: dict[str, str]
    required: tuple[str, ...] = ("name",)
    fixed: tuple[str, ...] = ()
    unique: tuple[str, ...] = ("name",)
    defaults: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    related: dict[str, str] = field(default_factory=dict)
    parent: str = ""
    survey: bool = False
    unified: bool = False


NAMED = {"name": "str", "description": "str"}

RESOURCES = {
    "organizations": Resource(
        "organization",
        {**NAMED, "max_hosts": "int", "default_environment": "execution_environments"},
        defaults={"max_hosts": 0},
    ),
    "credential_types": Resource(
        "credential_type",
        {**NAMED, "kind": "str", "inputs": "any", "injectors": "any"},
        ("name", "kind"),
        unique=("name", "kind"),
        defaults={"inputs": {}, "injectors": {}, "managed": False},
    ),
    "credentials": Resource(
        "credential",
        {
            **NAMED,
            "organization": "organizations",
            "credential_type": "credential_types",
            "inputs": "any",
        },
        ("name", "credential_type"),
        unique=("name", "credential_type", "organization"),
        defaults={"inputs": {}, "managed": False},
    ),
    "execution_environments": Resource(
        "execution_environment",
        {**NAMED, "organization": "organizations", "image": "str", "pull": "str", "credential": "credentials"},
        ("name", "image"),
        defaults={"managed": False},
        choices={"pull": ("", "always", "missing", "never")},
    ),
    "projects": Resource(
        "project",
        {
            **NAMED,
            "organization": "organizations",
            "scm_type": "str",
            "scm_url": "str",
            "scm_branch": "str",
            "scm_clean": "bool",
            "scm_update_on_launch": "bool",
            "scm_update_cache_timeout": "int",
            "allow_override": "bool",
            "timeout": "int",
            "credential": "credentials",
            "default_environment": "execution_environments",
        },
        ("name",),
        unique=("name", "organization"),
        choices={"scm_type": ("", "git", "svn", "insights", "archive")},
        related=dict.fromkeys(NOTIFIED, "notification_templates"),
        unified=True,
    ),
    "inventories": Resource(
        "inventory",
        {
            **NAMED,
            "organization": "organizations",
            "kind": "str",
            "host_filter": "str?",
            "variables": "vars",
            "prevent_instance_group_fallback": "bool",
        },
        ("name", "organization"),
        unique=("name", "organization"),
        choices={"kind": ("", "smart", "constructed")},
    ),
    "inventory_sources": Resource(
        "inventory_source",
        {
            **NAMED,
            "inventory": "inventories",
            "source": "str",
            "source_path": "str",
            "source_vars": "vars",
            "source_project": "projects",
            "scm_branch": "str",
            "credential": "credentials",
            "execution_environment": "execution_environments",
            "overwrite": "bool",
            "overwrite_vars": "bool",
            "update_on_launch": "bool",
            "update_cache_timeout": "int",
            "timeout": "int",
            "verbosity": "int",
            "limit": "str",
        },
        ("name", "inventory"),
        fixed=("inventory",),
        parent="inventory",
        unique=("name", "inventory"),
        choices={"source": ("scm", "ec2", "gce", "azure_rm", "vmware", "satellite6", "openstack", "controller")},
        related=dict.fromkeys(NOTIFIED, "notification_templates"),
        unified=True,
    ),
    "job_templates": Resource(
        "job_template",
        {
            **NAMED,
            "job_type": "str",
            "inventory": "inventories",
            "project": "projects",
            "playbook": "str",
            "execution_environment": "execution_environments",
            "forks": "int",
            "limit": "str",
            "verbosity": "int",
            "extra_vars": "vars",
            "timeout": "int",
            "become_enabled": "bool",
            "scm_branch": "str",
            "diff_mode": "bool",
            "allow_simultaneous": "bool",
            "survey_enabled": "bool",
            "ask_variables_on_launch": "bool",
            "ask_limit_on_launch": "bool",
            "ask_job_type_on_launch": "bool",
            "ask_diff_mode_on_launch": "bool",
            "ask_verbosity_on_launch": "bool",
            "ask_inventory_on_launch": "bool",
            "ask_credential_on_launch": "bool",
        },
        ("name",),
        unique=("name", "organization"),
        defaults={"job_type": "run"},
        choices={"job_type": ("run", "check")},
        related={"credentials": "credentials", **dict.fromkeys(NOTIFIED, "notification_templates")},
        survey=True,
        unified=True,
    ),
    "workflow_job_templates": Resource(
        "workflow_job_template",
        {
            **NAMED,
            "organization": "organizations",
            "inventory": "inventories",
            "limit": "str?",
            "scm_branch": "str?",
            "extra_vars": "vars",
            "survey_enabled": "bool",
            "allow_simultaneous": "bool",
            "ask_variables_on_launch": "bool",
            "ask_limit_on_launch": "bool",
            "ask_inventory_on_launch": "bool",
        },
        unique=("name", "organization"),
        related=dict.fromkeys((*NOTIFIED, "notification_templates_approvals"), "notification_templates"),
        survey=True,
        unified=True,
    ),
    "workflow_job_template_nodes": Resource(
        "workflow_job_template_node",
        {
            **LAUNCH,
            "workflow_job_template": "workflow_job_templates",
            "unified_job_template": "unified_job_templates",
            "identifier": "str",
            "all_parents_must_converge": "bool",
        },
        ("workflow_job_template",),
        fixed=("workflow_job_template",),
        parent="workflow_job_template",
        unique=("workflow_job_template", "identifier"),
        defaults={"extra_data": {}},
        choices=PROMPTS,
        related=dict.fromkeys(("success_nodes", "failure_nodes", "always_nodes"), "workflow_job_template_nodes"),
    ),
    "workflow_approval_templates": Resource(
        "workflow_approval_template", {**NAMED, "timeout": "int"}, unique=(), defaults={"timeout": 0}
    ),
    "schedules": Resource(
        "schedule",
        {**NAMED, **LAUNCH, "unified_job_template": "unified_job_templates", "rrule": "str", "enabled": "bool"},
        ("name", "unified_job_template", "rrule"),
        parent="unified_job_template",
        unique=("name", "unified_job_template"),
        defaults={"enabled": True, "extra_data": {}},
        choices=PROMPTS,
    ),
    "notification_templates": Resource(
        "notification_template",
        {
            **NAMED,
            "organization": "organizations",
            "notification_type": "str",
            "notification_configuration": "any",
            "messages": "any",
        },
        ("name", "organization", "notification_type"),
        unique=("name", "organization"),
    ),
    "project_updates": Resource(
        "project_update",
        {"name": "str", "project": "projects", "status": "str", "job_explanation": "str", "scm_revision": "str"},
        unique=(),
        parent="project",
    ),
}
