# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a stand-in for AWX 24, and what AWX refuses to do with them."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from awx.resources import LAUNCH, RESOURCES, Resource
from awx.rrules import check_rrule
from awx.rules import (
    ENCRYPTED,
    Record,
    Refused,
    check_credential,
    check_credential_type,
    clean,
    expect,
    forbid,
)
from awx.surveys import check_prompts

EDGES = ("success_nodes", "failure_nodes", "always_nodes")
MANAGED: tuple[tuple[str, str, list[Record]], ...] = (
    (
        "Machine",
        "ssh",
        [
            {"id": "username", "label": "Username", "type": "string"},
            {"id": "password", "label": "Password", "type": "string", "secret": True},
            {
                "id": "ssh_key_data",
                "label": "SSH Private Key",
                "type": "string",
                "secret": True,
                "format": "ssh_private_key",
            },
        ],
    ),
    ("Source Control", "scm", [{"id": "username", "label": "Username", "type": "string"}]),
)


class Controller:
    """All objects, by collection and id; ids are unique across collections, as those of templates are in AWX.

    :param checkout: what AWX finds in every project's repository.
    :ivar sync_status: how a sync of a project ends.
    :ivar sync_seconds: how long it takes; math.inf never ends.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.objects: dict[str, dict[int, Record]] = {name: {} for name in RESOURCES}
        self.links: dict[tuple[int, str], list[int]] = {}
        self.surveys: dict[int, Record] = {}
        self.playbooks: dict[int, set[str]] = {}
        self.ends: dict[int, float] = {}
        self.next_id = 1
        self.writes: list[str] = []
        self.revision = "0" * 40
        self.sync_status = "successful"
        self.sync_seconds = 0.05
        for name, kind, fields in MANAGED:
            self.add("credential_types", {"name": name, "kind": kind, "inputs": {"fields": fields}, "managed": True})
        self.add("organizations", {"name": "Default"})

    def add(self, collection: str, values: Record) -> Record:
        resource = RESOURCES[collection]
        blank = {name: clean(name, kind, None) for name, kind in resource.fields.items()}
        record = {**blank, **resource.defaults, **values, "id": self.next_id, "type": resource.type}
        self.next_id += 1
        self.objects[collection][record["id"]] = record
        return record

    def find(self, collection: str, identifier: Any) -> Record | None:
        """An object by its id; templates of every kind are unified_job_templates."""
        if collection == "unified_job_templates":
            return next((item for item in self.unified() if item["id"] == identifier), None)
        return self.objects.get(collection, {}).get(identifier)

    def unified(self) -> list[Record]:
        kinds = [name for name, resource in RESOURCES.items() if resource.unified]
        return [item for name in (*kinds, "workflow_approval_templates") for item in self.objects[name].values()]

    def collection_of(self, record: Record) -> str:
        return next(name for name, resource in RESOURCES.items() if resource.type == record["type"])

    def linked(self, record: Record, relation: str) -> list[int]:
        return self.links.setdefault((record["id"], relation), [])

    # Writing

    def create(self, collection: str, body: Record) -> Record:
        resource = RESOURCES[collection]
        missing = [name for name in resource.required if body.get(name) in (None, "")]
        if missing:
            raise Refused({name: ["This field is required."] for name in missing})
        values = self.known(resource, body)
        values = self.without_template(collection, values, values.get("unified_job_template"))
        self.check(collection, {**resource.defaults, **values}, None)
        if collection == "credentials":
            expect(values.get("organization"), "detail", "Missing 'user', 'team', or 'organization'.")
        record = self.add(collection, values)
        if collection == "projects" and record["scm_type"]:
            self.sync(record)
        return record

    def update(self, collection: str, record: Record, body: Record) -> Record:
        resource = RESOURCES[collection]
        forbid(record.get("managed"), f"Modifications not allowed for managed {collection.replace('_', ' ')}")
        changes = {name: value for name, value in self.known(resource, body).items() if name not in resource.fixed}
        if collection == "execution_environments" and changes.get("organization"):
            same = changes["organization"] == record["organization"]
            expect(same, "organization", "Cannot change the organization of an execution environment")
        started = changes.get("unified_job_template", record.get("unified_job_template"))
        changes = self.without_template(collection, changes, started)
        self.check(collection, {**record, **changes}, record)
        if collection == "credentials" and "inputs" in changes:
            old = record["inputs"]
            changes["inputs"] = {
                name: old.get(name) if value == ENCRYPTED else value for name, value in changes["inputs"].items()
            }
        moved = any(
            record.get(name) != changes[name] for name in changes if name in ("scm_type", "scm_url", "scm_branch")
        )
        approval = self.objects["workflow_approval_templates"].get(record.get("unified_job_template") or 0)
        record.update(changes)
        if approval and record["unified_job_template"] != approval["id"]:
            self.delete("workflow_approval_templates", approval)
        if collection == "projects" and moved:
            self.sync(record)
        return record

    def without_template(self, collection: str, values: Record, template: Any) -> Record:
        """A node that starts nothing keeps nothing to start it with."""
        if collection != "workflow_job_template_nodes" or template:
            return values
        return {name: value for name, value in values.items() if name not in LAUNCH}

    def replace(self, collection: str, record: Record, body: Record) -> Record:
        """PUT: what is not given is as in a new object."""
        resource = RESOURCES[collection]
        missing = [name for name in resource.required if name not in resource.fixed and body.get(name) in (None, "")]
        if missing:
            raise Refused({name: ["This field is required."] for name in missing})
        blank = {name: clean(name, kind, None) for name, kind in resource.fields.items()}
        return self.update(collection, record, {**blank, **resource.defaults, **body})

    def known(self, resource: Resource, body: Record) -> Record:
        """The fields of a body that AWX knows. It ignores others."""
        values = {}
        for name, kind in resource.fields.items():
            if name not in body:
                continue
            value = values[name] = clean(name, kind, body[name])
            if kind in (*RESOURCES, "unified_job_templates") and value not in (None, ""):
                expect(self.find(kind, value), name, f'Invalid pk "{value}" - object does not exist.')
            chosen = resource.choices.get(name)
            expect(not chosen or value in (None, *chosen), name, f'"{value}" is not a valid choice.')
        return values

    def check(self, collection: str, whole: Record, record: Record | None) -> None:
        """:raises Refused: as AWX would."""
        resource = RESOURCES[collection]
        if collection == "job_templates":
            self.check_job_template(whole)
        self.check_unique(collection, resource, whole, record)
        if collection == "credential_types":
            used = [item["credential_type"] for item in self.objects["credentials"].values()]
            check_credential_type(whole, record, record is not None and record["id"] in used)
        if collection == "credentials":
            check_credential(whole, self.objects["credential_types"][whole["credential_type"]])
        if collection == "projects":
            self.check_project(whole)
        if collection == "inventory_sources" and whole.get("source") == "scm":
            expect(whole.get("source_project"), "source_project", "Project required for scm type sources.")
        if collection == "schedules":
            check_rrule(whole["rrule"])
        if collection in ("schedules", "workflow_job_template_nodes"):
            template = self.find("unified_job_templates", whole.get("unified_job_template"))
            if template:
                check_prompts(whole.get("extra_data") or {}, template, self.surveys.get(template["id"]))

    def check_unique(self, collection: str, resource: Resource, whole: Record, record: Record | None) -> None:
        def key(item: Record) -> list[Any]:
            return [item.get(name) for name in resource.unique]

        others = [item for item in self.objects[collection].values() if item is not record]
        if not resource.unique or all(key(item) != key(whole) for item in others):
            return
        if resource.unique == ("name",):
            raise Refused({"name": [f"{resource.type.replace('_', ' ').capitalize()} with this Name already exists."]})
        raise Refused({"__all__": [f"{resource.type} with this ({', '.join(resource.unique)}) already exists."]})

    def check_project(self, whole: Record) -> None:
        if not whole.get("scm_type"):
            return
        expect(whole.get("scm_url"), "scm_url", "SCM URL is required.")
        credential = self.objects["credentials"].get(whole.get("credential") or 0)
        if credential:
            kind = self.objects["credential_types"][credential["credential_type"]]["kind"]
            expect(kind == "scm", "credential", "Credential kind must be 'scm'.")

    def check_job_template(self, whole: Record) -> None:
        """A playbook counts once AWX has seen it. The organization is the project's."""
        project = self.objects["projects"].get(whole.get("project") or 0)
        if project is None:
            raise Refused({"project": ["Job Templates must have a project assigned."]})
        whole["organization"] = project["organization"]
        asked = whole.get("ask_inventory_on_launch")
        expect(whole.get("inventory") or asked, "inventory", "You must either set a default value or ask to prompt.")
        expect(whole.get("playbook"), "playbook", "Must select playbook for project.")
        found = whole["playbook"] in self.playbooks.get(project["id"], set())
        expect(found, "playbook", "Playbook not found for project.")

    def delete(self, collection: str, record: Record) -> None:
        """Takes with it what belongs to the object; what merely names it goes on without."""
        if collection == "credential_types":
            forbid(record.get("managed"), "Deletion not allowed for managed credential types")
            used = any(item["credential_type"] == record["id"] for item in self.objects["credentials"].values())
            forbid(used, "Credential types that are in use cannot be deleted")
        unfinished = [item for item in self.objects["project_updates"].values() if not self.is_finished(item)]
        if collection == "projects" and any(item["project"] == record["id"] for item in unfinished):
            raise Refused({"error": "Resource is being used by running jobs."}, 409)
        identifier = record["id"]
        del self.objects[collection][identifier]
        self.links = {key: [item for item in linked if item != identifier] for key, linked in self.links.items()}
        for other in [item for items in self.objects.values() for item in items.values()]:
            kind = self.collection_of(other)
            for name, target in RESOURCES[kind].fields.items():
                if other[name] != identifier or target not in (collection, "unified_job_templates"):
                    continue
                if name == RESOURCES[kind].parent:
                    self.delete(kind, other)
                else:
                    other[name] = None
        approval = self.objects["workflow_approval_templates"].get(record.get("unified_job_template") or 0)
        if approval:
            self.delete("workflow_approval_templates", approval)

    # Relations

    def associate(self, record: Record, relation: str, body: Record) -> None:
        target = RESOURCES[self.collection_of(record)].related[relation]
        linked = self.linked(record, relation)
        other = self.find(target, body.get("id"))
        if other is None:
            raise Refused({"detail": f"no such {target}: {body.get('id')}"})
        if "disassociate" in body:
            linked[:] = [item for item in linked if item != other["id"]]
            return
        if relation == "credentials":
            self.check_kind(linked, other)
        if relation in EDGES:
            self.check_edge(record, other, relation)
        if other["id"] not in linked:
            linked.append(other["id"])

    def check_edge(self, parent: Record, child: Record, relation: str) -> None:
        for other in EDGES:
            if other != relation and child["id"] in self.linked(parent, other):
                raise Refused({"Error": "Relationship not allowed."})
        if parent["id"] == child["id"] or parent["id"] in self.below(child):
            raise Refused({"Error": "Cycle detected."})
        same = parent["workflow_job_template"] == child["workflow_job_template"]
        expect(same, "detail", "Nodes of one workflow only.")

    def below(self, node: Record) -> set[int]:
        """The nodes that a node leads to."""
        found: set[int] = set()
        left = [node["id"]]
        while left:
            children = {item for relation in EDGES for item in self.links.get((left[0], relation), [])}
            left = left[1:] + sorted(children - found)
            found |= children
        return found

    def check_kind(self, linked: list[int], credential: Record) -> None:
        """A job has one credential of a kind, except of cloud kinds, of which it has one of a type (AWX models)."""
        types = self.objects["credential_types"]
        added = types[credential["credential_type"]]
        for item in linked:
            present = types[self.objects["credentials"][item]["credential_type"]]
            if present["id"] == added["id"] or (present["kind"] == added["kind"] == "ssh"):
                raise Refused({"error": f"Cannot assign multiple {added['name']} credentials."})

    # Syncs of projects, one after the other

    def sync(self, project: Record) -> Record:
        before = [self.ends[item["id"]] for item in self.updates(project)]
        update = self.add("project_updates", {"name": project["name"], "project": project["id"], "status": "pending"})
        self.ends[update["id"]] = max([time.monotonic(), *before]) + self.sync_seconds
        update["outcome"] = self.sync_status
        return update

    def updates(self, project: Record) -> list[Record]:
        return [item for item in self.objects["project_updates"].values() if item["project"] == project["id"]]

    def is_finished(self, update: Record) -> bool:
        return update["status"] not in ("pending", "running")

    def settle(self) -> None:
        """Ends the syncs whose time has come. From then on AWX knows the playbooks."""
        for update in list(self.objects["project_updates"].values()):
            left = self.ends[update["id"]] - time.monotonic()
            if self.is_finished(update):
                continue
            if left > 0:
                update["status"] = "running" if left <= self.sync_seconds < math.inf else "pending"
                continue
            update["status"] = update.pop("outcome")
            update["scm_revision"] = self.revision if update["status"] == "successful" else ""
            if update["status"] == "successful":
                found = (path.relative_to(self.checkout) for path in self.checkout.rglob("*.yml"))
                self.playbooks[update["project"]] = {str(path) for path in found}
