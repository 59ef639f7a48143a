# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the playbook mailops.ovh_iplb.awx decides, from what is declared and what AWX has. Private to this collection.

Both are dictionaries of lists with AWX's names of collections as keys; objects are called by their names.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailops.ovh_iplb.plugins.plugin_utils._awx import workflow

Values = t.Mapping[str, t.Any]
Present = t.Mapping[str, t.Sequence[Values]]
# A collection of AWX and the name of an object in it.
Object = tuple[str, str]

KINDS = {
    "organizations": "organization",
    "credential_types": "credential type",
    "credentials": "credential",
    "execution_environments": "execution environment",
    "projects": "project",
    "inventories": "inventory",
    "inventory_sources": "inventory source",
    "job_templates": "job template",
    "workflow_job_templates": "workflow",
    "workflow_job_template_nodes": "step of the workflow",
    "ways": "ways from the step",
    "schedules": "schedule",
}
# What AWX has one name space for, or what the modules of awx.awx look up by its name alone.
SHARED = ("credentials", "execution_environments", "projects", "inventories", "job_templates", "workflow_job_templates")


class Names:
    """The names of what is declared."""

    def __init__(self, declared: Values) -> None:
        self.base: str = declared["name"]
        self.project = self.of("project")
        self.workflow = self.of("correct drift")

    def of(self, name: str) -> str:
        return f"{self.base}: {name}"

    def include(self, name: str) -> bool:
        return name == self.base or name.startswith(self.of(""))


def plan(declared: Values, present: Present, is_check: bool = False) -> dict[str, t.Any]:
    """What to do.

    :return: ``refused``, why nothing may be done; ``later``, what check mode can not ask the modules of awx.awx about,
        because it refers to what is not there yet, and ``would``, what is said about it instead; ``steps`` of the
        workflow; ``remove``, what is declared no longer; and ``requests`` that no module makes.
    """
    refused = list(refusals(declared, present))
    requests = [] if refused else list(requests_for(declared, present))
    later = {kind: unready(items, present) if is_check else [] for kind, items in needs(declared).items()}
    would = [*announcements(later, present), *(request["would"] for request in requests)]
    return {
        "refused": refused,
        "later": later,
        "would": would if is_check else [],
        "steps": workflow.change(declared["nodes"], present["workflow_job_template_nodes"]),
        "remove": {
            "job_templates": [item["name"] for item in stale_templates(declared, present)],
            "inventory_sources": [item["name"] for item in stale_sources(declared, present)],
        },
        "requests": requests,
    }


def key_of(item: Values) -> str:
    """A step of a workflow has no name."""
    name: str = item["identifier"] if "identifier" in item else item["name"]
    return name


def named(present: Present, kind: str, name: str) -> list[Values]:
    # The ways between the steps are a part of them.
    collection = "workflow_job_template_nodes" if kind == "ways" else kind
    return [item for item in present[collection] if key_of(item) == name]


def summary(item: Values, field: str) -> str | None:
    """The name of what a field points at."""
    name: str | None = (item["summary_fields"].get(field) or {}).get("name")
    return name


# What is refused


def refusals(declared: Values, present: Present) -> t.Iterator[str]:
    """Why nothing may be written: what AWX would refuse halfway, and what would break others."""
    for kind in ("credential_types", "credentials", "inventory_sources", "job_templates"):
        names = [item["name"] for item in declared[kind]]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{KINDS[kind]} {name} is declared twice in iplb_awx_{kind}"
    for mistake in workflow.mistakes(declared["nodes"], launch_variables(declared)):
        yield f"iplb_awx_workflow_nodes: {mistake}"
    yield from taken(declared, present)
    for item in declared["credential_types"]:
        yield from unchangeable(item, present)
    for item in declared["credentials"]:
        yield from ambiguous(item, present)
    if declared["project_credential"]:
        yield from unknown("iplb_awx_project_credential", "credentials", declared["project_credential"], present)
    for name in declared["notification_templates"]:
        yield from unknown("iplb_awx_notification_templates", "notification_templates", name, present)


def launch_variables(declared: Values) -> dict[str, set[str]]:
    """What each template may be launched with: what its survey asks for, and the variables that it has anyway."""
    return {
        item["name"]: {*declared["extra_vars"], *(question["variable"] for question in item.get("survey") or ())}
        for item in declared["job_templates"]
    }


def taken(declared: Values, present: Present) -> t.Iterator[str]:
    """Names of ours that are in use outside of our organization."""
    names = Names(declared)
    credentials = {item["name"] for item in declared["credentials"]}
    for kind in SHARED:
        for item in present[kind]:
            is_ours = names.include(item["name"]) or (kind == "credentials" and item["name"] in credentials)
            owner = summary(item, "organization")
            if is_ours and owner != declared["organization"]:
                where = f"organization {owner}" if owner else "no organization"
                yield (
                    f"{KINDS[kind]} {item['name']} belongs to {where}, not to {declared['organization']}: "
                    "give iplb_awx_name a value that nothing else in AWX begins with"
                )


def unchangeable(item: Values, present: Present) -> t.Iterator[str]:
    """AWX does not change the fields of a credential type while a credential uses it, nor a type of its own."""
    for there in named(present, "credential_types", item["name"]):
        if there.get("managed"):
            yield f"credential type {item['name']} is one of AWX's own: give yours another name"
        users = sorted(user["name"] for user in present["credentials"] if user["credential_type"] == there["id"])
        if users and fields_of(there) != fields_of(item):
            yield (
                f"credential type {item['name']} has other fields, which AWX does not change while credentials use it "
                f"({', '.join(users)}): delete these in AWX first, or give the type another name"
            )


def ambiguous(item: Values, present: Present) -> t.Iterator[str]:
    """AWX takes two credentials of one name and two types; the modules then know neither by its name."""
    for there in named(present, "credentials", item["name"]):
        kind = summary(there, "credential_type")
        if kind != item["type"]:
            yield f"credential {item['name']} is of type {kind}, not {item['type']}: delete it, or name yours otherwise"


def fields_of(credential_type: Values) -> tuple[list[Values], list[str]]:
    inputs = credential_type["inputs"]
    return [{"type": "string", **item} for item in inputs.get("fields", ())], list(inputs.get("required", ()))


def unknown(variable: str, kind: str, name: str, present: Present) -> t.Iterator[str]:
    count = len(named(present, kind, name))
    if count != 1:
        what = kind.rstrip("s").replace("_", " ")
        yield f"{variable}: AWX has {'several' if count else 'no'} {what}{'s' if count else ''} of the name {name}"


# What check mode can not ask about


def needs(declared: Values) -> dict[str, dict[str, list[Object]]]:
    """What has to be in AWX before a module of awx.awx can look at an object, even in check mode."""
    names = Names(declared)
    home: Object = ("organizations", declared["organization"])
    environment: Object = ("execution_environments", names.base)
    project: Object = ("projects", names.project)
    inventory: Object = ("inventories", names.base)
    job = [home, environment, project, inventory]
    return {
        "credentials": {item["name"]: [home, ("credential_types", item["type"])] for item in declared["credentials"]},
        "execution_environments": {names.base: [home]},
        "projects": {names.project: [home, environment]},
        "inventories": {names.base: [home]},
        "inventory_sources": {
            item["name"]: [*job, ("credentials", declared["source_credential"])]
            for item in declared["inventory_sources"]
        },
        "job_templates": {
            names.of(item["name"]): [*job, *template_needs(item, declared)] for item in declared["job_templates"]
        },
        "workflow_job_templates": {names.workflow: [home, inventory]},
        "workflow_job_template_nodes": {node["name"]: node_needs(node, names) for node in declared["nodes"]},
        "ways": {node["name"]: way_needs(node, names) for node in declared["nodes"]},
        "schedules": {names.workflow: [home, ("workflow_job_templates", names.workflow)]},
    }


def template_needs(item: Values, declared: Values) -> list[Object]:
    return [("credentials", name) for name in item.get("credentials", declared["job_credentials"])]


def node_needs(node: Values, names: Names) -> list[Object]:
    templates = [("job_templates", names.of(node["template"]))] if "template" in node else []
    return [("workflow_job_templates", names.workflow), *templates]


def way_needs(node: Values, names: Names) -> list[Object]:
    children = [child for relation in workflow.RELATIONS for child in node.get(relation) or ()]
    steps = [("workflow_job_template_nodes", child) for child in children]
    return [("workflow_job_templates", names.workflow), *steps]


def unready(items: t.Mapping[str, t.Sequence[Object]], present: Present) -> list[str]:
    """The objects that need what AWX has not yet."""
    return [name for name, needed in items.items() if not all(named(present, kind, other) for kind, other in needed)]


def announcements(later: t.Mapping[str, t.Sequence[str]], present: Present) -> t.Iterator[str]:
    for kind, names in later.items():
        for name in names:
            yield f"{KINDS[kind]} {name} would be {'changed' if named(present, kind, name) else 'made'}"


# What is declared no longer


def stale_templates(declared: Values, present: Present) -> list[Values]:
    """Ours are the job templates of our project whose names begin as ours do."""
    names = Names(declared)
    wanted = {names.of(item["name"]) for item in declared["job_templates"]}
    return [
        item
        for item in present["job_templates"]
        if names.include(item["name"]) and summary(item, "project") == names.project and item["name"] not in wanted
    ]


def stale_sources(declared: Values, present: Present) -> list[Values]:
    """Every source of our inventory is ours."""
    wanted = {item["name"] for item in declared["inventory_sources"]}
    return [item for item in present["inventory_sources"] if item["name"] not in wanted]


def requests_for(declared: Values, present: Present) -> t.Iterator[dict[str, t.Any]]:
    """Requests that no module of awx.awx makes: they can not empty a field, and leave a source's hosts behind."""
    names = Names(declared)
    for project in named(present, "projects", names.project):
        if project["credential"] and not declared["project_credential"]:
            body = {"credential": None}
            would = f"project {names.project} would lose its credential"
            yield {"method": "PATCH", "path": project["url"], "body": body, "would": would}
    for source in stale_sources(declared, present):
        for kind in ("hosts", "groups"):
            would = f"{kind} of the inventory source {source['name']} would be removed"
            yield {"method": "DELETE", "path": f"{source['url']}{kind}/", "body": {}, "would": would}
