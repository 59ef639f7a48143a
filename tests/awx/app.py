# Copyright: (c) 2026, mailops.ovh_iplb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the AWX API, as much of it as the awx.awx modules need to declare things.

It is stricter than AWX where that finds mistakes: AWX ignores a field that it does not know, this refuses it. Secrets
are never shown again, only "$encrypted$", as in AWX.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from awx.resources import RESOURCES, Resource
from awx.rules import (
    ENCRYPTED,
    Refused,
    check_credential,
    check_credential_type,
    check_extra_data,
    check_rrule,
    check_survey,
    is_a,
    secret_inputs,
)

TOKEN = "standInToken"
API = "/api/v2"
Record = dict[str, Any]


class Controller:
    """All objects, by collection and id; ids are unique across collections, as those of templates are in AWX.

    :param checkout: what AWX would find in the project's repository.
    """

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.objects: dict[str, dict[int, Record]] = {name: {} for name in RESOURCES}
        self.links: dict[tuple[int, str], list[int]] = {}
        self.surveys: dict[int, Record] = {}
        self.next_id = 1
        self.writes: list[str] = []
        machine = {
            "fields": [
                {"id": "username", "label": "Username", "type": "string"},
                {"id": "ssh_key_data", "label": "SSH Private Key", "type": "string", "secret": True},
            ]
        }
        self.add("credential_types", {"name": "Machine", "kind": "ssh", "inputs": machine, "managed": True})
        self.add("organizations", {"name": "Default"})

    def add(self, collection: str, values: Record) -> Record:
        resource = RESOURCES[collection]
        empty = {"str": "", "json": "", "bool": False}
        blank = {name: empty.get(kind) for name, kind in resource.fields.items()}
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

    def view(self, record: Record) -> Record:
        """An object as the API shows it."""
        collection = self.collection_of(record)
        url = f"{API}/{collection}/{record['id']}/"
        shown = {**record, "url": url, "summary_fields": {}, "related": {}}
        if RESOURCES[collection].survey:
            shown["related"]["survey_spec"] = f"{url}survey_spec/"
        if collection == "credentials":
            secrets = secret_inputs(self.objects["credential_types"][record["credential_type"]])
            shown["inputs"] = {
                name: ENCRYPTED if name in secrets and value else value for name, value in record["inputs"].items()
            }
        if collection == "projects":
            shown["scm_revision"] = "0" * 40
        template = self.find("unified_job_templates", record.get("unified_job_template"))
        if template:
            shown["related"]["unified_job_template"] = f"{API}/{self.collection_of(template)}/{template['id']}/"
        if collection == "job_templates":
            project = self.objects["projects"][record["project"]]
            shown["organization"] = project["organization"]
        return shown

    # Writing

    def create(self, collection: str, body: Record) -> Record:
        resource = RESOURCES[collection]
        missing = [name for name in resource.required if body.get(name) in (None, "")]
        if missing:
            raise Refused({name: ["This field is required."] for name in missing})
        self.check(collection, body, None)
        return self.add(collection, {name: body[name] for name in body if name not in resource.ignored})

    def update(self, collection: str, record: Record, body: Record) -> Record:
        self.check(collection, {**record, **body}, record, body)
        resource = RESOURCES[collection]
        kept = {*resource.ignored, *resource.fixed}
        changes = {name: value for name, value in body.items() if name not in kept}
        if collection == "credentials" and "inputs" in changes:
            old = record["inputs"]
            changes["inputs"] = {
                name: old.get(name) if value == ENCRYPTED else value for name, value in changes["inputs"].items()
            }
        record.update(changes)
        return record

    def check(self, collection: str, whole: Record, record: Record | None, body: Record | None = None) -> None:
        """:raises Refused: as AWX would, or for a field that AWX would ignore."""
        resource = RESOURCES[collection]
        for name, value in (whole if body is None else body).items():
            self.check_field(resource, name, value)
        same = [
            item
            for item in self.objects[collection].values()
            if item is not record and all(item.get(name) == whole.get(name) for name in resource.unique)
        ]
        if same and resource.unique:
            raise Refused({"__all__": [f"{resource.type} with this {', '.join(resource.unique)} already exists."]})
        if collection == "credential_types":
            in_use = record is not None and any(
                item["credential_type"] == record["id"] for item in self.objects["credentials"].values()
            )
            check_credential_type(whole, record, in_use)
        if collection == "credentials":
            check_credential(whole, self.objects["credential_types"][whole["credential_type"]])
        for name in ("playbook", "source_path"):
            if whole.get(name) and not (self.checkout / whole[name]).is_file():
                raise Refused({name: ["Not found in the project."]})
        if collection == "schedules":
            check_rrule(whole["rrule"])
        if collection in ("schedules", "workflow_job_template_nodes") and whole.get("extra_data"):
            template = self.find("unified_job_templates", whole.get("unified_job_template")) or {}
            check_extra_data(whole["extra_data"], template, self.surveys.get(template.get("id", 0)))

    def check_field(self, resource: Resource, name: str, value: Any) -> None:
        kind = resource.fields.get(name)
        if kind is None:
            raise Refused({name: [f"Not a field of {resource.type}."]})
        if value is None and kind not in ("str", "bool", "int", "dict", "json"):
            return
        if value is None and name == "host_filter":
            return
        types = {"str": str, "json": str, "int": int, "bool": bool, "dict": dict}
        if kind in types:
            if not is_a(value, types[kind]):
                raise Refused({name: [f"Expected {kind}, got {value!r}."]})
        elif not self.find(kind, value):
            raise Refused({name: [f'Invalid pk "{value}" - object does not exist.']})
        if name in resource.choices and value not in resource.choices[name]:
            raise Refused({name: [f'"{value}" is not a valid choice.']})

    def associate(self, record: Record, relation: str, body: Record) -> None:
        if set(body) - {"id", "disassociate"}:
            raise Refused({"detail": f"unexpected fields in {body}"})
        target = RESOURCES[self.collection_of(record)].related[relation]
        linked = self.links.setdefault((record["id"], relation), [])
        if body.get("disassociate"):
            linked.remove(body["id"])
            return
        other = self.find(target, body["id"])
        if other is None:
            raise Refused({"detail": f"no such {target}: {body['id']}"})
        if relation == "credentials":
            self.check_kind(linked, other)
        if body["id"] not in linked:
            linked.append(body["id"])

    def check_kind(self, linked: list[int], credential: Record) -> None:
        """A job has one credential of a kind, except of cloud kinds, of which it has one of a type (AWX models)."""
        types = self.objects["credential_types"]
        added = types[credential["credential_type"]]
        for item in linked:
            present = types[self.objects["credentials"][item]["credential_type"]]
            if present["id"] == added["id"] or (present["kind"] == added["kind"] == "ssh"):
                raise Refused({"error": f"Cannot assign multiple {added['name']} credentials."})


def build(controller: Controller) -> Starlette:
    async def collection(request: Request) -> Response:
        name = request.path_params["collection"]
        if name == "unified_job_templates" and request.method == "GET":
            return listing(request, controller.unified())
        if name not in RESOURCES:
            return not_found()
        if request.method == "GET":
            return listing(request, list(controller.objects[name].values()))
        controller.writes.append(f"POST {name}")
        created = controller.view(controller.create(name, await request.json()))
        if name == "projects":
            created["summary_fields"]["current_update"] = {"id": created["id"]}
        return JSONResponse(created, 201)

    async def detail(request: Request) -> Response:
        name, record = one(request)
        if record is None:
            return not_found()
        if request.method == "PATCH":
            controller.writes.append(f"PATCH {name}")
            controller.update(name, record, await request.json())
        return JSONResponse(controller.view(record))

    async def below(request: Request) -> Response:
        name, record = one(request)
        relation = request.path_params["relation"]
        if record is None:
            return not_found()
        if relation == "survey_spec" and RESOURCES[name].survey:
            return await survey(request, record)
        if relation == "create_approval_template" and request.method == "POST":
            return await approval(request, record)
        if relation not in RESOURCES[name].related:
            return not_found()
        if request.method == "POST":
            controller.writes.append(f"POST {name} {relation}")
            controller.associate(record, relation, await request.json())
            return Response(status_code=204)
        target = RESOURCES[name].related[relation]
        linked = controller.links.get((record["id"], relation), [])
        return listing(request, [item for item in (controller.find(target, key) for key in linked) if item])

    async def survey(request: Request, record: Record) -> Response:
        if request.method == "POST":
            controller.writes.append("POST survey_spec")
            controller.surveys[record["id"]] = check_survey(await request.json())
            return JSONResponse(None)
        return JSONResponse(controller.surveys.get(record["id"], {}))

    async def approval(request: Request, node: Record) -> Response:
        controller.writes.append("POST create_approval_template")
        created = controller.create("workflow_approval_templates", await request.json())
        node["unified_job_template"] = created["id"]
        return JSONResponse(controller.view(created), 201)

    async def project_update(request: Request) -> Response:
        return JSONResponse({"id": request.path_params["id"], "status": "successful"})

    def one(request: Request) -> tuple[str, Record | None]:
        name = request.path_params["collection"]
        return name, controller.objects.get(name, {}).get(request.path_params["id"])

    def listing(request: Request, records: list[Record]) -> Response:
        shown = [controller.view(record) for record in records]
        for query, value in request.query_params.items():
            name = query.removeprefix("or__")
            if shown and not any(name in item for item in shown):
                raise Refused({"detail": f"{name} is not a field to filter by"})
            if query == name:
                shown = [item for item in shown if str(item.get(name)) == value]
        wanted = {query[4:]: value for query, value in request.query_params.items() if query.startswith("or__")}
        if wanted:
            shown = [item for item in shown if any(str(item.get(name)) == value for name, value in wanted.items())]
        return JSONResponse({"count": len(shown), "next": None, "previous": None, "results": shown})

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse(error.body, 400)

    return Starlette(
        routes=[
            Route(f"{API}/project_updates/{{id:int}}/", project_update),
            Route(f"{API}/{{collection}}/", collection, methods=["GET", "POST"]),
            Route(f"{API}/{{collection}}/{{id:int}}/", detail, methods=["GET", "PATCH"]),
            Route(f"{API}/{{collection}}/{{id:int}}/{{relation}}/", below, methods=["GET", "POST"]),
        ],
        exception_handlers={Refused: refused},
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=require_token)],
    )


def not_found() -> Response:
    return JSONResponse({"detail": "Not found."}, 404)


async def require_token(request: Request, call_next: RequestResponseEndpoint) -> Response:
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        return JSONResponse({"detail": "Authentication credentials were not provided."}, 401)
    answer = await call_next(request)
    answer.headers.update({"X-API-Product-Name": "AWX", "X-API-Product-Version": "24.6.1"})
    return answer
